//! Gates of a rolling update, which CloudFormation does not wait at: they stop it and take it back.

use convox::roll::{Care, EventKind, GateStage, Outcome, Strategy};
use convox::sandbox::Scenario;

use crate::gate_keeper::{Keeper, alarmed, gated};
use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};

const OLD: &str = "prod-keypair-4711";

async fn roll(
    scenario: &Scenario,
    care: &Care,
    shut_from: usize,
) -> (Rehearsal, Keeper, convox::roll::Report) {
    let rehearsal = Rehearsal::new(scenario);
    let keeper = Keeper::of(&rehearsal).shut_from(shut_from);
    let journals = rehearsal.journals();
    let result = rehearsal
        .roll_carefully(journals, Strategy::CloudFormation, care, &keeper)
        .await;
    assert_settled(&rehearsal, &result, "gate");
    assert_no_secret(&rehearsal, "gate");
    rehearsal.watcher.assert_whole("gate");
    (rehearsal, keeper, result.unwrap())
}

fn assert_taken_back(rehearsal: &Rehearsal) {
    rehearsal.sandbox.peek(|world| {
        let live = world.live_instances();
        let live = live.filter(|it| it.state.as_str() == "running");
        let keys: Vec<_> = live.filter_map(|it| it.key_name.as_deref()).collect();
        assert!(keys.iter().all(|key| *key == OLD), "{keys:?}");
        let stack = world.cloudformation.stack("prod").unwrap();
        assert_eq!(stack.parameter("Key"), Some(OLD));
    });
    assert_eq!(rehearsal.key_pairs(), [OLD]);
}

#[test]
fn a_gate_is_asked_after_each_batch_and_once_more_at_the_end() {
    in_virtual_time(async {
        let (_, keeper, report) = roll(&scenario("success"), &gated(), 0).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let asked = keeper.asked();
        let stages: Vec<_> = asked.iter().map(|it| it.stage).collect();
        assert_eq!(
            stages,
            [GateStage::Canary, GateStage::Batch, GateStage::Last],
            "{asked:?}"
        );
        assert_eq!(asked[2].new, (3, 3));
    });
}

#[test]
fn a_gate_that_is_shut_in_the_second_batch_takes_the_update_back() {
    in_virtual_time(async {
        let (rehearsal, keeper, report) = roll(&scenario("success"), &gated(), 2).await;
        assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 3));
        assert!(
            report.message.starts_with("the gate exited with 1"),
            "{}",
            report.message
        );
        assert_eq!(keeper.asked().len(), 2);
        assert_taken_back(&rehearsal);
        let blamed = |failure: &convox::roll::Failure| {
            let (id, why) = (failure.logical_id.as_str(), failure.reason.as_str());
            (id, why) == ("gate", "the gate exited with 1")
        };
        // CloudFormation knows no more than that somebody wanted it.
        assert!(
            report.first_failure.as_ref().is_some_and(blamed),
            "{report:?}"
        );
        let events = rehearsal.tape.events();
        let told = events.iter().find_map(|event| match &event.kind {
            EventKind::RollbackDetected { cause } => cause.as_ref(),
            _ => None,
        });
        assert!(told.is_some_and(blamed), "{told:?}");
        let shut = events.iter().filter(
            |event| matches!(&event.kind, EventKind::Gate(report) if report.open == Some(false)),
        );
        assert_eq!(shut.count(), 1);
    });
}

#[test]
fn a_last_gate_that_is_shut_has_the_stack_updated_back() {
    in_virtual_time(async {
        let (rehearsal, _, report) = roll(&scenario("success"), &gated(), 3).await;
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert_taken_back(&rehearsal);
        let status = rehearsal
            .sandbox
            .peek(|world| world.cloudformation.stack("prod").unwrap().status.clone());
        assert_eq!(status, "UPDATE_COMPLETE");
    });
}

#[test]
fn a_stack_that_describe_stacks_is_late_about_is_taken_back_all_the_same() {
    in_virtual_time(async {
        let (rehearsal, _, report) = roll(&scenario("stale-describe"), &gated(), 3).await;
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert_taken_back(&rehearsal);
    });
}

#[test]
fn an_alarm_that_goes_off_between_batches_takes_the_update_back() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        let faults = "name: x\nabout: y\nfaults:\n\
            - call: { api: monitoring:PutMetricAlarm, at: 0s, input: { AlarmName: errors } }\n\
            - call: { api: monitoring:SetAlarmState, after: cloudformation:UpdateStack, \
                      delay: 60s, input: { AlarmName: errors, StateValue: ALARM } }\n";
        scenario.faults = Scenario::parse(faults, "x").unwrap().faults;
        let (rehearsal, _, report) = roll(&scenario, &alarmed("errors"), 0).await;
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert!(
            report.message.contains("alarm errors is on"),
            "{}",
            report.message
        );
        assert_taken_back(&rehearsal);
    });
}

#[test]
fn a_roll_that_was_left_at_its_last_gate_is_taken_back_by_a_machine_without_its_journal() {
    in_virtual_time(async {
        let mut rehearsal = Rehearsal::new(&scenario("success"));
        let roll = rehearsal.leave_at(GateStage::Last).await;
        let (elsewhere, keeper) = (rehearsal.elsewhere(), Keeper::of(&rehearsal));
        let refused = rehearsal.resume_carefully(&roll, elsewhere, &keeper).await;
        assert_eq!(refused.unwrap_err().reasons[0].code, "unknown-gates");
        let mut engine = rehearsal.engine(rehearsal.elsewhere()).await;
        let report = engine.cancel(&roll).await.unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert_taken_back(&rehearsal);
    });
}

#[test]
fn a_roll_that_is_resumed_behind_its_first_batch_is_not_at_its_canary_again() {
    in_virtual_time(async {
        let mut rehearsal = Rehearsal::new(&scenario("success"));
        let roll = rehearsal.leave_at(GateStage::Batch).await;
        let keeper = Keeper::of(&rehearsal);
        let report = rehearsal
            .resume_carefully(&roll, rehearsal.journals(), &keeper)
            .await;
        assert_eq!(report.unwrap().outcome, Outcome::Done);
        let stages: Vec<_> = keeper.asked().iter().map(|it| it.stage).collect();
        assert_eq!(stages, [GateStage::Batch, GateStage::Last]);
    });
}

#[test]
fn the_plan_says_that_cloudformation_does_not_wait_at_a_gate() {
    in_virtual_time(async {
        let (rehearsal, _, _) = roll(&scenario("success"), &gated(), 1).await;
        let events = rehearsal.tape.events();
        let plans = events.iter().filter_map(|event| match &event.kind {
            EventKind::Planned(plan) => Some(plan),
            _ => None,
        });
        let warned = plans
            .flat_map(|plan| &plan.warnings)
            .any(|warning| warning.code == "gate-does-not-hold");
        assert!(warned);
    });
}
