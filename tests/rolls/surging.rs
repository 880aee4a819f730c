//! Rolls by `surge`: no service is ever without a task, and everything else is put back.

use std::collections::BTreeMap;
use std::time::Duration;

use convox::ids::RollId;
use convox::roll::{Journals, Outcome, Refusal, Report, RollOptions, Strategy, SurgeSize};
use convox::sandbox::autoscaling::HookSpec;
use convox::sandbox::ledger::Counted;
use convox::sandbox::world::World;
use convox::sandbox::{Sandbox, Scenario};
use serde_json::json;

use crate::outcomes::assert_settled;
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time, scenario};

pub(crate) const SURGE: RollOptions = RollOptions {
    strategy: Strategy::Surge,
    ..OPTIONS
};

/// What a roll may change of a group besides its instances, and must put back.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    sizes: (u32, u32, u32),
    protects_new: bool,
    protected: usize,
    hooks: BTreeMap<String, HookSpec>,
    suspended: Vec<String>,
}

/// Everything that must be as it was: groups, parameters, container instances that take tasks.
pub(crate) fn kept(world: &World) -> (BTreeMap<String, Kept>, Vec<(String, String)>, usize) {
    let groups = world.autoscaling.groups().map(|group| {
        let protected = group.members().filter(|member| member.protected);
        let kept = Kept {
            sizes: (group.min, group.max, group.desired),
            protects_new: group.protects_new,
            protected: protected.count(),
            hooks: group.hooks.clone(),
            suspended: group.suspended.iter().cloned().collect(),
        };
        (group.name.clone(), kept)
    });
    let stack = world.cloudformation.stack("prod").unwrap();
    let names = [
        "InstanceCount",
        "InstanceUpdateBatchSize",
        "MinInstancesInService",
    ];
    let parameters = names.map(|name| {
        let value = stack.parameter(name).unwrap_or_default();
        (name.to_owned(), value.to_owned())
    });
    let hosts = world.ecs.clusters().flat_map(|it| it.instances.values());
    let taking = hosts.filter(|host| !host.draining).count();
    (groups.collect(), parameters.to_vec(), taking)
}

/// The fewest tasks that each service had since counts were kept.
pub(crate) fn fewest(sandbox: &Sandbox) -> BTreeMap<String, u64> {
    sandbox.peek(|world| {
        let all = world.ledger().unwrap().all();
        all.filter_map(|(counted, points)| match counted {
            Counted::Service(name) => {
                let least = points.iter().map(|(_, count)| *count).min()?;
                Some((name.clone(), least))
            }
            _ => None,
        })
        .collect()
    })
}

/// A service of one process, which takes its time to come up and to stop.
pub(crate) fn add_service(world: &mut World, name: &str, processes: u32, minimum: u32) {
    let cluster = world.ecs.clusters().next().unwrap().name.clone();
    let task = world.register_task_definition(&json!({
        "Family": name,
        "ContainerDefinitions": [{
            "Name": "main", "Image": "app", "Cpu": 32, "Memory": 64, "StopTimeout": 120,
        }],
    }));
    world.set_habit(
        name,
        convox::sandbox::ecs::Habit {
            start_ms: Some((400_000, 500_000)),
            stop_ms: Some((60_000, 110_000)),
        },
    );
    let service = json!({
        "Cluster": cluster, "TaskDefinition": task, "DesiredCount": processes,
        "DeploymentConfiguration": { "MinimumHealthyPercent": minimum, "MaximumPercent": 200 },
    });
    world.create_service(name, &service).unwrap();
}

pub(crate) async fn settled(scenario: &Scenario) -> Rehearsal {
    let rehearsal = Rehearsal::new(scenario);
    rehearsal.clock.sleep(Duration::from_secs(300)).await;
    rehearsal
}

pub(crate) async fn roll(
    rehearsal: &Rehearsal,
    options: RollOptions,
    journals: Journals,
) -> Result<Report, Refusal> {
    let mut engine = rehearsal.engine(journals).await;
    let plan = engine.plan(options, WAIT_BUSY).await?;
    Ok(engine.run(plan, false).await)
}

/// Waits until instances that were let go are gone, and those of the groups are there.
pub(crate) async fn come_to_rest(rehearsal: &Rehearsal) {
    rehearsal.clock.sleep(Duration::from_secs(600)).await;
}

#[test]
fn a_service_of_one_slow_process_is_never_down() {
    in_virtual_time(async {
        let slow = |options| async move {
            let rehearsal = settled(&scenario("success")).await;
            rehearsal
                .sandbox
                .with(|world| add_service(world, "slow", 1, 100));
            rehearsal.clock.sleep(Duration::from_secs(1200)).await;
            rehearsal.sandbox.with(World::keep_ledger);
            let before = rehearsal.sandbox.peek(kept);
            let report = roll(&rehearsal, options, rehearsal.journals())
                .await
                .unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{report:?}");
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before);
            rehearsal.watcher.assert_whole("slow");
            fewest(&rehearsal.sandbox)
        };
        // The rack's own function gives an instance five minutes, and the process needs more.
        assert_eq!(slow(OPTIONS).await["slow"], 0);
        let counts = slow(SURGE).await;
        assert!(counts.values().all(|least| *least > 0), "{counts:?}");
    });
}

