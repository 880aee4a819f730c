//! Guard rails of rolls that are taken back: they hold on the way back too, and are put back.

use std::time::Duration;

use convox::roll::{Effect, Entry, GateStage, Outcome, Strategy};
use convox::sandbox::Scenario;
use convox::sandbox::world::World;

use crate::gate_keeper::{Keeper, gated};
use crate::outcomes::assert_settled;
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time};
use crate::surging::{come_to_rest, fewest, kept, settled, with_surplus};

/// Takes off the hooks that would drain what goes.
fn drain_nothing(world: &mut World) {
    let groups = world.autoscaling.groups();
    let hooks = groups.flat_map(|group| {
        let own = group.hooks.values().filter(|hook| hook.terminating);
        own.map(|hook| (group.name.clone(), hook.name.clone()))
    });
    let hooks: Vec<(String, String)> = hooks.collect();
    for (group, hook) in hooks {
        world.delete_lifecycle_hook(&group, &hook);
    }
}

fn protects(world: &World) -> bool {
    world.autoscaling.groups().any(|group| group.protects_new)
}

#[test]
fn a_gate_that_is_shut_leaves_no_guard_rail_and_no_surplus() {
    for shut_from in [1, 2] {
        in_virtual_time(async {
            let rehearsal = settled(&with_surplus(1, 5)).await;
            let before = rehearsal.sandbox.peek(kept);
            let keeper = Keeper::of(&rehearsal).shut_from(shut_from);
            let result = rehearsal
                .roll_carefully(
                    rehearsal.journals(),
                    Strategy::CloudFormation,
                    &gated(),
                    &keeper,
                )
                .await;
            assert_settled(&rehearsal, &result, "rails");
            assert_eq!(result.unwrap().outcome, Outcome::RolledBack);
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before, "{shut_from}");
        });
    }
}

#[test]
fn a_roll_that_is_cancelled_at_its_last_gate_leaves_no_guard_rail() {
    in_virtual_time(async {
        let mut rehearsal = settled(&with_surplus(1, 5)).await;
        let before = rehearsal.sandbox.peek(kept);
        let roll = rehearsal.leave_at(GateStage::Last).await;
        let mut engine = rehearsal.engine(rehearsal.elsewhere()).await;
        let report = engine.cancel(&roll).await.unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

/// Without guard rails a service of two processes is down in some of these racks, as it is on the
/// way forward.
#[test]
fn an_update_back_takes_its_surplus_one_at_a_time() {
    for seed in 1..=6 {
        in_virtual_time(async {
            let rehearsal = settled(&with_surplus(seed, 9)).await;
            rehearsal.sandbox.with(|world| {
                drain_nothing(world);
                world.keep_ledger();
            });
            let before = rehearsal.sandbox.peek(kept);
            let keeper = Keeper::of(&rehearsal).shut_at(GateStage::Last);
            let journals = rehearsal.journals();
            let report = rehearsal
                .roll_carefully(journals, Strategy::CloudFormation, &gated(), &keeper)
                .await
                .unwrap();
            assert_eq!(report.outcome, Outcome::RolledBack, "{report:?}");
            let last = keeper.asked().pop().unwrap();
            assert_eq!(last.stage, GateStage::Last);
            come_to_rest(&rehearsal).await;
            assert_eq!(rehearsal.sandbox.peek(kept), before, "seed {seed}");
            let counts = fewest(&rehearsal.sandbox);
            let site = counts.iter().find(|(name, _)| name.contains("site"));
            assert!(*site.unwrap().1 > 0, "seed {seed}: {counts:?}");
        });
    }
}

#[test]
fn a_rollback_that_is_made_to_go_on_has_its_guard_rails_again() {
    in_virtual_time(async {
        let mut scenario: Scenario = crate::rehearsal::scenario("rollback-fails");
        scenario.rack.min_in_service = Some(5);
        let rehearsal = Rehearsal::new(&scenario);
        let before = rehearsal.sandbox.peek(protects);
        let mut engine = rehearsal.engine(rehearsal.journals()).await;
        let plan = engine.plan(OPTIONS, WAIT_BUSY).await.unwrap();
        let report = engine.run(plan, false).await;
        assert_eq!(report.outcome, Outcome::Stuck, "{report:?}");
        assert!(!before && !rehearsal.sandbox.peek(protects));
        let roll = rehearsal.only_roll();
        let skipped = ["Instances".to_owned()];
        let continued = engine.continue_rollback(&roll, &skipped);
        tokio::pin!(continued);
        let mut protected = false;
        loop {
            tokio::select! {
                report = &mut continued => {
                    drop(report.unwrap());
                    break;
                }
                () = rehearsal.clock.sleep(Duration::from_millis(100)) => {}
            }
            protected |= rehearsal.sandbox.peek(protects);
        }
        assert!(protected, "the rollback went on without guard rails");
        assert!(!rehearsal.sandbox.peek(protects));
        let lines = rehearsal.journals().read(&roll).unwrap().unwrap();
        let at = |wanted: Entry| lines.iter().rposition(|line| line.entry == wanted);
        let guarded = at(Entry::Finished(Effect::GuardRack));
        let continued = at(Entry::Started(Effect::ContinueRollback));
        assert!(guarded < continued && guarded.is_some());
        assert!(continued < at(Entry::Finished(Effect::PutBackRack)));
    });
}
