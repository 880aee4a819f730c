//! `--strategy refresh`: instance refreshes that the roll leads itself, step by step, and those that
//! the stack's own policy leads.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use convox::clock::Clock;
use convox::rack::{InstanceRefresh, PortError, RefreshWish, Refreshes};
use convox::roll::{
    Care, EventKind, GateStage, Gates, Outcome, RefreshSettings, RollOptions, Strategy,
};
use convox::sandbox::Scenario;
use convox::sandbox::world::World;

use crate::gate_keeper::{Keeper, alarmed, gated, rack_with_policy};
use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time};

const GROUP: &str = "prod-instances";
const OLD: &str = "prod-keypair-4711";

/// A roll of a rack without an update policy, as it ended.
struct Rolled {
    rehearsal: Rehearsal,
    keeper: Keeper,
    before: Vec<String>,
    result: Result<convox::roll::Report, convox::roll::Refusal>,
}

async fn roll(
    faults: &str,
    policy: &str,
    care: &Care,
    keep: impl FnOnce(Keeper, &Rehearsal) -> Keeper,
) -> Rolled {
    let dir = tempfile::tempdir().unwrap();
    let scenario = rack_with_policy(dir.path(), policy, faults);
    roll_of(&scenario, care, keep).await
}

async fn roll_of(
    scenario: &Scenario,
    care: &Care,
    keep: impl FnOnce(Keeper, &Rehearsal) -> Keeper,
) -> Rolled {
    let rehearsal = Rehearsal::new(scenario);
    let keeper = keep(Keeper::of(&rehearsal), &rehearsal);
    let before = rehearsal.sandbox.peek(ids);
    let journals = rehearsal.journals();
    let result = rehearsal
        .roll_carefully(journals, Strategy::Refresh, care, &keeper)
        .await;
    assert_settled(&rehearsal, &result, "refresh");
    assert_no_secret(&rehearsal, "refresh");
    rehearsal.watcher.assert_whole("refresh");
    Rolled {
        rehearsal,
        keeper,
        before,
        result,
    }
}

fn same(keeper: Keeper, _: &Rehearsal) -> Keeper {
    keeper
}

fn ids(world: &World) -> Vec<String> {
    world.live_instances().map(|it| it.id.clone()).collect()
}

fn keys(world: &World) -> Vec<String> {
    let live = world.live_instances();
    let live = live.filter(|it| it.state.as_str() == "running");
    live.filter_map(|it| it.key_name.clone()).collect()
}

fn statuses(world: &World) -> Vec<String> {
    let all = world.autoscaling.refreshes_of(GROUP);
    let mut all: Vec<_> = all.map(|it| (it.started, it.status.clone())).collect();
    all.sort();
    all.into_iter().map(|(_, status)| status).collect()
}

/// The stack, the group and every instance are as before.
fn assert_taken_back(rolled: &Rolled) {
    rolled.rehearsal.sandbox.peek(|world| {
        assert_eq!(keys(world), vec![OLD; 4]);
        let stack = world.cloudformation.stack("prod").unwrap();
        assert_eq!(stack.parameter("Key"), Some(OLD));
        assert_eq!(stack.status, "UPDATE_COMPLETE");
        let group = world.group(GROUP).unwrap();
        let template = group.launch_template.unwrap();
        let versions = &world.launch_template(&template.id).unwrap().versions;
        let data = &versions.get(&template.version).unwrap().data;
        assert_eq!(data.key_name.as_deref(), Some(OLD));
        assert_eq!((group.min, group.max, group.desired), (4, 10, 4));
        let active = world.autoscaling.group(GROUP).unwrap();
        assert_eq!(active.refresh, None);
    });
}

#[test]
fn a_group_without_a_policy_is_refreshed_and_proven() {
    in_virtual_time(async {
        let rolled = roll("[]", "", &Care::default(), same).await;
        assert_eq!(rolled.result.as_ref().unwrap().outcome, Outcome::Done);
        rolled.rehearsal.sandbox.peek(|world| {
            assert_eq!(statuses(world), ["Successful"]);
            assert!(ids(world).iter().all(|id| !rolled.before.contains(id)));
            let group = world.group(GROUP).unwrap();
            assert_eq!((group.desired, group.members.len()), (4, 4));
        });
        assert!(rolled.keeper.asked().is_empty());
    });
}

