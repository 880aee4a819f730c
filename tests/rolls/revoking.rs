//! Leaked keys that are shut out through SSM: what instances let in at every instant, after a
//! crash at every line, and what later rolls do with the new key.

use std::sync::Arc;
use std::time::Duration;

use convox::ids::RollId;
use convox::rack::{KeyProof, Through};
use convox::roll::{
    Engine, EventKind, Journals, KeyTools, Outcome, Plan, Refusal, Report, RevocationOptions,
    RollOptions, SsmAccess,
};
use convox::sandbox::scenario::{Calls, Fault, Faults};
use convox::ssh::SigningKey;
use tokio::sync::Notify;

use crate::outcomes::assert_no_secret;
use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};

pub(crate) const OLD: &str = "prod-keypair-4711";

pub(crate) fn options() -> RevocationOptions {
    RevocationOptions {
        key: None,
        key_type: None,
    }
}

pub(crate) fn calls(api: &str) -> Calls {
    Calls {
        api: api.to_owned(),
        ..Calls::default()
    }
}

/// Gives an engine the ways that the command line gives it.
pub(crate) async fn engine(rehearsal: &Rehearsal, journals: Journals) -> Engine {
    let mut engine = rehearsal.engine(journals).await;
    let commands = Arc::clone(&engine.rack().commands);
    let ssm = SsmAccess::new(commands, rehearsal.clock.clone());
    engine.set_key_tools(KeyTools {
        ways: vec![Arc::new(ssm)],
        public_line: |name, key| match SigningKey::read(name, key) {
            Ok(key) => Ok(key.public_line()),
            Err(error) => Err(error.to_string()),
        },
    });
    engine
}

pub(crate) async fn planned(rehearsal: &Rehearsal) -> Result<Plan, Refusal> {
    let mut engine = engine(rehearsal, rehearsal.journals()).await;
    engine.plan_revocation(options()).await
}

pub(crate) async fn revoke_key(
    rehearsal: &Rehearsal,
    key: Option<&str>,
) -> Result<Report, Refusal> {
    let mut engine = engine(rehearsal, rehearsal.journals()).await;
    let options = RevocationOptions {
        key: key.map(str::to_owned),
        ..options()
    };
    let plan = engine.plan_revocation(options).await?;
    Ok(engine.run(plan, false).await)
}

pub(crate) async fn revoke(rehearsal: &Rehearsal, journals: Journals) -> Result<Report, Refusal> {
    let mut engine = engine(rehearsal, journals).await;
    let plan = engine.plan_revocation(options()).await?;
    Ok(engine.run(plan, false).await)
}

/// The lines of each live instance, and the key that its tag names.
pub(crate) fn doors(rehearsal: &Rehearsal) -> Vec<(Vec<String>, Option<String>)> {
    rehearsal.sandbox.peek(|world| {
        let live = world.live_instances();
        live.map(|it| {
            let tag = it.tags.get("convox:key").cloned();
            (it.authorized_keys.clone(), tag)
        })
        .collect()
    })
}

/// Checks that `new` opens every instance, and nothing else does.
pub(crate) fn assert_shut(rehearsal: &Rehearsal, new: &str, context: &str) {
    let doors = doors(rehearsal);
    assert_eq!(doors.len(), 3, "{context}");
    let public = rehearsal.sandbox.peek(|world| {
        let public = world.ec2.public_key(new).unwrap();
        public
            .split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    });
    for (lines, tag) in doors {
        assert_eq!(lines, [format!("{public} {new}")], "{context}");
        assert_eq!(tag.as_deref(), Some(new), "{context}");
    }
}

pub(crate) async fn stored(rehearsal: &Rehearsal, name: &str) -> bool {
    let keys = rehearsal.rack().await.keys;
    keys.get(name).await.unwrap().is_some()
}

