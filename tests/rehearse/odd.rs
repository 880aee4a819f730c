//! Racks that are not like most: nothing to lose, nothing to lose it on, or more than is rehearsed.

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rehearse::{Forecast, Rehearsal, RehearseError, ServiceForecast, Settings};
use convox::roll::{RollOptions, Strategy, Survey, survey};
use convox::sandbox::{Sandbox, Scenario};

use crate::virtual_time::in_virtual_time;

const RUNS: u32 = 6;
/// All instances go at once, and the new ones boot longer than draining waits.
const ALL_AT_ONCE: &str = "{ batch: 3, min_in_service: 0, pause: 20m, \
                           pace: { boot_ms: [600000, 610000] }, \
                           services: [{ name: lone, processes: 1 }] }";

fn scenario(rack: &str) -> Scenario {
    Scenario::parse(&format!("name: x\nabout: y\nrack: {rack}\n"), "a test").unwrap()
}

/// Surveys the rack of a scenario, and rehearses it as `change` makes it look.
fn foretold(scenario: &Scenario, change: impl Fn(&mut Survey)) -> Forecast {
    foretold_by(RollOptions::DEFAULT, scenario, change).unwrap()
}

fn foretold_by(
    options: RollOptions,
    scenario: &Scenario,
    change: impl Fn(&mut Survey),
) -> Result<Forecast, RehearseError> {
    in_virtual_time(async {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let sandbox = Sandbox::new(scenario, clock.clone()).unwrap();
        let access = Access::new(Transport::InProcess(sandbox.in_process()), clock.clone());
        let account = Account::connect(&access).await.unwrap();
        let rack = account.rack(&Target::rack("prod"), &Entropy::seeded(9));
        let mut surveyed = survey(&rack.unwrap()).await.unwrap();
        change(&mut surveyed);
        let settings = Settings {
            runs: RUNS,
            seed: 1,
            options,
        };
        let rehearsal = Rehearsal::of("prod", "Key", surveyed, clock.now(), settings);
        let forecast = rehearsal.forecast()?;
        rehearsal.advice(&forecast).unwrap();
        Ok(forecast)
    })
}

#[test]
fn a_surge_is_rehearsed_of_a_rack_whose_own_api_may_be_down_and_of_no_other() {
    let surge = RollOptions {
        strategy: Strategy::Surge,
        ..RollOptions::DEFAULT
    };
    let with_fragile = |name: &str| {
        foretold_by(surge, &Scenario::default(), |survey| {
            let services = &mut survey.clusters[0].services;
            let mut named = services.iter_mut().filter(|it| it.name.contains(name));
            named.next().unwrap().minimum_healthy_percent = Some(0);
        })
    };
    let forecast = with_fragile("ServiceWebApi").unwrap();
    assert_eq!(forecast.outcomes.get("done"), Some(&RUNS));
    assert!(with_fragile("mailer").is_err());
}

fn service<'a>(forecast: &'a Forecast, name: &str) -> &'a ServiceForecast {
    let mut services = forecast.services.iter();
    services.find(|it| it.name.contains(name)).unwrap()
}

fn assumes(forecast: &Forecast, words: &str) -> bool {
    forecast.assumptions.iter().any(|it| it.contains(words))
}

#[test]
fn a_rack_without_services_has_nobody_to_go_down() {
    let forecast = foretold(&Scenario::default(), |survey| survey.clusters.clear());
    assert!(forecast.services.is_empty());
    assert!(!forecast.has_downtime());
    assert_eq!(forecast.outcomes.get("done"), Some(&RUNS));
}

#[test]
fn the_only_process_goes_down_where_all_instances_do_and_comes_first() {
    let forecast = foretold(&scenario(ALL_AT_ONCE), |_| {});
    let lone = service(&forecast, "lone");
    assert_eq!(lone.at_zero.runs, RUNS, "{forecast:?}");
    assert!(lone.goes_down() && forecast.has_downtime());
    assert!(lone.at_zero.at_least > 0.5 && lone.at_zero.at_most >= 1.0);
    let harm: Vec<f64> = forecast
        .services
        .iter()
        .map(|it| it.at_zero.chance)
        .collect();
    assert!(harm.is_sorted_by(|one, next| one >= next), "{harm:?}");
}

