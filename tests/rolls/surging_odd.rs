//! Rolls by `surge`, and guard rails, when something else happens meanwhile: other updates, refused
//! calls, instances that leave already. No task of a service is ever cut off.

use std::time::Duration;

use convox::roll::{Outcome, Report, RollOptions, Stop};
use convox::sandbox::Scenario;
use convox::sandbox::autoscaling::{GroupChange, HookSpec};
use convox::sandbox::ecs::{Habit, TaskState};
use convox::sandbox::scenario::{Calls, Fault, OtherCall, Span};
use convox::sandbox::world::World;
use serde_json::json;

use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time, outcome, scenario};
use crate::surging::{SURGE, come_to_rest, kept, roll, roll_of, settled, with_surplus};

/// How long a task of the apps takes to stop here: all the time that its definition gives it.
const STOPS_IN: Duration = Duration::from_secs(30);

/// Gives every app's tasks a pace that the rack's own function can just keep up with.
fn pace_apps(world: &mut World) {
    let families: Vec<String> = world
        .ecs
        .clusters()
        .flat_map(|cluster| cluster.tasks.values())
        .filter(|task| is_of_app(&task.group))
        .filter_map(|task| {
            let (_, family) = task.definition.rsplit_once('/')?;
            Some(family.split(':').next()?.to_owned())
        })
        .collect();
    assert!(!families.is_empty());
    for family in families {
        let habit = Habit {
            start_ms: Some((90_000, 120_000)),
            stop_ms: Some((60_000, 60_000)),
        };
        world.set_habit(&family, habit);
    }
}

/// The update deploys the rack's own API anew, which stops its tasks in its own way.
fn is_of_app(group: &str) -> bool {
    group.starts_with("service:") && !group.contains("Api")
}

/// The tasks of the apps that went down with their instance: not asked to stop, or not given the
/// time that they take.
pub(crate) fn cut_off(world: &World) -> Vec<String> {
    let clusters = world.ecs.clusters();
    let tasks = clusters.flat_map(|cluster| cluster.tasks.values());
    let stopped = tasks.filter(|task| task.state == TaskState::Stopped && is_of_app(&task.group));
    let cut = stopped.filter(|task| {
        let took = task.stopped.zip(task.stopping_at);
        let took = took.and_then(|(end, asked)| Duration::try_from(end.duration_since(asked)).ok());
        task.started.is_some() && took.is_none_or(|took| took < STOPS_IN)
    });
    cut.map(|task| format!("{} {:?}", task.group, task.reason))
        .collect()
}

/// How many members wait on their way out.
pub(crate) fn waiting(world: &World) -> usize {
    let members = world.autoscaling.groups().flat_map(|group| group.members());
    let waiting = members.filter(|member| member.lifecycle.as_str() == "Terminating:Wait");
    waiting.count()
}

fn has_our_hooks(world: &World) -> bool {
    let mut hooks = world.autoscaling.groups().flat_map(|it| it.hooks.keys());
    hooks.any(|name| name.starts_with("convox-roll-"))
}

/// A rack where a fault is in the way of a roll.
fn with_fault(fault: Fault) -> Scenario {
    let mut scenario = scenario("success");
    scenario.faults = vec![fault];
    scenario
}

/// Somebody else replaces all instances as soon as the rack's own hook is off.
fn slipping_in() -> Scenario {
    with_fault(Fault::Call(OtherCall {
        api: "cloudformation:UpdateStack".to_owned(),
        input: json!({
            "StackName": "$rack",
            "UsePreviousTemplate": true,
            "Capabilities": ["CAPABILITY_IAM"],
            "Parameters": [
                { "ParameterKey": "InstanceType", "ParameterValue": "m5.large" },
                "$keep",
            ],
        }),
        at: None,
        after: Some("autoscaling:DeleteLifecycleHook".to_owned()),
        delay: Span(Duration::ZERO),
        every: None,
        times: None,
    }))
}

pub(crate) async fn paced(scenario: &Scenario) -> Rehearsal {
    let rehearsal = settled(scenario).await;
    rehearsal.sandbox.with(pace_apps);
    rehearsal
}

/// Denies a call for some time after the update has begun.
fn denied_for(api: &str, minutes: u64) -> Scenario {
    with_fault(Fault::Deny(Calls {
        api: api.to_owned(),
        after: Some("cloudformation:UpdateStack".to_owned()),
        lasting: Some(Span(Duration::from_secs(minutes * 60))),
        ..Calls::default()
    }))
}

fn denied(api: &str) -> Fault {
    Fault::Deny(Calls {
        api: api.to_owned(),
        ..Calls::default()
    })
}

async fn roll_patiently(rehearsal: &Rehearsal, patience: Duration) -> Report {
    let mut engine = rehearsal.engine(rehearsal.journals()).await;
    let plan = engine.plan(SURGE, patience).await.unwrap();
    engine.run(plan, false).await
}