#[test]
fn a_leaked_key_is_shut_out_of_every_instance_within_seconds() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let began = rehearsal.clock.now();
        let before = doors(&rehearsal);
        let plan = planned(&rehearsal).await.unwrap();
        let revocation = plan.revocation().unwrap();
        assert_eq!(revocation.instances.len(), 3);
        for instance in &revocation.instances {
            assert_eq!(instance.key.as_deref(), Some(OLD));
            assert_eq!(instance.through, Some(Through::Ssm));
        }
        assert_eq!(doors(&rehearsal), before, "a plan changes nothing");
        assert_eq!(rehearsal.key_pairs(), [OLD]);

        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let new = report.new_key.clone().unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &new, "done");
        let took = rehearsal.clock.now().duration_since(began);
        assert!(took.as_secs() < 15, "{took}");
        let told = rehearsal.tape.events().into_iter();
        let told: Vec<_> = told
            .filter_map(|event| match event.kind {
                EventKind::Instance(report) => Some((report.proof, report.error)),
                _ => None,
            })
            .collect();
        assert_eq!(told, vec![(Some(KeyProof::Sshd), None); 3]);
        // New instances have the old key until the next roll, so it stays.
        assert_eq!(rehearsal.key_pairs(), [new.clone(), OLD.to_owned()]);
        assert!(stored(&rehearsal, OLD).await && stored(&rehearsal, &new).await);
        let rack = rehearsal.rack().await;
        let default = rack.keys.current().await.unwrap().unwrap();
        let kept = rack.keys.get(&new).await.unwrap().unwrap();
        assert!(default.is_same_as(&kept), "the default key opens them");
        assert_no_secret(&rehearsal, "done");
        rehearsal.watcher.assert_whole("done");
    });
}

#[test]
fn an_instance_that_starts_meanwhile_is_mended_by_the_same_new_key() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let first = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let new = first.new_key.unwrap();
        let gone = rehearsal.sandbox.with(|world| {
            let id = world.live_instances().next().unwrap().id.clone();
            world.terminate_instance(&id, "a test");
            id
        });
        rehearsal.clock.sleep(Duration::from_secs(600)).await;
        let leaky = doors(&rehearsal)
            .into_iter()
            .filter(|(_, tag)| tag.is_none());
        assert_eq!(leaky.count(), 1, "its launch template names the old key");
        let plan = planned(&rehearsal).await.unwrap();
        assert!(plan.revocation().unwrap().reused);
        assert_eq!(plan.new_key, new);
        let again = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(
            (again.outcome, again.new_key),
            (Outcome::Done, Some(new.clone()))
        );
        assert_shut(&rehearsal, &new, "mended");
        assert_eq!(rehearsal.key_pairs().len(), 2);
        let all = rehearsal.sandbox.peek(|world| {
            let mut live = world.live_instances();
            live.all(|instance| instance.id != gone)
        });
        assert!(all);
        rehearsal.watcher.assert_whole("mended");
    });
}

#[test]
fn a_stand_in_that_is_out_too_is_never_let_in_again() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let first = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let out = first.new_key.unwrap();
        let second = revoke_key(&rehearsal, Some(&out)).await.unwrap();
        let new = second.new_key.unwrap();
        assert_shut(&rehearsal, &new, "the stand-in is out");
        // Whoever follows the hint, or takes the old key for the one that is out, lets neither in.
        for key in [None, Some(OLD), Some(out.as_str())] {
            let again = revoke_key(&rehearsal, key).await.unwrap();
            assert_eq!(again.outcome, Outcome::Done, "{key:?}: {again:?}");
            let lines: Vec<_> = doors(&rehearsal).into_iter().flat_map(|it| it.0).collect();
            let lets_in = |name: &str| lines.iter().any(|line| line.ends_with(name));
            assert!(!lets_in(&out) && !lets_in(OLD), "{key:?}: {lines:?}");
        }
        for (_, tag) in doors(&rehearsal) {
            assert!(
                stored(&rehearsal, &tag.unwrap()).await,
                "somebody can open it"
            );
        }
    });
}

#[test]
fn in_the_middle_of_a_roll_the_key_that_is_out_is_to_be_named() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let mut roll = rehearsal.engine(rehearsal.journals()).await;
        let options = RollOptions::DEFAULT;
        let plan = roll.plan(options, Duration::ZERO).await.unwrap();
        let new = plan.new_key.clone();
        let detached = roll.run(plan, true).await;
        assert_eq!(detached.outcome, Outcome::Detached);
        let refusal = planned(&rehearsal).await.unwrap_err();
        assert_eq!(refusal.reasons[0].code, "which-key", "{refusal:?}");
        assert!(refusal.reasons[0].hint.contains(OLD), "{refusal:?}");
        // The key that many have and the stack does not name any more.
        let report = revoke_key(&rehearsal, Some(OLD)).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let lines: Vec<_> = doors(&rehearsal).into_iter().flat_map(|it| it.0).collect();
        assert!(lines.iter().all(|line| !line.ends_with(OLD)), "{lines:?}");
        assert!(stored(&rehearsal, &new).await, "the roll's own key stays");
    });
}