#[test]
fn tasks_move_once_and_only_onto_new_instances() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        // The update itself deploys the rack's API anew.
        let tasks = |world: &World| {
            let clusters = world.ecs.clusters();
            let made = clusters.flat_map(|cluster| cluster.tasks.values());
            let moved = made.filter(|task| task.group.starts_with("service:"));
            let moved = moved.filter(|task| !task.group.contains("ServiceWebApi"));
            moved.count()
        };
        let before = rehearsal.sandbox.peek(tasks);
        roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        // Stopped tasks are shown for an hour.
        assert_eq!(rehearsal.sandbox.peek(tasks), before * 2);
    });
}

#[test]
fn a_small_surge_holds_few_instances_at_a_time() {
    in_virtual_time(async {
        let mut scenario = scenario("success");
        scenario.rack.instances = 6;
        let most_held = |options| {
            let scenario = scenario.clone();
            async move {
                let rehearsal = settled(&scenario).await;
                let rolled = roll(&rehearsal, options, rehearsal.journals());
                tokio::pin!(rolled);
                let mut most = 0;
                loop {
                    tokio::select! {
                        report = &mut rolled => {
                            assert_eq!(report.unwrap().outcome, Outcome::Done);
                            return most;
                        }
                        () = rehearsal.clock.sleep(Duration::from_secs(1)) => {}
                    }
                    let held = rehearsal.sandbox.peek(|world| {
                        let groups = world.autoscaling.groups();
                        let members = groups.flat_map(|group| group.members());
                        let waits =
                            members.filter(|it| it.lifecycle.as_str() == "Terminating:Wait");
                        waits.count()
                    });
                    most = most.max(held);
                }
            }
        };
        let few = RollOptions {
            surge: SurgeSize::Count(2),
            ..SURGE
        };
        assert_eq!(most_held(SURGE).await, 6);
        // Those beyond two are being emptied.
        let most = most_held(few).await;
        assert!((2..6).contains(&most), "{most}");
    });
}

#[test]
fn what_a_service_does_not_allow_is_refused_with_what_to_change() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        rehearsal
            .sandbox
            .with(|world| add_service(world, "fragile", 2, 0));
        rehearsal.clock.sleep(Duration::from_secs(1200)).await;
        let refusal = roll(&rehearsal, SURGE, rehearsal.journals())
            .await
            .unwrap_err();
        let reason = &refusal.reasons[0];
        assert_eq!(reason.code, "surge-minimum", "{refusal:?}");
        assert!(reason.hint.contains("minimumHealthyPercent"), "{reason:?}");
        assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"]);
    });
}

#[test]
fn a_surge_that_rolls_back_puts_everything_back() {
    for name in ["failure-signal", "signal-timeout"] {
        in_virtual_time(async {
            let rehearsal = settled(&scenario(name)).await;
            rehearsal.sandbox.with(World::keep_ledger);
            let before = rehearsal.sandbox.peek(kept);
            let result = roll(&rehearsal, SURGE, rehearsal.journals()).await;
            assert_settled(&rehearsal, &result, name);
            assert_eq!(result.unwrap().outcome, Outcome::RolledBack, "{name}");
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before, "{name}");
            let counts = fewest(&rehearsal.sandbox);
            assert!(
                counts.values().all(|least| *least > 0),
                "{name}: {counts:?}"
            );
        });
    }
}

/// A rack whose group keeps more in service than the three it wants: the others are taken in one
/// go at the end.
pub(crate) fn with_surplus(seed: u64, in_service: u32) -> Scenario {
    let mut scenario = scenario("success");
    scenario.seed = seed;
    scenario.rack.min_in_service = Some(in_service);
    scenario
}

/// Takes off whatever holds instances on their way out.
pub(crate) fn take_hooks_off(world: &mut World) {
    let hooks: Vec<(String, String)> = world
        .autoscaling
        .groups()
        .flat_map(|group| {
            let own = group.hooks.values().filter(|hook| hook.terminating);
            own.map(|hook| (group.name.clone(), hook.name.clone()))
        })
        .collect();
    for (group, hook) in hooks {
        world.delete_lifecycle_hook(&group, &hook);
    }
}

/// Rolls racks whose instances nothing drains, and counts those where a service of two processes
/// was down.
fn down_without_draining(options: RollOptions) -> usize {
    let down = (1..=6).filter(|seed| {
        in_virtual_time(async {
            let rehearsal = settled(&with_surplus(*seed, 9)).await;
            rehearsal.sandbox.with(take_hooks_off);
            rehearsal.sandbox.with(World::keep_ledger);
            let before = rehearsal.sandbox.peek(kept);
            let report = roll(&rehearsal, options, rehearsal.journals())
                .await
                .unwrap();
            assert_eq!(report.outcome, Outcome::Done, "{report:?}");
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before, "seed {seed}");
            let counts = fewest(&rehearsal.sandbox);
            let site = counts.iter().find(|(name, _)| name.contains("site"));
            *site.unwrap().1 == 0
        })
    });
    down.count()
}

#[test]
fn the_one_shot_scale_in_takes_a_service_down_without_guard_rails_and_not_with_them() {
    let bare = RollOptions {
        guard_rails: false,
        ..OPTIONS
    };
    let fell = down_without_draining(bare);
    assert!(fell > 0, "nothing was ever taken in one shot");
    assert_eq!(down_without_draining(OPTIONS), 0);
}

pub(crate) fn roll_of(rehearsal: &Rehearsal) -> Option<RollId> {
    let journals = rehearsal.journals();
    let roll = journals.rolls().unwrap().into_iter().next()?;
    let opened = journals.read(&roll).unwrap();
    opened
        .is_some_and(|lines| !lines.is_empty())
        .then_some(roll)
}
