//! Rolls that are killed and taken up again: after every line of the journal, and just before
//! it, on the same machine and on another one that has no journal.

use std::sync::Arc;

use convox::ids::RollId;
use convox::roll::{Journals, Outcome};
use tokio::sync::Notify;

use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{Rehearsal, in_virtual_time, scenarios};

/// Where a crash strikes.
#[derive(Debug, Clone, Copy)]
struct Crash {
    line: usize,
    before: bool,
    /// Whether another machine, which has no journal, takes the roll up.
    elsewhere: bool,
}

/// Kills a roll, takes it up again, and checks how it ends. `false` when the journal of an
/// undisturbed roll is not that long.
async fn crash_and_resume(rehearsal: &Rehearsal, crash: Crash, context: &str) -> bool {
    let tripped = Arc::new(Notify::new());
    let journals = rehearsal
        .journals()
        .crashing_at(crash.line, crash.before, tripped.clone());
    tokio::select! {
        _ = rehearsal.roll_with(journals) => return false,
        () = tripped.notified() => {}
    }
    let Some(roll) = roll_of(rehearsal) else {
        // Killed before the journal said anything: nothing was done, nothing is known.
        assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"], "{context}");
        return true;
    };
    let journals = || {
        if crash.elsewhere {
            rehearsal.elsewhere()
        } else {
            rehearsal.journals()
        }
    };
    let mut result = rehearsal.resume(&roll, journals()).await;
    if crash.elsewhere && result.is_err() && rehearsal.key_pairs().len() < 2 {
        // No key pair of ours: there is nothing that another machine could know of.
        result = rehearsal.resume(&roll, rehearsal.journals()).await;
    }
    let report = result
        .as_ref()
        .unwrap_or_else(|refusal| panic!("{context}: {refusal}"));
    assert_ne!(report.outcome, Outcome::Detached, "{context}: {report:?}");
    assert_settled(rehearsal, &result, context);
    assert_no_secret(rehearsal, context);
    rehearsal.watcher.assert_whole(context);
    // Taking it up once more changes nothing that is settled.
    let before = rehearsal.key_pairs();
    let again = rehearsal.resume(&roll, rehearsal.journals()).await;
    assert_eq!(rehearsal.key_pairs(), before, "{context}: {again:?}");
    true
}

fn roll_of(rehearsal: &Rehearsal) -> Option<RollId> {
    let journals: Journals = rehearsal.journals();
    let roll = journals.rolls().unwrap().into_iter().next()?;
    let opened = journals
        .read(&roll)
        .unwrap()
        .is_some_and(|lines| !lines.is_empty());
    opened.then_some(roll)
}

#[test]
fn killed_at_every_line_of_every_scenario() {
    let only = std::env::var("CONVOX_TEST_SCENARIO").ok();
    for path in scenarios() {
        let scenario = convox::sandbox::Scenario::load(&path).unwrap();
        if only.as_ref().is_some_and(|only| *only != scenario.name) {
            continue;
        }
        for (before, elsewhere) in [(false, false), (true, false), (true, true)] {
            for line in 1.. {
                let crash = Crash {
                    line,
                    before,
                    elsewhere,
                };
                let context = format!("{} {crash:?}", scenario.name);
                let struck = in_virtual_time(async {
                    let rehearsal = Rehearsal::new(&scenario);
                    crash_and_resume(&rehearsal, crash, &context).await
                });
                if !struck {
                    break;
                }
            }
        }
    }
}