#[test]
fn the_roll_that_follows_lets_both_keys_go() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("success"));
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let stand_in = report.new_key.unwrap();
        let rolled = rehearsal.roll().await.unwrap();
        assert_eq!(rolled.outcome, Outcome::Done, "{rolled:?}");
        let newest = rolled.new_key.unwrap();
        assert_eq!(rehearsal.key_pairs(), [newest]);
        assert!(!stored(&rehearsal, OLD).await && !stored(&rehearsal, &stand_in).await);
        for (_, tag) in doors(&rehearsal) {
            assert_eq!(tag, None);
        }
        rehearsal.watcher.assert_open("rolled");
    });
}

#[test]
fn a_roll_that_goes_back_keeps_the_key_that_opens_what_is_left() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("failure-signal"));
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let stand_in = report.new_key.unwrap();
        let rolled = rehearsal.roll().await.unwrap();
        assert_eq!(rolled.outcome, Outcome::RolledBack, "{rolled:?}");
        assert!(stored(&rehearsal, &stand_in).await);
        rehearsal.watcher.assert_open("rolled back");
        rehearsal.clock.sleep(Duration::from_secs(600)).await;
        let mended = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(mended.outcome, Outcome::Done, "{mended:?}");
        assert_shut(&rehearsal, &stand_in, "mended");
    });
}

#[test]
fn who_is_not_reached_is_named_and_the_others_are_not_kept_waiting_for() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("revoke-key/no-agent"));
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Unproven, 4));
        let why: Vec<_> = report.holdouts.iter().map(|it| it.state.as_str()).collect();
        assert_eq!(
            why.iter()
                .filter(|why| **why == "it has no SSM agent")
                .count(),
            1,
            "{why:?}"
        );
        assert_eq!(
            why.iter()
                .filter(|why| **why == "its SSM agent is ConnectionLost")
                .count(),
            1,
            "{why:?}"
        );
        assert_eq!(why.len(), 2);
        let shut = doors(&rehearsal)
            .into_iter()
            .filter(|(_, tag)| tag.is_some());
        assert_eq!(shut.count(), 1);
        rehearsal.watcher.assert_whole("two not reached");

        // With agents it is finished by the same roll.
        rehearsal
            .sandbox
            .with(|world| world.faults = Faults::default());
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let report = resume(&rehearsal, &roll, rehearsal.journals())
            .await
            .unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_shut(&rehearsal, &report.new_key.unwrap(), "resumed");
        rehearsal.watcher.assert_whole("resumed");
    });
}

#[test]
fn nothing_is_made_where_no_instance_is_reached() {
    in_virtual_time(async {
        let mut scenario = scenario("revoke-key/no-agent");
        scenario.rack.instances = 2;
        let rehearsal = Rehearsal::new(&scenario);
        let refusal = revoke(&rehearsal, rehearsal.journals()).await.unwrap_err();
        assert_eq!(refusal.outcome, Outcome::NothingChanged);
        let codes: Vec<_> = refusal.reasons.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["unreached", "unreached"]);
        assert_eq!(rehearsal.key_pairs(), [OLD]);
        assert!(rehearsal.journals().rolls().unwrap().is_empty());
    });
}

#[test]
fn a_command_that_fails_leaves_its_instance_open_by_a_key_that_is_kept() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("revoke-key/failing-commands"));
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Unproven, "{report:?}");
        assert_eq!(report.holdouts.len(), 2, "{report:?}");
        for holdout in &report.holdouts {
            let expected = "its command ended as Failed: mktemp: failed to create file: No space \
                            left on device";
            assert_eq!(holdout.state, expected);
        }
        rehearsal.watcher.assert_whole("failing");
        let again = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(again.outcome, Outcome::Done, "{again:?}");
        assert_shut(&rehearsal, &again.new_key.unwrap(), "again");
        rehearsal.watcher.assert_whole("again");
    });
}

#[test]
fn a_tag_that_may_not_be_set_leaves_the_old_key_in() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.faults = vec![Fault::Deny(calls("ec2:CreateTags"))];
        let rehearsal = Rehearsal::new(&scenario);
        let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Unproven, "{report:?}");
        assert_eq!(report.holdouts.len(), 3);
        for (lines, tag) in doors(&rehearsal) {
            assert_eq!((lines.len(), tag), (2, None), "both keys open it");
        }
        rehearsal.watcher.assert_whole("denied");
    });
}