#[test]
fn a_canary_is_held_for_as_long_as_its_gate_takes() {
    in_virtual_time(async {
        let mut care = gated();
        care.gates.canary = Some(1);
        care.gates.timeout_secs = 20 * 3600;
        let hours = Duration::from_secs(12 * 3600);
        let rolled = roll("[]", "", &care, |keeper, _| keeper.taking(hours)).await;
        assert_eq!(rolled.result.unwrap().outcome, Outcome::Done);
        let asked = rolled.keeper.asked();
        let told: Vec<_> = asked
            .iter()
            .map(|it| (it.stage, it.replaced, it.instances, it.new))
            .collect();
        assert_eq!(
            told,
            [
                (GateStage::Canary, 1, 1, (1, 1)),
                (GateStage::Last, 4, 4, (4, 4)),
            ]
        );
        let statuses = rolled.rehearsal.sandbox.peek(statuses);
        assert_eq!(statuses, ["Successful", "Successful"]);
    });
}

#[test]
fn steps_are_those_that_are_asked_for() {
    in_virtual_time(async {
        let mut care = gated();
        care.refresh = RefreshSettings {
            checkpoints: vec![50, 100],
            warmup_secs: Some(30),
            bake_secs: 120,
            ..RefreshSettings::default()
        };
        let rolled = roll("[]", "", &care, same).await;
        assert_eq!(rolled.result.unwrap().outcome, Outcome::Done);
        let asked = rolled.keeper.asked();
        assert_eq!(
            asked.iter().map(|it| it.replaced).collect::<Vec<_>>(),
            [2, 4]
        );
        let baking = |kind: &EventKind| matches!(kind, EventKind::Refresh(report) if report.status == "Baking");
        let events = rolled.rehearsal.tape.events();
        assert!(events.iter().any(|event| baking(&event.kind)));
    });
}

/// A rack whose instances join a cluster only with the key that it has in the beginning.
fn rack_whose_new_instances_stay_apart(dir: &std::path::Path) -> Scenario {
    let scenario = rack_with_policy(dir, "", "[]");
    let path = scenario.template.as_ref().unwrap();
    let mut text = std::fs::read_to_string(path).unwrap();
    for (from, to) in [
        (
            r#""Fn::Base64": "cfn-signal""#,
            r#""Fn::Base64": { "Fn::If": [First, "cfn-signal; ECS_CLUSTER=apps", "cfn-signal; ECS_CLUSTER=other"] }"#,
        ),
        (
            "\nResources:\n",
            "\nConditions:\n  First: { \"Fn::Equals\": [!Ref Key, prod-keypair-4711] }\nResources:\n  \
             Apps: { Type: AWS::ECS::Cluster, Properties: { ClusterName: apps } }\n",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(path, text).unwrap();
    scenario
}

#[test]
fn a_pause_without_a_gate_waits_until_new_instances_have_proven_themselves() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let scenario = rack_whose_new_instances_stay_apart(dir.path());
        let mut care = Care::default();
        care.refresh.checkpoints = vec![25];
        let rolled = roll_of(&scenario, &care, same).await;
        let report = rolled.result.as_ref().unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert!(
            report.message.contains("has not joined cluster apps"),
            "{}",
            report.message
        );
        assert!(rolled.keeper.asked().is_empty());
        assert_taken_back(&rolled);
    });
}

#[test]
fn a_gate_that_is_shut_after_the_second_step_takes_everything_back() {
    in_virtual_time(async {
        let rolled = roll("[]", "", &gated(), |keeper, _| keeper.shut_from(2)).await;
        let report = rolled.result.as_ref().unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::RolledBack, 3));
        assert!(
            report.message.starts_with("the gate exited with 1"),
            "{}",
            report.message
        );
        assert_taken_back(&rolled);
        // What was not touched on the way forward was not on the way back either.
        let after = rolled.rehearsal.sandbox.peek(ids);
        let stayed = rolled.before.iter().filter(|id| after.contains(id));
        assert_eq!(stayed.count(), 2);
        assert_eq!(rolled.rehearsal.key_pairs(), [OLD]);
    });
}

#[test]
fn a_last_gate_that_is_shut_takes_everything_back_before_the_old_key_goes() {
    in_virtual_time(async {
        let mut care = gated();
        care.refresh.checkpoints = vec![100];
        let rolled = roll("[]", "", &care, |keeper, _| keeper.shut_from(1)).await;
        assert_eq!(rolled.keeper.asked()[0].stage, GateStage::Last);
        let report = rolled.result.as_ref().unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert_taken_back(&rolled);
    });
}

