//! When to look next: soon after something is due, seldom in between.

use std::time::Duration;

use jiff::Timestamp;

/// Calls that a minute of waiting earns, on average (issue budget: 12 a minute).
const EARNED_PER_MINUTE: f64 = 11.0;
/// Calls that can be saved up for a time when something is due.
const MOST_SAVED: f64 = 80.0;
/// Calls in hand at the start.
const FIRST_SAVED: f64 = 8.0;

/// Between looks when the end may come at any moment.
const NEAR: Duration = Duration::from_millis(1_500);
/// Between looks while instances are being replaced: a batch takes a minute or more.
const FAR: Duration = Duration::from_secs(10);
/// Between looks before the first instance is touched.
const EARLY: Duration = Duration::from_secs(5);
/// Between looks while something goes on that says nothing of its length.
const MIDDLING: Duration = Duration::from_secs(4);
/// The same, with enough saved to look more often.
const CURIOUS: Duration = Duration::from_secs(2);
/// Calls kept back for the very end.
const RESERVE: f64 = 5.0;
/// Between looks at one of many racks: they share what calls an account may make, and nobody
/// watches each of them.
mod calm {
    use std::time::Duration;

    /// While instances are being replaced.
    pub(super) const FAR: Duration = Duration::from_secs(30);
    /// Before the first instance is touched.
    pub(super) const EARLY: Duration = Duration::from_secs(10);
    /// At any other time.
    pub(super) const NEAR: Duration = Duration::from_secs(5);
}

/// Between looks when every earned call is spent.
const SPENT: Duration = Duration::from_secs(6);
/// The longest pause after a read that failed.
const LONGEST_BACKOFF: Duration = Duration::from_secs(30);

/// What is known of the time until the next thing worth seeing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expectation {
    /// The last status may come at any moment.
    EndIsNear,
    /// The update has begun, and no instance has been touched yet.
    Starting,
    /// Instances are being replaced.
    Replacing,
    /// Something goes on that says nothing of its length.
    Working,
}

/// Spends a budget of calls where they tell most.
#[derive(Debug)]
pub(super) struct Pacing {
    saved: f64,
    earned_until: Timestamp,
    failures: u32,
    is_calm: bool,
}

impl Pacing {
    /// Starts a budget at `now`.
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            saved: FIRST_SAVED,
            earned_until: now,
            failures: 0,
            is_calm: false,
        }
    }

    /// Looks less often, as at one of many racks, if that is so.
    pub(super) fn calm(mut self, is_calm: bool) -> Self {
        self.is_calm = is_calm;
        self
    }

    /// Returns how long to wait after a read that was answered.
    pub(super) fn after_success(&mut self, now: Timestamp, expected: Expectation) -> Duration {
        self.failures = 0;
        self.spend_one(now);
        match expected {
            Expectation::Starting if self.is_calm => calm::EARLY,
            Expectation::Replacing if self.is_calm => calm::FAR,
            Expectation::Starting => EARLY,
            Expectation::Replacing => FAR,
            _ if self.saved < 1.0 => SPENT,
            _ if self.is_calm => calm::NEAR,
            Expectation::EndIsNear => NEAR,
            Expectation::Working if self.saved > RESERVE => CURIOUS,
            Expectation::Working => MIDDLING,
        }
    }

    /// Returns how long to wait after a read that was throttled or lost: 2, 4, 8 and up to 30 s.
    pub(super) fn after_failure(&mut self, now: Timestamp) -> Duration {
        self.spend_one(now);
        self.failures += 1;
        Duration::from_secs(1 << self.failures.min(5)).min(LONGEST_BACKOFF)
    }

    fn spend_one(&mut self, now: Timestamp) {
        let passed = now.duration_since(self.earned_until).as_secs_f64().max(0.0);
        self.earned_until = now;
        self.saved = (self.saved + passed * EARNED_PER_MINUTE / 60.0 - 1.0).clamp(0.0, MOST_SAVED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn calls_in(minutes: i64, expected: Expectation) -> usize {
        calls_if(false, minutes, expected)
    }

    fn calls_if(is_calm: bool, minutes: i64, expected: Expectation) -> usize {
        let mut now = Timestamp::UNIX_EPOCH;
        let end = Timestamp::from_second(minutes * 60).unwrap();
        let mut pacing = Pacing::new(now).calm(is_calm);
        let mut calls = 0;
        while now < end {
            calls += 1;
            now = now
                .saturating_add(pacing.after_success(now, expected))
                .unwrap();
        }
        calls
    }

    #[test]
    fn even_an_end_that_never_comes_stays_within_the_budget() {
        assert!(calls_in(60, Expectation::EndIsNear) <= 12 * 60);
        assert!(calls_in(60, Expectation::Working) <= 12 * 60);
        assert!(calls_in(60, Expectation::Replacing) <= 8 * 60);
    }

    #[test]
    fn one_of_many_is_looked_at_less_often() {
        for (expected, calm, alone) in [
            (Expectation::Starting, 6, 12),
            (Expectation::Replacing, 2, 6),
            (Expectation::EndIsNear, 12, 18),
        ] {
            assert_eq!(calls_if(true, 1, expected), calm, "{expected:?}");
            assert_eq!(calls_in(1, expected), alone, "{expected:?}");
        }
    }

    #[test]
    fn a_long_roll_saves_for_its_end() {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut pacing = Pacing::new(now);
        for _ in 0..75 {
            now = now
                .saturating_add(pacing.after_success(now, Expectation::Replacing))
                .unwrap();
        }
        for _ in 0..40 {
            let wait = pacing.after_success(now, Expectation::EndIsNear);
            assert_eq!(wait, NEAR);
            now = now.saturating_add(wait).unwrap();
        }
    }

    #[test]
    fn failures_slow_down_and_success_recovers() {
        let mut pacing = Pacing::new(Timestamp::UNIX_EPOCH);
        let waits: Vec<_> = (0..6)
            .map(|_| pacing.after_failure(Timestamp::UNIX_EPOCH).as_secs())
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 30, 30]);
        pacing.after_success(Timestamp::UNIX_EPOCH, Expectation::Working);
        assert_eq!(pacing.after_failure(Timestamp::UNIX_EPOCH).as_secs(), 2);
    }
}
