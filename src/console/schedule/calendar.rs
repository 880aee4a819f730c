//! When a roll is due, and may begin.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};

use super::Schedule;
use super::freeze::Freeze;
use super::window::Window;

/// How many days are looked at before it is said that there is no next time: more than eight years,
/// so that whatever is on some day of the week is found.
const FURTHEST: usize = 3000;
/// After how long a roll without a window is tried again, in hours.
const AGAIN: i64 = 24;

/// What has been so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Past {
    /// Since when there is the key: when the last roll that ended well began.
    pub since: Timestamp,
    /// When this schedule last tried to roll it, whatever became of that.
    pub tried: Option<Timestamp>,
}

/// Returns when a key is rolled next, `now` or later; none if a freeze never ends.
///
/// A key is due so many days after it came, by the calendar of the window's zone: one that was
/// rolled in the middle of a window is due at the beginning of another. A window in which it was
/// tried is over for it.
#[must_use]
pub fn next_roll(
    schedule: &Schedule,
    past: Past,
    now: Timestamp,
    freezes: &[Freeze],
) -> Option<Timestamp> {
    let freezes = heeded(schedule, freezes);
    let Some(window) = &schedule.window else {
        let due = past
            .since
            .checked_add((24 * i64::from(schedule.every)).hours());
        let again = past.tried.map(|tried| tried.checked_add(AGAIN.hours()));
        let again = again.transpose().ok()?.unwrap_or(Timestamp::MIN);
        return thawed(due.ok()?.max(again).max(now), Timestamp::MAX, freezes);
    };
    let due = day_of(window, past.since)
        .checked_add(i64::from(schedule.every).days())
        .ok()?;
    first_open(window, due, past.tried, now, freezes)
}

/// Returns when rolls may begin next, `now` or later, however old any key is.
#[must_use]
pub fn next_opening(schedule: &Schedule, now: Timestamp, freezes: &[Freeze]) -> Option<Timestamp> {
    let freezes = heeded(schedule, freezes);
    match &schedule.window {
        None => thawed(now, Timestamp::MAX, freezes),
        Some(window) => first_open(window, Date::MIN, None, now, freezes),
    }
}

fn heeded<'f>(schedule: &Schedule, freezes: &'f [Freeze]) -> &'f [Freeze] {
    match schedule.in_freeze {
        true => &[],
        false => freezes,
    }
}

/// Returns the first time that is `now` or later, in the window of the day `due` or of a later one,
/// in no freeze, and not in the same window as `tried`.
fn first_open(
    window: &Window,
    due: Date,
    tried: Option<Timestamp>,
    now: Timestamp,
    freezes: &[Freeze],
) -> Option<Timestamp> {
    // The window that is open now may have begun yesterday.
    let mut day = due.max(day_before(window, now));
    for _ in 0..FURTHEST {
        let mut next = day.checked_add(1.day()).ok()?;
        if let Some((start, end)) = window.on(day) {
            let was_tried = tried.is_some_and(|tried| start <= tried && tried < end);
            let earliest = start.max(now);
            if !was_tried && earliest < end {
                match thawed(earliest, end, freezes) {
                    Some(at) => return Some(at),
                    // Goes on where it thaws.
                    None => next = next.max(day_before(window, frozen_until(earliest, freezes))),
                }
            }
        }
        day = next;
    }
    None
}

/// Returns the first time from `from` on, before `end`, that is in no freeze.
fn thawed(from: Timestamp, end: Timestamp, freezes: &[Freeze]) -> Option<Timestamp> {
    let at = frozen_until(from, freezes);
    (at < end).then_some(at)
}

/// Returns the first time from `at` on that is in no freeze.
fn frozen_until(mut at: Timestamp, freezes: &[Freeze]) -> Timestamp {
    while let Some(freeze) = freezes.iter().find(|freeze| freeze.has(at)) {
        at = freeze.to;
    }
    at
}

/// Returns the day on which a time counts: that on which the window began in which it is, if it is
/// in one.
fn day_of(window: &Window, at: Timestamp) -> Date {
    let before = day_before(window, at);
    let is_of_before = window
        .on(before)
        .is_some_and(|(start, end)| start <= at && at < end);
    match is_of_before {
        true => before,
        false => today(window, at),
    }
}

fn today(window: &Window, at: Timestamp) -> Date {
    at.to_zoned(window.zone().rules().clone()).date()
}

fn day_before(window: &Window, at: Timestamp) -> Date {
    today(window, at).saturating_sub(1.day())
}