/// Makes an alarm, and sets it off after a call.
fn alarm(after: &str, delay: &str) -> String {
    format!(
        "[{{ call: {{ api: monitoring:PutMetricAlarm, at: 0s, input: {{ AlarmName: errors }} }} }},
          {{ call: {{ api: monitoring:SetAlarmState, after: \"{after}\", delay: {delay},
             input: {{ AlarmName: errors, StateValue: ALARM, StateReason: 9 of 9 }} }} }}]"
    )
}

#[test]
fn an_alarm_that_goes_off_in_a_step_takes_everything_back() {
    in_virtual_time(async {
        let faults = alarm("autoscaling:StartInstanceRefresh", "20s");
        let mut care = alarmed("errors");
        care.refresh.checkpoints = vec![100];
        let rolled = roll(&faults, "", &care, same).await;
        let report = rolled.result.as_ref().unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        assert!(
            report.message.contains("alarm errors is in ALARM"),
            "{}",
            report.message
        );
        assert_taken_back(&rolled);
        assert_eq!(rolled.rehearsal.sandbox.peek(statuses)[0], "Failed");
    });
}

#[test]
fn an_alarm_that_is_missing_or_on_is_refused_before_anything_is_done() {
    in_virtual_time(async {
        let rolled = roll("[]", "", &alarmed("errors"), same).await;
        let refusal = rolled.result.unwrap_err();
        assert_eq!(refusal.to_string(), "there is no alarm errors");
        let faults = alarm("cloudformation:CreateChangeSet", "0s");
        let rolled = roll(&faults, "", &alarmed("errors"), same).await;
        let refusal = rolled.result.unwrap_err();
        assert_eq!(refusal.to_string(), "alarm errors is on: 9 of 9");
        assert_eq!(refusal.outcome, Outcome::NothingChanged);
    });
}

#[test]
fn a_refresh_that_fails_or_is_cancelled_by_somebody_is_taken_back() {
    let cancelled = "[{ call: { api: autoscaling:CancelInstanceRefresh, \
                     after: autoscaling:StartInstanceRefresh, delay: 90s, \
                     input: { AutoScalingGroupName: prod-instances } } }]";
    let full = "[{ capacity: { limit: 4 } }]";
    for (faults, status) in [(cancelled, "Cancelled"), (full, "Failed")] {
        in_virtual_time(async {
            let rolled = roll(faults, "", &Care::default(), same).await;
            let report = rolled.result.as_ref().unwrap();
            assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
            assert!(report.message.contains(status), "{}", report.message);
            assert_taken_back(&rolled);
        });
    }
}

#[test]
fn a_refresh_whose_answer_is_lost_is_adopted_and_one_that_was_never_sent_is_begun() {
    for fault in ["lose", "unsent"] {
        in_virtual_time(async {
            let faults =
                format!("[{{ {fault}: {{ api: \"autoscaling:StartInstanceRefresh\", nth: 1 }} }}]");
            let rolled = roll(&faults, "", &Care::default(), same).await;
            assert_eq!(rolled.result.unwrap().outcome, Outcome::Done, "{fault}");
            let statuses = rolled.rehearsal.sandbox.peek(statuses);
            assert_eq!(statuses, ["Successful"], "{fault}");
        });
    }
}

#[test]
fn a_refresh_that_there_are_too_many_calls_for_is_begun_later_forward_and_back() {
    // Each try of ours is several of the SDK's.
    for (throttle, shut_from, ended) in [
        ("nth: 1, times: 6", 0, Outcome::Done),
        ("nth: 3, times: 20", 2, Outcome::RolledBack),
    ] {
        in_virtual_time(async {
            let faults = format!(
                "[{{ throttle: {{ api: \"autoscaling:StartInstanceRefresh\", {throttle} }} }}]"
            );
            let keep = |keeper: Keeper, _: &Rehearsal| keeper.shut_from(shut_from);
            let rolled = roll(&faults, "", &gated(), keep).await;
            let report = rolled.result.as_ref().unwrap();
            assert_eq!(report.outcome, ended, "{throttle}: {report:?}");
            // A gate that was passed is not asked again for that.
            let mut asked: Vec<_> = rolled.keeper.asked().iter().map(|it| it.replaced).collect();
            let all = asked.len();
            asked.dedup();
            assert_eq!(asked.len(), all, "{throttle}: {asked:?}");
            if ended == Outcome::RolledBack {
                assert_taken_back(&rolled);
            }
        });
    }
}

/// A list of refreshes that is behind by a while.
struct Behind {
    all: Arc<dyn Refreshes>,
    clock: Clock,
    lag: Duration,
}