#[test]
fn a_roll_that_makes_way_for_another_update_lets_nobody_go_with_their_tasks() {
    in_virtual_time(async {
        let rehearsal = paced(&slipping_in()).await;
        let before = rehearsal.sandbox.peek(kept);
        let rolled = roll_patiently(&rehearsal, Duration::from_secs(150));
        tokio::pin!(rolled);
        let mut most = 0;
        let report = loop {
            tokio::select! {
                report = &mut rolled => break report,
                () = rehearsal.clock.sleep(Duration::from_secs(1)) => {}
            }
            most = most.max(rehearsal.sandbox.peek(waiting));
        };
        assert!(most > 0, "nobody was held");
        assert_eq!(report.outcome, Outcome::Busy, "{report:?}");
        assert_eq!(report.new_key, None, "{report:?}");
        rehearsal.clock.sleep(Duration::from_secs(1800)).await;
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
        assert_eq!(rehearsal.sandbox.peek(kept), before);
        assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"]);
    });
}

#[test]
fn whoever_stops_a_roll_that_waits_leaves_held_instances_held() {
    in_virtual_time(async {
        let mut rehearsal = paced(&slipping_in()).await;
        let before = rehearsal.sandbox.peek(kept);
        let report = {
            let rolled = roll_patiently(&rehearsal, Duration::from_secs(3600));
            tokio::pin!(rolled);
            loop {
                tokio::select! {
                    report = &mut rolled => break report,
                    () = rehearsal.clock.sleep(Duration::from_secs(1)) => {}
                }
                if rehearsal.sandbox.peek(waiting) > 0 {
                    rehearsal.stop.request();
                }
            }
        };
        assert_eq!(report.outcome, Outcome::Detached, "{report:?}");
        let hints = report.hints.join("\n");
        assert!(hints.contains("convox rolls resume"), "{hints}");
        assert!(rehearsal.sandbox.peek(has_our_hooks), "the hooks are gone");
        assert!(rehearsal.sandbox.peek(waiting) > 0, "somebody was let go");
        rehearsal.stop = Stop::new();
        let id = roll_of(&rehearsal).unwrap();
        let report = rehearsal.resume(&id, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::NothingChanged, "{report:?}");
        rehearsal.clock.sleep(Duration::from_secs(1800)).await;
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn an_instance_that_is_being_emptied_already_is_waited_for() {
    in_virtual_time(async {
        let rehearsal = paced(&scenario("success")).await;
        let before = rehearsal.sandbox.peek(kept);
        rehearsal.sandbox.with(|world| {
            let group = world.autoscaling.groups().next().unwrap();
            let leaving = group.members().next().unwrap().instance.clone();
            world.terminate_member(&leaving, false).unwrap();
        });
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn a_cluster_whose_instances_cannot_be_read_is_not_taken_for_empty() {
    in_virtual_time(async {
        let blind = with_fault(denied("ecs:DescribeContainerInstances"));
        let rehearsal = paced(&blind).await;
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        let mut reasons = refusal.reasons.iter();
        assert!(reasons.any(|it| it.code == "surge-unread"), "{refusal:?}");

        let rehearsal = paced(&denied_for("ecs:DescribeContainerInstances", 10)).await;
        let before = rehearsal.sandbox.peek(kept);
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn a_task_that_stops_is_given_the_time_that_it_takes() {
    in_virtual_time(async {
        let rehearsal = paced(&scenario("success")).await;
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
    });
}

#[test]
fn what_a_surge_may_not_do_is_known_before_anything_is_changed() {
    for api in [
        "ecs:UpdateContainerInstancesState",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:PutLifecycleHook",
    ] {
        in_virtual_time(async {
            let rehearsal = paced(&with_fault(denied(api))).await;
            let before = rehearsal.sandbox.peek(kept);
            let result = roll(&rehearsal, SURGE, rehearsal.journals()).await;
            assert_eq!(
                outcome(&result),
                Outcome::NothingChanged,
                "{api} {result:?}"
            );
            assert_eq!(rehearsal.sandbox.peek(kept), before, "{api}");
            assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"], "{api}");
        });
    }
}

#[test]
fn what_is_denied_for_a_while_holds_instances_for_longer() {
    in_virtual_time(async {
        for api in [
            "ecs:UpdateContainerInstancesState",
            "autoscaling:CompleteLifecycleAction",
        ] {
            let rehearsal = paced(&denied_for(api, 10)).await;
            let before = rehearsal.sandbox.peek(kept);
            let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{api}: {report:?}");
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0], "{api}");
            assert_eq!(rehearsal.sandbox.peek(kept), before, "{api}");
        }
    });
}

/// Puts a terminating hook on every group.
pub(crate) fn put_hook(
    world: &mut World,
    name: &str,
    default_result: &str,
    metadata: Option<String>,
) {
    let groups: Vec<String> = world
        .autoscaling
        .groups()
        .map(|it| it.name.clone())
        .collect();
    for group in groups {
        let hook = HookSpec {
            name: name.to_owned(),
            terminating: true,
            heartbeat_secs: 300,
            default_result: default_result.to_owned(),
            has_handler: metadata.is_some(),
            metadata: metadata.clone(),
        };
        world.put_lifecycle_hook(&group, hook);
    }
}

#[test]
fn a_hook_that_would_end_ours_is_refused() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        rehearsal
            .sandbox
            .with(|world| put_hook(world, "mine", "ABANDON", None));
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        assert_eq!(refusal.reasons[0].code, "surge-hook", "{refusal:?}");
    });
}

#[test]
fn a_hook_that_no_other_can_keep_is_left_alone() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        let long = Some("x".repeat(1000));
        rehearsal
            .sandbox
            .with(|world| put_hook(world, "talks", "CONTINUE", long));
        let before = rehearsal.sandbox.peek(kept);
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::NothingChanged, "{report:?}");
        assert!(report.message.contains("letters"), "{report:?}");
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn a_rack_that_another_roll_holds_is_not_rolled() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        let before = rehearsal.sandbox.peek(kept);
        {
            let rolled = roll(&rehearsal, SURGE, rehearsal.journals());
            tokio::pin!(rolled);
            while !rehearsal.sandbox.peek(has_our_hooks) {
                tokio::select! {
                    report = &mut rolled => panic!("{report:?}"),
                    () = rehearsal.clock.sleep(Duration::from_millis(50)) => {}
                }
            }
        }
        let id = roll_of(&rehearsal).unwrap();
        let refusal = roll(&rehearsal, OPTIONS, rehearsal.elsewhere())
            .await
            .unwrap_err();
        let reason = &refusal.reasons[0];
        assert_eq!(reason.code, "left-over-hook", "{refusal:?}");
        assert!(reason.hint.contains(&format!("resume {id}")), "{reason:?}");
        let report = rehearsal.resume(&id, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn guard_rails_that_may_not_be_put_up_are_done_without() {
    for api in [
        "autoscaling:SetInstanceProtection",
        "autoscaling:UpdateAutoScalingGroup",
        "ecs:UpdateContainerInstancesState",
    ] {
        in_virtual_time(async {
            let mut scenario = with_surplus(1, 5);
            scenario.faults = vec![denied(api)];
            let rehearsal = settled(&scenario).await;
            let before = rehearsal.sandbox.peek(kept);
            let report = roll(&rehearsal, OPTIONS, rehearsal.journals())
                .await
                .unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{api} {report:?}");
            assert!(rehearsal.tape.json().contains("cannot be held"), "{api}");
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before, "{api}");
        });
    }
}

/// Takes guard rails as far as an instance that is being emptied to be taken away, and raises what
/// the groups want so that nobody need go.
async fn wanted_after_all(rehearsal: &Rehearsal, options: RollOptions) -> Report {
    let mut engine = rehearsal.engine(rehearsal.journals()).await;
    let plan = engine.plan(options, WAIT_BUSY).await.unwrap();
    let rolled = engine.run(plan, false);
    tokio::pin!(rolled);
    let mut raised = false;
    loop {
        tokio::select! {
            report = &mut rolled => {
                assert!(raised, "nobody was ever emptied: {report:?}");
                return report;
            }
            () = rehearsal.clock.sleep(Duration::from_secs(1)) => {}
        }
        rehearsal.sandbox.with(|world| {
            if raised {
                return;
            }
            let is_draining = |id: &str| world.ecs.host(id).is_some_and(|(_, host)| host.draining);
            let groups: Vec<(String, u32)> = world
                .autoscaling
                .groups()
                .filter(|group| {
                    let mut members = group.members();
                    members.any(|it| !it.lifecycle.is_leaving() && is_draining(&it.instance))
                })
                .map(|group| {
                    let staying = group.members().filter(|it| !it.lifecycle.is_leaving());
                    (group.name.clone(), u32::try_from(staying.count()).unwrap())
                })
                .collect();
            for (name, desired) in groups {
                raised = true;
                let change = GroupChange {
                    desired: Some(desired),
                    ..GroupChange::default()
                };
                world.update_group(&name, change).unwrap();
            }
        });
    }
}

#[test]
fn an_instance_that_is_wanted_after_all_takes_tasks_again() {
    in_virtual_time(async {
        let rehearsal = paced(&with_surplus(1, 5)).await;
        let report = wanted_after_all(&rehearsal, OPTIONS).await;
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        rehearsal.sandbox.peek(|world| {
            let hosts = world.ecs.clusters().flat_map(|it| it.instances.values());
            let draining: Vec<_> = hosts.filter(|host| host.draining).collect();
            assert!(draining.is_empty(), "{draining:?}");
            for group in world.autoscaling.groups() {
                assert!(!group.protects_new);
                assert!(group.members().all(|member| !member.protected));
            }
        });
    });
}
