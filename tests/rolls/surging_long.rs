//! Surges whose replacements take hours to start, or never do: instances are held on, and their
//! tasks run, for as long as Auto Scaling goes along.

use std::time::Duration;

use convox::roll::{EventKind, Outcome, Report, Stop};
use convox::sandbox::ecs::Habit;
use convox::sandbox::world::World;

use crate::rehearsal::{Rehearsal, in_virtual_time, scenario};
use crate::surging::{SURGE, come_to_rest, fewest, kept, roll, roll_of, settled};
use crate::surging_odd::{cut_off, waiting};

const HOUR: Duration = Duration::from_secs(3600);

/// Has new tasks of the mailer take so many hours to start.
fn start_in(world: &mut World, hours: u64) {
    let ms = hours * 3_600_000;
    let habit = Habit {
        start_ms: Some((ms, ms)),
        stop_ms: Some((60_000, 60_000)),
    };
    world.set_habit("prod-mailer", habit);
}

/// The warnings that say what is waited for, each with the minutes since the first.
fn told(rehearsal: &Rehearsal, words: &str) -> Vec<(i64, String)> {
    let events = rehearsal.tape.events().into_iter();
    let told: Vec<_> = events
        .filter_map(|event| match event.kind {
            EventKind::Warning { message } if message.contains(words) => Some((event.at, message)),
            _ => None,
        })
        .collect();
    let first = told.first().map(|(at, _)| *at);
    let since = |at: jiff::Timestamp| at.duration_since(first.unwrap()).as_mins();
    told.into_iter().map(|(at, it)| (since(at), it)).collect()
}

#[test]
fn replacements_that_take_five_hours_are_waited_for() {
    in_virtual_time(async {
        let rehearsal = settled(&scenario("success")).await;
        rehearsal.sandbox.with(|world| start_in(world, 5));
        rehearsal.sandbox.with(World::keep_ledger);
        let before = rehearsal.sandbox.peek(kept);
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        rehearsal.watcher.assert_whole("five hours");
        let counts = fewest(&rehearsal.sandbox);
        assert!(counts.values().all(|least| *least > 0), "{counts:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(kept), before);
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);

        let told = told(&rehearsal, "waiting for tasks to run elsewhere");
        assert!((5..=9).contains(&told.len()), "{told:#?}");
        let (_, first) = &told[0];
        assert!(
            first.contains("i-") && first.contains("(prod-mailer)"),
            "{first}"
        );
        assert!(!first.contains("48 hours"), "{first}");
        let (minutes, last) = told.last().unwrap();
        assert!((180..290).contains(minutes), "{told:#?}");
        assert!(last.contains("make room"), "{last}");
        assert!(last.contains("none for more than 48 hours"), "{last}");
        assert!(last.contains("2026-11-24T02:"), "{last}");
    });
}

/// Rolls, and asks to stop after so many hours.
async fn stopped_after(rehearsal: &Rehearsal, hours: u32) -> Report {
    let rolled = roll(rehearsal, SURGE, rehearsal.journals());
    tokio::pin!(rolled);
    tokio::select! {
        report = &mut rolled => panic!("{report:?}"),
        () = rehearsal.clock.sleep(HOUR * hours) => {}
    }
    rehearsal.stop.request();
    rolled.await.unwrap()
}

#[test]
fn whoever_stops_a_long_wait_leaves_instances_held_and_can_go_on() {
    in_virtual_time(async {
        let mut rehearsal = settled(&scenario("success")).await;
        rehearsal.sandbox.with(|world| start_in(world, 5));
        let before = rehearsal.sandbox.peek(kept);
        let report = stopped_after(&rehearsal, 3).await;
        assert_eq!(report.outcome, Outcome::Detached, "{report:?}");
        assert_eq!(report.exit_code, 6);
        let hints = report.hints.join("\n");
        assert!(hints.contains("convox rolls resume"), "{hints}");
        assert!(rehearsal.sandbox.peek(waiting) > 0, "somebody was let go");
        rehearsal.clock.sleep(Duration::from_secs(40 * 60)).await;
        assert!(rehearsal.sandbox.peek(waiting) > 0, "somebody was let go");

        rehearsal.stop = Stop::new();
        let id = roll_of(&rehearsal).unwrap();
        let report = rehearsal.resume(&id, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        come_to_rest(&rehearsal).await;
        assert_eq!(rehearsal.sandbox.peek(cut_off), [""; 0]);
        assert_eq!(rehearsal.sandbox.peek(kept), before);
    });
}

#[test]
fn the_end_of_auto_scalings_patience_is_told_before_and_after() {
    in_virtual_time(async {
        let rehearsal = Rehearsal::unwatched(&scenario("success"));
        rehearsal.clock.sleep(Duration::from_secs(300)).await;
        rehearsal.sandbox.with(|world| start_in(world, 100));
        let before = rehearsal.sandbox.peek(kept);
        let report = roll(&rehearsal, SURGE, rehearsal.journals()).await.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{report:?}");
        let told_before = told(&rehearsal, "none for more than 48 hours");
        assert!((40..50).contains(&told_before.len()), "{told_before:#?}");
        let after = told(&rehearsal, "is held no more");
        assert_eq!(after.len(), 1, "{after:#?}");
        assert!(
            after[0].1.contains("with tasks of prod-mailer"),
            "{after:#?}"
        );
        come_to_rest(&rehearsal).await;
        let after = rehearsal.sandbox.peek(kept);
        assert_eq!(after.0, before.0, "the groups are as they were");
        assert_eq!(after.1, before.1);
    });
}
