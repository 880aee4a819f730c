//! Surges and guard rails that are killed at any line of the journal: everything is put back.

use std::sync::Arc;
use std::time::Duration;

use convox::roll::{Outcome, RollOptions, SurgeSize};
use convox::sandbox::Scenario;
use tokio::sync::Notify;

use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{OPTIONS, in_virtual_time, scenario};
use crate::surging::{SURGE, come_to_rest, kept, roll, roll_of, settled, with_surplus};

/// Kills a roll at one line of its journal, takes it up again, and looks whether everything is
/// as it was. `false` when the journal is not that long.
async fn killed_at(
    scenario: &Scenario,
    options: RollOptions,
    (line, before, elsewhere): (usize, bool, bool),
) -> bool {
    let context = format!("line {line}, before: {before}, elsewhere: {elsewhere}");
    let rehearsal = settled(scenario).await;
    let was = rehearsal.sandbox.peek(kept);
    let tripped = Arc::new(Notify::new());
    let journals = rehearsal
        .journals()
        .crashing_at(line, before, tripped.clone());
    tokio::select! {
        _ = roll(&rehearsal, options, journals) => return false,
        () = tripped.notified() => {}
    }
    let Some(id) = roll_of(&rehearsal) else {
        return true;
    };
    // Whoever takes it up needs a while to come.
    rehearsal.clock.sleep(Duration::from_secs(120)).await;
    let journals = if elsewhere {
        rehearsal.elsewhere()
    } else {
        rehearsal.journals()
    };
    let mut result = rehearsal.resume(&id, journals).await;
    if elsewhere && result.is_err() {
        // No key pair of ours: there is nothing that another machine could know of.
        result = rehearsal.resume(&id, rehearsal.journals()).await;
    }
    let report = result
        .as_ref()
        .unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
    assert_ne!(report.outcome, Outcome::Detached, "{context}: {report:?}");
    assert_ne!(report.outcome, Outcome::Unproven, "{context}: {report:?}");
    assert_settled(&rehearsal, &result, &context);
    assert_no_secret(&rehearsal, &context);
    rehearsal.watcher.assert_whole(&context);
    come_to_rest(&rehearsal).await;
    assert_eq!(rehearsal.sandbox.peek(kept), was, "{context}");
    true
}

fn killed_at_every_line(scenario: &Scenario, options: RollOptions, least: usize) {
    let mut ways = vec![(false, false)];
    // CI also loses the line, and the journal with the machine.
    if std::env::var_os("CI").is_some() {
        ways.extend([(true, false), (true, true)]);
    }
    for (before, elsewhere) in ways {
        let struck =
            |line| in_virtual_time(killed_at(scenario, options, (line, before, elsewhere)));
        let lines = (1..).take_while(|line| struck(*line)).count();
        assert!(lines >= least, "the journal has {lines} lines");
    }
}

#[test]
fn a_surge_killed_at_any_line_puts_everything_back() {
    killed_at_every_line(&scenario("success"), SURGE, 18);
}

#[test]
fn a_surge_that_fails_killed_at_any_line_puts_everything_back() {
    killed_at_every_line(&scenario("failure-signal"), SURGE, 12);
}

#[test]
fn guard_rails_killed_at_any_line_put_everything_back() {
    killed_at_every_line(&with_surplus(1, 5), OPTIONS, 18);
}

#[test]
fn a_small_surge_killed_at_any_line_puts_everything_back() {
    let one = RollOptions {
        surge: SurgeSize::Count(1),
        ..SURGE
    };
    killed_at_every_line(&scenario("success"), one, 18);
}

#[test]
fn a_surge_of_several_groups_killed_at_any_line_puts_everything_back() {
    killed_at_every_line(&scenario("all-groups"), SURGE, 18);
}
