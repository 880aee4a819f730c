//! Rolls that are killed and taken up again: after every line of the journal, and just before
//! it, on the same machine and on another one that has no journal.

use std::sync::Arc;

use convox::ids::RollId;
use convox::roll::{Journals, Outcome};
use tokio::sync::Notify;

use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{Rehearsal, in_virtual_time, scenario, scenarios};

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
fn a_disk_that_fills_up_never_turns_an_accepted_update_back() {
    let mut outcomes = Vec::new();
    for line in 1..20 {
        in_virtual_time(async {
            let rehearsal = Rehearsal::new(&scenario("success"));
            let journals = rehearsal.journals().full_from(line);
            let result = rehearsal.roll_with(journals).await;
            let context = format!("full from line {line}");
            let report = result.as_ref().unwrap();
            // Proven, and stopped half-way through letting the old key go: nobody needs it.
            if report.outcome != Outcome::Unproven {
                assert_settled(&rehearsal, &result, &context);
            }
            rehearsal.watcher.assert_whole(&context);
            outcomes.push(report.outcome);
        });
    }
    outcomes.dedup();
    assert_eq!(
        outcomes,
        [Outcome::NothingChanged, Outcome::Unproven, Outcome::Done]
    );
}

/// Kills the roll of a scenario at every line of its journal.
fn killed_at_every_line(name: &str) {
    let scenario = scenario(name);
    let mut ways = vec![(false, false)];
    // CI also strikes just before a line, which loses it although what it would tell has
    // happened, and loses the journal with the machine.
    if std::env::var_os("CI").is_some() {
        ways.extend([(true, false), (true, true)]);
    }
    for (before, elsewhere) in ways {
        for line in 1.. {
            let crash = Crash {
                line,
                before,
                elsewhere,
            };
            let context = format!("{name} {crash:?}");
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

macro_rules! killed {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            killed_at_every_line($name);
        })*

        #[test]
        fn no_scenario_is_forgotten() {
            let files = scenarios().into_iter().map(|path| {
                path.file_stem().unwrap().to_str().unwrap().to_owned()
            });
            assert_eq!(files.collect::<Vec<_>>(), [$($name),*]);
        }
    };
}

killed! {
    all_groups: "all-groups",
    autoscaler_collision: "autoscaler-collision",
    cancelled_in_console: "cancelled-in-console",
    capacity_refused: "capacity-refused",
    denied_update_stack: "denied-update-stack",
    events_out_of_order: "events-out-of-order",
    failure_signal: "failure-signal",
    group_without_room: "group-without-room",
    key_pair_missing: "key-pair-missing",
    large_batches: "large-batches",
    lost_create_change_set: "lost-create-change-set",
    lost_create_key_pair: "lost-create-key-pair",
    lost_delete_change_set: "lost-delete-change-set",
    lost_delete_key_pair: "lost-delete-key-pair",
    lost_put_object: "lost-put-object",
    lost_update_stack: "lost-update-stack",
    replaces_nothing: "replaces-nothing",
    rollback_fails: "rollback-fails",
    signal_timeout: "signal-timeout",
    slow_api: "slow-api",
    stack_deleted: "stack-deleted",
    stale_describe: "stale-describe",
    success: "success",
    terminating_wait_stuck: "terminating-wait-stuck",
    throttled_now_and_then: "throttled-now-and-then",
    throttled_reads: "throttled-reads",
    unsent_update_stack: "unsent-update-stack",
}