#[test]
fn a_service_that_wants_no_process_lacks_none() {
    let rack = "{ services: [{ name: idle, processes: 0 }, { name: web, processes: 3 }] }";
    let forecast = foretold(&scenario(rack), |_| {});
    assert!(forecast.services.iter().all(|it| !it.name.contains("idle")));
    assert_eq!(service(&forecast, "web").desired, 3);
}

#[test]
fn a_service_that_is_down_before_the_roll_is_not_taken_down_by_it() {
    let forecast = foretold(&scenario(ALL_AT_ONCE), |survey| {
        for service in &mut survey.clusters[0].services {
            service.running = 0;
        }
    });
    let lone = service(&forecast, "lone");
    assert_eq!(lone.at_zero.runs, RUNS);
    assert!(!lone.goes_down() && !lone.goes_below());
    assert!(!forecast.has_downtime());
    assert!(assumes(&forecast, "has 0 of 1 running before the roll"));
}

#[test]
fn a_process_that_its_balancer_takes_for_healthy_too_late_goes_down() {
    // Draining gives an instance five minutes, and the checks of a new process take six.
    let slow =
        "{ services: [{ name: lone, processes: 1, balancer: { interval: 60s, healthy: 7 } }] }";
    let forecast = foretold(&scenario(slow), |_| {});
    let lone = service(&forecast, "lone");
    assert_eq!(lone.at_zero.runs, RUNS, "{lone:?}");
    assert!(lone.is_known && forecast.has_downtime());

    let quick =
        "{ services: [{ name: lone, processes: 1, balancer: { interval: 10s, healthy: 3 } }] }";
    let forecast = foretold(&scenario(quick), |_| {});
    assert_eq!(service(&forecast, "lone").at_zero.runs, 0);
    let forecast = foretold(&scenario(quick), |survey| {
        survey.clusters[0].target_groups[0].targets = None;
        survey.clusters[0].health_unread.push("x".to_owned());
    });
    assert!(
        !service(&forecast, "lone").is_known,
        "its health was not read"
    );
    let forecast = foretold(&scenario(quick), |survey| survey.listeners.clear());
    assert!(!service(&forecast, "lone").is_known);
    assert!(assumes(&forecast, "which is not of the rack's stack"));
}

#[test]
fn what_is_not_rehearsed_is_said_and_makes_never_unknown() {
    let known = |change: fn(&mut Survey), words: &str| {
        let forecast = foretold(&Scenario::default(), change);
        assert!(
            assumes(&forecast, words),
            "{words}: {:?}",
            forecast.assumptions
        );
        let is_known = forecast.services.iter().any(|it| it.is_known);
        assert_eq!(forecast.is_known, is_known, "{words}");
        is_known
    };
    assert!(known(|_| {}, "time to pass the checks"));
    assert!(!known(
        |survey| survey.clusters[0].managed_draining = Some(true),
        "managed draining"
    ));
    assert!(!known(
        |survey| {
            let hooks = survey.groups.iter_mut().flat_map(|it| &mut it.hooks);
            hooks.for_each(|hook| hook.is_handled = false);
        },
        "has no notification target"
    ));
    assert!(!known(
        |survey| survey.spot_fleets.push("SpotFleet".to_owned()),
        "spot fleet SpotFleet is not rehearsed"
    ));
    assert!(!known(
        |survey| {
            let mut host = survey.clusters[0].hosts[0].clone();
            host.instance = "i-elsewhere".to_owned();
            survey.clusters[0].hosts.push(host);
        },
        "1 of the 4 instances"
    ));
    assert!(!known(
        |survey| survey.clusters[0]
            .unread
            .push("its tasks: not allowed".to_owned()),
        "could not be read as a whole"
    ));
}

#[test]
fn boots_are_measured_although_auto_scaling_has_forgotten_the_launches() {
    let booted = |forgets: bool| {
        let forecast = foretold(&Scenario::default(), |survey| {
            for group in survey.groups.iter_mut().filter(|_| forgets) {
                group.launches.clear();
            }
        });
        forecast.measured.boot_ms.0
    };
    let (with, without) = (booted(false), booted(true));
    assert_eq!(with.len(), without.len());
    for (exact, about) in with.iter().zip(&without) {
        // The launch itself is taken to last as long as usual, between 8 and 16 s.
        assert!(exact.abs_diff(*about) <= 8_000, "{with:?} {without:?}");
    }
}