#[test]
fn a_revocation_cannot_be_cancelled() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("revoke-key/no-agent"));
        revoke(&rehearsal, rehearsal.journals()).await.unwrap();
        let roll = rehearsal.journals().rolls().unwrap().remove(0);
        let mut engine = engine(&rehearsal, rehearsal.journals()).await;
        let refusal = engine.cancel(&roll).await.unwrap_err();
        assert_eq!(refusal.reasons[0].code, "revocation");
        let refusal = engine.continue_rollback(&roll, &[]).await.unwrap_err();
        assert_eq!(refusal.reasons[0].code, "revocation");
    });
}

pub(crate) async fn resume(
    rehearsal: &Rehearsal,
    roll: &RollId,
    journals: Journals,
) -> Result<Report, Refusal> {
    engine(rehearsal, journals).await.resume(roll).await
}

/// Kills a revocation at a line of its journal and takes it up again. `false` when the journal of
/// an undisturbed one is not that long.
async fn killed_at(rehearsal: &Rehearsal, line: usize, before: bool, elsewhere: bool) -> bool {
    let context = format!("line {line}, before {before}, elsewhere {elsewhere}");
    let tripped = Arc::new(Notify::new());
    let journals = rehearsal
        .journals()
        .crashing_at(line, before, tripped.clone());
    tokio::select! {
        _ = revoke(rehearsal, journals) => return false,
        () = tripped.notified() => {}
    }
    // What was sent is carried out meanwhile, although nobody waits for it any more.
    let known = rehearsal.journals().rolls().unwrap().into_iter().next();
    let opened = known.filter(|roll| {
        let lines = rehearsal.journals().read(roll).unwrap();
        lines.is_some_and(|lines| !lines.is_empty())
    });
    let Some(roll) = opened else {
        assert_eq!(rehearsal.key_pairs(), [OLD], "{context}");
        return true;
    };
    let mut result = if elsewhere {
        resume(rehearsal, &roll, rehearsal.elsewhere()).await
    } else {
        resume(rehearsal, &roll, rehearsal.journals()).await
    };
    if elsewhere && result.is_err() && rehearsal.key_pairs().len() < 2 {
        // No key pair of ours: there is nothing that another machine could know of.
        result = resume(rehearsal, &roll, rehearsal.journals()).await;
    }
    let report = result.unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
    assert_eq!(report.outcome, Outcome::Done, "{context}: {report:?}");
    let new = report.new_key.unwrap();
    assert_shut(rehearsal, &new, &context);
    assert_eq!(
        rehearsal.key_pairs(),
        [new.clone(), OLD.to_owned()],
        "{context}"
    );
    assert!(stored(rehearsal, OLD).await && stored(rehearsal, &new).await);
    assert_no_secret(rehearsal, &context);
    rehearsal.watcher.assert_whole(&context);
    // Once more changes nothing.
    resume(rehearsal, &roll, rehearsal.journals())
        .await
        .unwrap();
    assert_shut(rehearsal, &new, &context);
    true
}

#[test]
fn killed_at_every_line_it_ends_the_same() {
    let mut lines = 0;
    let mut ways = vec![(false, false)];
    // CI also strikes just before a line, and loses the journal with the machine.
    if std::env::var_os("CI").is_some() {
        ways.extend([(true, false), (true, true)]);
    }
    for (before, elsewhere) in ways {
        for line in 1.. {
            let struck = in_virtual_time(async {
                let rehearsal = Rehearsal::new(&scenario("success"));
                killed_at(&rehearsal, line, before, elsewhere).await
            });
            if !struck {
                break;
            }
            lines = lines.max(line);
        }
    }
    assert!(
        lines >= 15,
        "a line before and one after each effect: {lines}"
    );
}

#[test]
fn throttling_and_lost_answers_only_take_time() {
    let (now_and_then, once) = (Some(2), Some(1));
    for fault in [
        Fault::Throttle(Calls {
            every: now_and_then,
            ..calls("ssm:*")
        }),
        Fault::Lose(Calls {
            times: once,
            ..calls("ssm:SendCommand")
        }),
        Fault::Lose(Calls {
            times: once,
            ..calls("ec2:CreateTags")
        }),
        Fault::Unsent(Calls {
            times: once,
            ..calls("ssm:ListCommandInvocations")
        }),
    ] {
        let context = format!("{fault:?}");
        in_virtual_time(async {
            let mut scenario = scenario("success");
            scenario.faults = vec![fault];
            let rehearsal = Rehearsal::new(&scenario);
            let report = revoke(&rehearsal, rehearsal.journals()).await.unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{context}: {report:?}");
            assert_shut(&rehearsal, &report.new_key.unwrap(), &context);
            rehearsal.watcher.assert_whole(&context);
        });
    }
}