#[async_trait]
impl Refreshes for Behind {
    async fn list(&self, group: &str) -> Result<Vec<InstanceRefresh>, PortError> {
        let seen = self.clock.now() - jiff::SignedDuration::try_from(self.lag).unwrap();
        let mut all = self.all.list(group).await?;
        all.retain(|refresh| refresh.started_at.is_none_or(|at| at <= seen));
        Ok(all)
    }

    async fn start(&self, group: &str, wish: &RefreshWish) -> Result<String, PortError> {
        self.all.start(group, wish).await
    }

    async fn cancel(&self, group: &str) -> Result<(), PortError> {
        self.all.cancel(group).await
    }
}

#[test]
fn a_list_that_is_behind_is_no_sign_that_a_refresh_replaced_nothing() {
    // With a lost answer nobody knows its id either, and to ask again is refused.
    for faults in [
        "[]",
        "[{ lose: { api: \"autoscaling:StartInstanceRefresh\", nth: 1, times: 2 } }]",
    ] {
        in_virtual_time(async {
            let dir = tempfile::tempdir().unwrap();
            let rehearsal = Rehearsal::new(&rack_with_policy(dir.path(), "", faults));
            let mut rack = rehearsal.rack().await;
            rack.refreshes = Arc::new(Behind {
                all: rack.refreshes,
                clock: rehearsal.clock.clone(),
                lag: Duration::from_secs(45),
            });
            let mut engine = rehearsal.engine_of(rack, rehearsal.journals());
            let options = RollOptions {
                strategy: Strategy::Refresh,
                ..OPTIONS
            };
            let plan = engine.plan(options, WAIT_BUSY).await.unwrap();
            let report = engine.run(plan, false).await;
            assert_eq!(report.outcome, Outcome::Done, "{faults}: {report:?}");
            assert_eq!(rehearsal.sandbox.peek(statuses), ["Successful"], "{faults}");
        });
    }
}

#[test]
fn a_roll_that_is_stopped_at_a_gate_goes_on_when_it_is_resumed() {
    in_virtual_time(async {
        let mut rolled = roll("[]", "", &gated(), |keeper, rehearsal| {
            keeper.stopping(&rehearsal.stop)
        })
        .await;
        let report = rolled.result.unwrap();
        assert_eq!((report.outcome, report.exit_code), (Outcome::Detached, 6));
        rolled.rehearsal.stop = convox::roll::Stop::new();
        let rehearsal = rolled.rehearsal;
        let (roll, keeper) = (rehearsal.only_roll(), Keeper::of(&rehearsal));
        let elsewhere = rehearsal
            .resume_carefully(&roll, rehearsal.elsewhere(), &keeper)
            .await;
        assert_eq!(elsewhere.unwrap_err().reasons[0].code, "unknown-gates");
        let report = rehearsal
            .resume_carefully(&roll, rehearsal.journals(), &keeper)
            .await;
        assert_eq!(report.unwrap().outcome, Outcome::Done);
    });
}

#[test]
fn a_roll_that_is_resumed_behind_its_canary_is_not_at_its_canary_again() {
    in_virtual_time(async {
        let mut rolled = roll("[]", "", &gated(), |keeper, rehearsal| {
            keeper.stopping_at(GateStage::Batch, &rehearsal.stop)
        })
        .await;
        assert_eq!(rolled.result.unwrap().outcome, Outcome::Detached);
        assert_eq!(rolled.keeper.asked().len(), 1);
        rolled.rehearsal.stop = convox::roll::Stop::new();
        let rehearsal = rolled.rehearsal;
        let (roll, keeper) = (rehearsal.only_roll(), Keeper::of(&rehearsal));
        let report = rehearsal
            .resume_carefully(&roll, rehearsal.journals(), &keeper)
            .await;
        assert_eq!(report.unwrap().outcome, Outcome::Done);
        let asked = keeper.asked();
        let stages: Vec<_> = asked.iter().map(|it| (it.stage, it.replaced)).collect();
        assert_eq!(
            stages,
            [
                (GateStage::Batch, 2),
                (GateStage::Batch, 3),
                (GateStage::Last, 4)
            ]
        );
    });
}

