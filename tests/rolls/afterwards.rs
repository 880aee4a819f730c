//! What a person does with a roll that was left: come back to it, cancel it, get it unstuck.

use std::time::Duration;

use convox::roll::{EventKind, Outcome, Report, RollOptions};

use crate::outcomes::assert_settled;
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time, scenario};

const OLD: &str = "prod-keypair-4711";

/// Starts a roll and lets go of it as soon as the update is accepted.
async fn detached(rehearsal: &Rehearsal) -> (convox::ids::RollId, Report) {
    let mut engine = rehearsal.engine(rehearsal.journals()).await;
    let plan = engine.plan(OPTIONS, WAIT_BUSY).await.unwrap();
    let roll = plan.roll.clone();
    let report = engine.run(plan, true).await;
    assert_eq!((report.outcome, report.exit_code), (Outcome::Detached, 6));
    (roll, report)
}

#[test]
fn a_detached_roll_is_finished_from_another_machine() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let (roll, report) = detached(&rehearsal).await;
        assert!(
            report
                .hints
                .iter()
                .any(|hint| hint.contains(&format!("rolls resume {roll}")))
        );
        assert_eq!(
            rehearsal.key_pairs().len(),
            2,
            "the old key pair is kept meanwhile"
        );
        rehearsal.clock.sleep(Duration::from_secs(3600)).await;
        let result = rehearsal.resume(&roll, rehearsal.elsewhere()).await;
        assert_settled(&rehearsal, &result, "resumed elsewhere");
        assert_eq!(result.unwrap().outcome, Outcome::Done);
        rehearsal.watcher.assert_whole("detached");
    });
}

#[test]
fn somebody_who_stops_following_can_come_back() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let stop = rehearsal.stop.clone();
        let clock = rehearsal.clock.clone();
        tokio::spawn(async move {
            clock.sleep(Duration::from_secs(90)).await;
            stop.request();
        });
        let report = rehearsal.roll().await.unwrap();
        assert_eq!(report.outcome, Outcome::Detached);
        let journals = rehearsal.journals();
        let roll = journals.rolls().unwrap().remove(0);
        let mut again = rehearsal;
        again.stop = convox::roll::Stop::new();
        let report = again.resume(&roll, journals).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done);

        let told = again.journals().events(&roll).unwrap().unwrap();
        let starts = told.iter().filter(|event| {
            matches!(&event.kind, EventKind::Stack(stack)
                if stack.is_about_the_stack() && stack.status == "UPDATE_IN_PROGRESS")
        });
        assert_eq!(starts.count(), 1, "two runs tell the stack's history once");
    });
}

#[test]
fn stopping_before_the_stack_is_touched_leaves_nothing() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let mut engine = rehearsal.engine(rehearsal.journals()).await;
        let plan = engine.plan(OPTIONS, WAIT_BUSY).await.unwrap();
        rehearsal.stop.request();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::NothingChanged);
        assert_eq!(rehearsal.key_pairs(), [OLD]);
    });
}

#[test]
fn a_cancelled_roll_goes_back_and_leaves_the_old_key() {
    for elsewhere in [false, true] {
        in_virtual_time(async {
            let rehearsal = Rehearsal::new(&scenario("success"));
            let (roll, _) = detached(&rehearsal).await;
            rehearsal.clock.sleep(Duration::from_secs(60)).await;
            let journals = if elsewhere {
                rehearsal.elsewhere()
            } else {
                rehearsal.journals()
            };
            let report = rehearsal
                .engine(journals)
                .await
                .cancel(&roll)
                .await
                .unwrap();
            assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 0));
            assert_eq!(rehearsal.key_pairs(), [OLD]);
            let cause = report.first_failure.unwrap();
            assert_eq!(cause.logical_id, "prod");
            rehearsal.watcher.assert_whole("cancelled");

            let refusal = rehearsal
                .engine(rehearsal.journals())
                .await
                .cancel(&roll)
                .await;
            assert!(refusal.is_err(), "there is nothing left to cancel");
        });
    }
}

