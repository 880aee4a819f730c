//! A rehearsal only looks at the rack.

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rehearse::{Rehearsal, Settings};
use convox::roll::{RollOptions, survey};
use convox::sandbox::{Sandbox, Scenario};

use crate::virtual_time::in_virtual_time;

#[test]
fn only_describe_calls_are_made() {
    in_virtual_time(async {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let sandbox = Sandbox::new(&Scenario::default(), clock.clone()).unwrap();
        let access = Access::new(Transport::InProcess(sandbox.in_process()), clock.clone());
        let account = Account::connect(&access).await.unwrap();
        let rack = account
            .rack(&Target::rack("prod"), &Entropy::seeded(9))
            .unwrap();
        let before = sandbox.peek(|world| serde_json::to_value(world).unwrap());
        assert!(sandbox.calls().is_empty());

        let surveyed = survey(&rack).await.unwrap();
        let settings = Settings {
            runs: 5,
            seed: 1,
            options: RollOptions::DEFAULT,
        };
        let rehearsal = Rehearsal::of("prod", "Key", surveyed, clock.now(), settings);
        let forecast = rehearsal.forecast().unwrap();
        rehearsal.advice(&forecast).unwrap();

        let calls = sandbox.calls();
        assert!(calls.len() >= 10, "{calls:?}");
        for api in calls.keys() {
            let (_, action) = api.split_once(':').unwrap();
            let only_looks = ["Describe", "List", "Get"];
            assert!(only_looks.iter().any(|it| action.starts_with(it)), "{api}");
        }
        // Even the chance that names requests is the only thing that has moved.
        let mut after = sandbox.peek(|world| serde_json::to_value(world).unwrap());
        after["requests"] = before["requests"].clone();
        assert_eq!(before, after);
    });
}

#[test]
fn the_same_seed_foretells_the_same() {
    let foretold = |seed| {
        let compared = in_virtual_time(crate::foretelling::compare(seed, 8));
        serde_json::to_string(&compared.forecast).unwrap()
    };
    assert_eq!(foretold(5), foretold(5));
    assert_ne!(foretold(5), foretold(6));
}
