//! Waiting for a rack: every way in which an operation can end, and who began it.

use std::time::Duration;

use convox::roll::{Engine, EventKind, Journals, Outcome, RollOptions, Stop};

use crate::rehearsal::{Rehearsal, map};
use crate::rehearsing::Tape;
use crate::virtual_time::in_virtual_time;

const LARGE: &[(&str, &str)] = &[("InstanceType", "t3.large")];
const NEVER: &str = "faults: [{ signals: { group: Instances, fate: never, times: 1 } }]";
/// One instance of the new kind is in place when the update fails, and none can be started any more.
const NO_WAY_BACK: &str = "faults: [
  { signals: { group: Instances, fate: never, from: 2, times: 1 } },
  { call: { api: ec2:DeleteKeyPair, after: cloudformation:UpdateStack, delay: 5m,
      input: { KeyName: $old_key } } } ]";

#[test]
fn an_update_is_followed_to_its_end() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let report = rehearsal.set_and_wait(LARGE).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let tape = &rehearsal.tape;
        assert!(
            tape.has(
                |kind| matches!(kind, EventKind::Progress(p) if (p.replaced, p.total) == (3, 3))
            )
        );
        assert!(matches!(tape.kinds().last(), Some(EventKind::Finished(_))));
        let rack = rehearsal.rack().await;
        let status = rack.system.describe().await.unwrap().status;
        assert_eq!(status, "running", "and not before all instances serve");
    });
}

#[test]
fn a_rollback_is_told_from_success_with_what_failed_first() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of(NEVER);
        let report = rehearsal.set_and_wait(LARGE).await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 3));
        let failure = report.first_failure.unwrap();
        assert_eq!(failure.logical_id, "Instances");
        assert!(failure.reason.contains("SUCCESS signal"), "{failure:?}");
        assert!(
            rehearsal
                .tape
                .has(|kind| matches!(kind, EventKind::RollbackDetected { cause: Some(_) }))
        );

        // Who comes later, to a stack at rest, is told the same.
        let late = rehearsal
            .watch(&rehearsal.rack().await)
            .rack()
            .await
            .unwrap();
        assert_eq!(late.outcome, Outcome::RolledBack);
        assert_eq!(late.first_failure.unwrap().logical_id, "Instances");

        // And whoever mends it has a rack that is well.
        let report = rehearsal.set_and_wait(&[("ApiCpu", "256")]).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done);
        let late = rehearsal
            .watch(&rehearsal.rack().await)
            .rack()
            .await
            .unwrap();
        assert_eq!((late.outcome, late.first_failure), (Outcome::Done, None));
    });
}

#[test]
fn a_rollback_that_fails_is_stuck() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of(NO_WAY_BACK);
        let report = rehearsal.set_and_wait(LARGE).await.unwrap();
        assert_eq!(
            (report.outcome, report.exit_code),
            (Outcome::Stuck, 5),
            "{report:?}"
        );
        assert!(
            report.message.contains("UPDATE_ROLLBACK_FAILED"),
            "{report:?}"
        );
        assert!(report.hints.iter().any(|hint| hint.contains("Instances")));
        let late = rehearsal
            .watch(&rehearsal.rack().await)
            .rack()
            .await
            .unwrap();
        assert_eq!(late.outcome, Outcome::Stuck);
        assert_eq!(late.first_failure, report.first_failure);
    });
}

#[test]
fn somebody_elses_update_is_waited_for() {
    in_virtual_time(async {
        for (scenario, outcome) in [
            ("rack: { instances: 3 }", Outcome::Done),
            (NEVER, Outcome::RolledBack),
        ] {
            let rehearsal = Rehearsal::of(scenario);
            let rack = rehearsal.rack().await;
            rack.system.set_parameters(&map(LARGE)).await.unwrap();
            rehearsal.pass(40).await;
            let report = rehearsal.watch(&rack).rack().await.unwrap();
            assert_eq!(report.outcome, outcome, "{report:?}");
            assert_eq!(report.first_failure.is_some(), outcome != Outcome::Done);
        }
    });
}

#[test]
fn a_roll_of_the_key_is_waited_for_like_any_update() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let rack = rehearsal.rack().await;
        let home = tempfile::tempdir().unwrap();
        let mut engine = Engine::new(
            rack.clone(),
            rehearsal.clock.clone(),
            convox::ids::Entropy::seeded(3),
            Journals::new(home.path().join("rolls")),
            Box::new(Tape::default()),
            Stop::new(),
        );
        let options = RollOptions::DEFAULT;
        let plan = engine.plan(options, Duration::ZERO).await.unwrap();
        let left = engine.run(plan, true).await;
        assert_eq!(left.outcome, Outcome::Detached);
        let report = rehearsal.watch(&rack).rack().await.unwrap();
        assert_eq!(report.outcome, Outcome::Done);
        assert!(
            rehearsal
                .tape
                .has(|kind| matches!(kind, EventKind::Progress(_)))
        );
    });
}

#[test]
fn a_rack_at_rest_is_told_at_once() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        let began = rehearsal.clock.now();
        let report = rehearsal
            .watch(&rehearsal.rack().await)
            .rack()
            .await
            .unwrap();
        assert_eq!(report.outcome, Outcome::Done);
        assert_eq!(rehearsal.clock.now(), began);
    });
}

#[test]
fn throttled_reads_and_lost_answers_are_waited_out() {
    in_virtual_time(async {
        for faults in [
            "{ throttle: { api: '*:Describe*', after: 'cloudformation:UpdateStack', for: 5m } }",
            "{ lose: { api: 'cloudformation:UpdateStack', times: 5 } }",
            "{ unsent: { api: 'cloudformation:UpdateStack', times: 5 } }",
            "{ stale: { lag: 10s } }",
        ] {
            let rehearsal = Rehearsal::of(&format!("faults: [{faults}]"));
            let report = rehearsal.set_and_wait(&[("ApiCpu", "256")]).await.unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{faults}: {report:?}");
        }
    });
}

#[test]
fn who_lets_go_is_told_how_to_come_back() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of("rack: { instances: 3 }");
        rehearsal.stop.request();
        let report = rehearsal.set_and_wait(LARGE).await.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Detached, 6));
        assert_eq!(report.hints, ["come back with `convox rack wait`"]);
    });
}

#[test]
fn a_stack_that_goes_away_is_not_waited_for_in_vain() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::of(
            "faults: [{ call: { api: cloudformation:DeleteStack, at: 10s, \
             input: { StackName: $rack } } }]",
        );
        let rack = rehearsal.rack().await;
        rehearsal.pass(15).await;
        let report = rehearsal.watch(&rack).rack().await.unwrap();
        assert_eq!(report.outcome, Outcome::Stuck, "{report:?}");
        assert!(report.message.contains("prod"), "{report:?}");
        let gone = rehearsal.watch(&rack).rack().await.unwrap_err();
        assert!(gone.is_not_found(), "{gone}");
    });
}
