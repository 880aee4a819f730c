//! Every change that is advised is one that helps, by the same rehearsals.

use std::collections::BTreeSet;

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rehearse::{Advised, Effects, Rehearsal, Settings};
use convox::roll::{RollOptions, RollPolicy, Survey, survey};
use convox::sandbox::{Sandbox, Scenario};

use crate::virtual_time::in_virtual_time;

/// What is advised for the rack of a scenario as `change` makes it look, and how it is without.
fn advised(rack: &str, change: impl Fn(&mut Survey)) -> (Effects, Vec<Advised>) {
    let scenario = format!("name: x\nabout: y\nrack: {rack}\n");
    let scenario = Scenario::parse(&scenario, "a test").unwrap();
    in_virtual_time(async {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let sandbox = Sandbox::new(&scenario, clock.clone()).unwrap();
        let access = Access::new(Transport::InProcess(sandbox.in_process()), clock.clone());
        let account = Account::connect(&access).await.unwrap();
        let rack = account.rack(&Target::rack("prod"), &Entropy::seeded(9));
        let mut surveyed = survey(&rack.unwrap()).await.unwrap();
        change(&mut surveyed);
        let settings = Settings {
            runs: 6,
            seed: 1,
            options: RollOptions::DEFAULT,
        };
        let rehearsal = Rehearsal::of("prod", "Key", surveyed, clock.now(), settings);
        let forecast = rehearsal.forecast().unwrap();
        rehearsal.advice(&forecast).unwrap()
    })
}

fn codes(advised: &[Advised]) -> BTreeSet<&str> {
    advised.iter().map(|it| it.code).collect()
}

fn with_code<'a>(advised: &'a [Advised], code: &str) -> &'a Advised {
    let found = advised.iter().find(|it| it.code == code);
    found.unwrap_or_else(|| panic!("{code}: {:?}", codes(advised)))
}

/// Has no group wait for signals: its `PauseTime` is all the time that new instances have.
fn without_signals(survey: &mut Survey) {
    for group in &mut survey.groups {
        if let RollPolicy::RollingUpdate {
            wait_on_signals,
            pause_secs,
            ..
        } = &mut group.plan.policy
        {
            (*wait_on_signals, *pause_secs) = (false, 0);
        }
    }
}

#[test]
fn who_waits_for_no_signal_is_advised_to_let_instances_warm_up() {
    // Twice as long to boot as an instance is drained at most.
    let rack = "{ batch: 1, min_in_service: 3, pace: { boot_ms: [600000, 610000] }, \
                services: [{ name: lone, processes: 1 }] }";
    let (now, changes) = advised(rack, without_signals);
    assert_eq!(now.at_zero, 1.0, "{now:?}");
    let warm_up = with_code(&changes, "warm-up");
    assert_eq!(warm_up.effects.at_zero, 0.0, "{warm_up:?}");
    let secs = warm_up.tweak.warm_up_secs.unwrap();
    assert!((750..1000).contains(&secs), "{secs}");
    assert!(
        warm_up.change.ends_with(&format!("for {secs} s, not 0 s")),
        "{}",
        warm_up.change
    );
    // Whoever waits for signals is told nothing of the kind.
    let (_, changes) = advised(rack, |_| {});
    assert!(!codes(&changes).contains("warm-up"));
}

#[test]
fn who_loses_all_instances_at_once_is_advised_to_keep_some() {
    let rack = "{ batch: 3, min_in_service: 0, pause: 20m, pace: { boot_ms: [600000, 610000] }, \
                services: [{ name: lone, processes: 1 }] }";
    let (now, changes) = advised(rack, |_| {});
    assert_eq!(now.at_zero, 1.0, "{now:?}");
    for code in ["minimum-in-service", "drain"] {
        let change = with_code(&changes, code);
        assert_eq!(change.effects.at_zero, 0.0, "{change:?}");
    }
    let one_by_one = changes.iter().find(|it| it.tweak.batch == Some(1));
    assert_eq!(one_by_one.unwrap().effects.at_zero, 0.0, "{one_by_one:?}");
}

#[test]
fn who_may_be_drained_to_nothing_is_advised_of_more_processes_and_a_higher_minimum() {
    let rack = "{ services: [{ name: lone, processes: 1 }] }";
    let (now, changes) = advised(rack, |survey| {
        for service in survey.clusters.iter_mut().flat_map(|it| &mut it.services) {
            service.minimum_healthy_percent = Some(0);
        }
    });
    assert_eq!(now.at_zero, 1.0, "{now:?}");
    for code in ["third-process", "minimum-healthy"] {
        let change = with_code(&changes, code);
        assert!(
            change.effects.services_at_zero < now.services_at_zero,
            "{change:?}"
        );
    }
}

#[test]
fn larger_batches_and_faster_boots_are_advised_where_they_are_faster() {
    let rack = "{ instances: 9, batch: 1, services: [] }";
    let (now, changes) = advised(rack, |_| {});
    for code in ["batch", "boot"] {
        let change = with_code(&changes, code);
        assert!(
            change.effects.duration_p50 * 10 < now.duration_p50 * 9,
            "{change:?}"
        );
    }
}