#[test]
fn a_roll_that_is_stopped_can_be_cancelled_with_and_without_its_journal() {
    for has_journal in [true, false] {
        in_virtual_time(async {
            let mut rolled = roll("[]", "", &gated(), |keeper, rehearsal| {
                keeper.stopping(&rehearsal.stop)
            })
            .await;
            rolled.rehearsal.stop = convox::roll::Stop::new();
            let rehearsal = &rolled.rehearsal;
            let journals = match has_journal {
                true => rehearsal.journals(),
                false => rehearsal.elsewhere(),
            };
            let roll = rehearsal.only_roll();
            let report = rehearsal
                .engine(journals)
                .await
                .cancel(&roll)
                .await
                .unwrap();
            assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
            assert_eq!(report.exit_code, 0);
            assert_taken_back(&rolled);
        });
    }
}

#[test]
fn what_cannot_be_refreshed_or_held_is_refused() {
    in_virtual_time(async {
        let codes = async |policy: &str, strategy, care: &Care| {
            let dir = tempfile::tempdir().unwrap();
            let rehearsal = Rehearsal::new(&rack_with_policy(dir.path(), policy, "[]"));
            let keeper = Keeper::of(&rehearsal);
            let journals = rehearsal.journals();
            let rolled = rehearsal
                .roll_carefully(journals, strategy, care, &keeper)
                .await;
            let reasons = rolled.unwrap_err().reasons.into_iter();
            reasons.map(|reason| reason.code).collect::<Vec<_>>()
        };
        let rolling = "{ AutoScalingRollingUpdate: { MaxBatchSize: 1 } }";
        let volumes = "{ AutoScalingInstanceRefresh: { Strategy: ReplaceRootVolume } }";
        let none = Care::default();
        let canary = |canary| Care {
            gates: Gates {
                canary: Some(canary),
                ..Gates::default()
            },
            ..Care::default()
        };
        assert_eq!(
            codes(rolling, Strategy::Refresh, &none).await,
            ["not-refreshed"]
        );
        assert_eq!(
            codes(volumes, Strategy::Refresh, &none).await,
            ["replace-root-volume"]
        );
        assert_eq!(
            codes("", Strategy::CloudFormation, &none).await,
            ["no-update-policy"]
        );
        let held = codes(rolling, Strategy::CloudFormation, &canary(1)).await;
        assert_eq!(held, ["canary-not-held"]);
        assert_eq!(
            codes("", Strategy::Refresh, &canary(4)).await,
            ["canary-is-all"]
        );
    });
}

const POLICY: &str = "{ AutoScalingInstanceRefresh: { Strategy: Rolling, Preferences: { \
    MinHealthyPercentage: 75, SkipMatching: true, CheckpointPercentages: [25, 100], \
    CheckpointDelay: 1800, InstanceWarmup: 20, BakeTime: 60 } } }";

#[test]
fn a_refresh_that_the_stack_leads_is_followed_and_gated_at_its_checkpoints() {
    in_virtual_time(async {
        let rolled = roll("[]", POLICY, &gated(), same).await;
        let report = rolled.result.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let asked = rolled.keeper.asked();
        let told: Vec<_> = asked.iter().map(|it| (it.replaced, it.new)).collect();
        assert_eq!(told, [(1, (1, 1)), (4, (4, 4))]);
        let events = rolled.rehearsal.tape.events();
        let reports = events
            .iter()
            .filter(|it| matches!(it.kind, EventKind::Refresh(_)));
        assert!(reports.count() > 2, "its progress is told");
    });
}

#[test]
fn a_gate_at_a_checkpoint_of_the_stack_takes_the_update_back() {
    in_virtual_time(async {
        let rolled = roll("[]", POLICY, &gated(), |keeper, _| keeper.shut_from(1)).await;
        let report = rolled.result.as_ref().unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        rolled.rehearsal.sandbox.peek(|world| {
            assert_eq!(keys(world), vec![OLD; 4]);
            let stack = world.cloudformation.stack("prod").unwrap();
            assert_eq!(stack.status, "UPDATE_ROLLBACK_COMPLETE");
        });
        assert_eq!(rolled.rehearsal.key_pairs(), [OLD]);
    });
}

#[test]
fn a_refresh_of_the_stack_that_its_alarm_fails_is_rolled_back_with_its_reason() {
    in_virtual_time(async {
        let policy = "{ AutoScalingInstanceRefresh: { Strategy: Rolling, Preferences: { \
            SkipMatching: true, AlarmSpecification: { Alarms: [errors] } } } }";
        let faults = alarm("cloudformation:UpdateStack", "45s");
        let rolled = roll(&faults, policy, &Care::default(), same).await;
        let report = rolled.result.as_ref().unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        let failure = report.first_failure.as_ref().unwrap();
        assert!(
            failure.reason.contains("alarm errors"),
            "{}",
            failure.reason
        );
    });
}