#[test]
fn a_failed_rollback_names_its_way_out_and_the_way_out_works() {
    for skip in [false, true] {
        in_virtual_time(async {
            let rehearsal = Rehearsal::new(&scenario("rollback-fails"));
            let report = rehearsal.roll().await.unwrap();
            assert_eq!(report.outcome, Outcome::Stuck);
            let roll = rehearsal.journals().rolls().unwrap().remove(0);
            let way_out = format!("convox rolls continue {roll} --skip Instances");
            assert!(
                report.hints.iter().any(|hint| hint.contains(&way_out)),
                "{report:?}"
            );

            let refused = rehearsal.roll().await.unwrap_err();
            assert_eq!(refused.reasons[0].code, "rollback-failed");

            let mut engine = rehearsal.engine(rehearsal.journals()).await;
            let skipped = if skip {
                vec!["Instances".to_owned()]
            } else {
                Vec::new()
            };
            if !skip {
                // The old key pair comes back, as an operator would bring it back.
                let rack = rehearsal.rack().await;
                let private = rack.keys.get(OLD).await.unwrap().unwrap();
                let private = ssh_key::PrivateKey::from_openssh(private.expose()).unwrap();
                let public = private.public_key().to_openssh().unwrap();
                rehearsal.sandbox.with(|world| {
                    world
                        .import_key_pair(OLD, &public, Default::default())
                        .unwrap();
                });
            }
            let report = engine.continue_rollback(&roll, &skipped).await.unwrap();
            if skip {
                // CloudFormation is content; instances that still carry the new key are not.
                assert_eq!(report.outcome, Outcome::Stuck, "{report:?}");
                assert!(rehearsal.key_pairs().iter().any(|name| name != OLD));
            } else {
                assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 0));
                assert_eq!(rehearsal.key_pairs(), [OLD]);
            }
            rehearsal.watcher.assert_whole("continued");
        });
    }
}

#[test]
fn the_old_key_pair_stays_when_asked() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let mut engine = rehearsal.engine(rehearsal.journals()).await;
        let options = RollOptions {
            keep_old: true,
            ..OPTIONS
        };
        let plan = engine.plan(options, WAIT_BUSY).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Done);
        assert_eq!(rehearsal.key_pairs().len(), 2);
        let rack = rehearsal.rack().await;
        assert!(rack.keys.get(OLD).await.unwrap().is_some());
    });
}

#[test]
fn rolls_are_listed_from_journals_and_from_tags() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let report = rehearsal.roll().await.unwrap();
        for (journals, local) in [(rehearsal.journals(), true), (rehearsal.elsewhere(), false)] {
            let rolls = rehearsal.engine(journals).await.rolls().await.unwrap();
            assert_eq!(rolls.len(), 1);
            assert_eq!(rolls[0].local, local);
            assert_eq!(Some(&rolls[0].new_key), report.new_key.as_ref());
            assert_eq!(rolls[0].old_key.as_deref(), Some(OLD));
        }
    });
}

#[test]
fn another_machine_can_show_what_the_stack_remembers() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        rehearsal.roll().await.unwrap();
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let mut engine = rehearsal.engine(rehearsal.elsewhere()).await;
        let told = engine.remembered(&roll).await.unwrap();
        let statuses = told.iter().filter_map(|event| match &event.kind {
            EventKind::Stack(stack) if stack.is_about_the_stack() => Some(stack.status.as_str()),
            _ => None,
        });
        assert_eq!(
            statuses.collect::<Vec<_>>(),
            [
                "UPDATE_IN_PROGRESS",
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                "UPDATE_COMPLETE"
            ]
        );
    });
}

#[test]
fn json_of_a_rolled_back_roll_says_how_and_why() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("failure-signal"));
        rehearsal.roll().await.unwrap();
        let json = rehearsal.tape.json();
        let last: serde_json::Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
        assert_eq!(last["type"], "finished");
        assert_eq!(last["data"]["outcome"], "rolled_back");
        assert_eq!(last["data"]["exit_code"], 3);
        assert_eq!(last["data"]["first_failure"]["logical_id"], "Instances");
        let reason = last["data"]["first_failure"]["reason"].as_str().unwrap();
        assert!(reason.contains("FAILURE signal"), "{reason}");
    });
}
