//! How a roll ends in every scenario, and what is true of the account then.

use convox::roll::{EventKind, Outcome};

use crate::rehearsal::{Rehearsal, in_virtual_time, outcome, scenario, scenarios};

#[test]
fn every_scenario_ends_as_its_file_says() {
    let mut wrong = Vec::new();
    for path in scenarios() {
        let scenario = convox::sandbox::Scenario::load(&path).unwrap();
        let Some(expect) = scenario.expect.clone() else {
            continue;
        };
        in_virtual_time(async {
            let rehearsal = Rehearsal::new(&scenario);
            let result = rehearsal.roll().await;
            let ended = serde_json::to_value(outcome(&result)).unwrap();
            let told = match &result {
                Ok(report) => format!("{} {:?}", report.message, report.first_failure),
                Err(refusal) => refusal.to_string(),
            };
            if ended != expect.outcome.as_str() || outcome(&result).exit_code() != expect.exit {
                wrong.push(format!(
                    "{}: {ended} instead of {}: {told}",
                    scenario.name, expect.outcome
                ));
            }
            rehearsal.watcher.assert_whole(&scenario.name);
            assert_settled(&rehearsal, &result, &scenario.name);
            assert_no_secret(&rehearsal, &scenario.name);
        });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What must hold of the account's key pairs at the end.
pub(crate) fn assert_settled(
    rehearsal: &Rehearsal,
    result: &Result<convox::roll::Report, convox::roll::Refusal>,
    context: &str,
) {
    let old = "prod-keypair-4711".to_owned();
    let pairs = rehearsal.key_pairs();
    let made = pairs.iter().filter(|name| **name != old).count();
    let told = result.as_ref().ok();
    match outcome(result) {
        Outcome::Done => {
            let new = told.and_then(|report| report.new_key.clone()).unwrap();
            assert_eq!(pairs, [new], "{context}: only the new key pair is left");
        }
        Outcome::RolledBack | Outcome::NothingChanged | Outcome::Busy => {
            assert_eq!(made, 0, "{context}: no new key pair is left: {pairs:?}");
        }
        Outcome::Unproven | Outcome::Detached => {
            assert!(
                pairs.contains(&old),
                "{context}: the old key pair is kept: {pairs:?}"
            );
        }
        Outcome::Stuck => {
            // A report names the new key if, and only if, it is left behind.
            let named = told.is_some_and(|report| report.new_key.is_some());
            assert_eq!(named, made > 0, "{context}: {pairs:?} {result:?}");
        }
    }
}

/// Journals and events hold no private key, and not the rack's password.
pub(crate) fn assert_no_secret(rehearsal: &Rehearsal, context: &str) {
    let left = rehearsal.left_behind() + &rehearsal.tape.json();
    for secret in ["PRIVATE KEY", "sandbox-password"] {
        assert!(
            !left.contains(secret),
            "{context}: {secret} was left behind"
        );
    }
}

#[test]
fn a_rollback_names_what_failed_first() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::new(&scenario("signal-timeout"));
        let report = rehearsal.roll().await.unwrap();
        let failure = report.first_failure.unwrap();
        assert_eq!(failure.logical_id, "Instances");
        assert!(
            failure.reason.contains("SUCCESS signal(s) out of"),
            "{}",
            failure.reason
        );
        let events = rehearsal.tape.events();
        let told = events
            .iter()
            .position(|event| matches!(event.kind, EventKind::RollbackDetected { .. }));
        let ended = events
            .iter()
            .position(|event| matches!(event.kind, EventKind::Finished(_)));
        assert!(told < ended, "the rollback is told before the end");
    });
}

#[test]
fn the_same_seed_tells_the_same_story_byte_for_byte() {
    for path in scenarios() {
        let scenario = convox::sandbox::Scenario::load(&path).unwrap();
        let tell = || {
            in_virtual_time(async {
                let rehearsal = Rehearsal::new(&scenario);
                let _ = rehearsal.roll().await;
                rehearsal.tape.json()
            })
        };
        let (once, twice) = (tell(), tell());
        assert_eq!(once, twice, "{}", scenario.name);
    }
}
