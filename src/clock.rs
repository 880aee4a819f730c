//! The one place that reads the time and sleeps.
//!
//! Everything else takes a [`Clock`]. Three kinds share one mechanism: a base
//! instant, the time that tokio says has passed since, and a speed.
//! Real time has speed 1; a speeded-up sandbox has more; virtual time is a
//! tokio runtime with its clock paused, which leaps to the next timer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// Tells the time and sleeps, at some speed.
#[derive(Debug, Clone)]
pub struct Clock {
    base: Timestamp,
    origin: Instant,
    speed: f64,
    /// Whether the time is read anew each time.
    follows: bool,
    /// How far the clock and its clones were set forward, in ms.
    ahead: Arc<AtomicI64>,
}

impl Clock {
    /// Follows the machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::starting_at(system_now(), 1.0)
    }

    /// Follows the machine's clock wherever it is set, also while the machine was suspended.
    ///
    /// It is for what runs for months. It may go backwards, which [`Clock::passed`] does not.
    #[must_use]
    pub fn wall() -> Self {
        Self {
            follows: true,
            ..Self::system()
        }
    }

    /// Starts at `base` and runs `speed` times as fast as tokio's clock.
    ///
    /// On a runtime whose clock is paused this is virtual time.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn starting_at(base: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() && speed > 0.0 {
            speed
        } else {
            1.0
        };
        Self {
            base,
            origin: Instant::now(),
            speed,
            follows: false,
            ahead: Arc::default(),
        }
    }

    /// Agreed with the machine's clock at `epoch`, and has run `speed` times as fast since: several
    /// processes that are told the same have the same time.
    #[must_use]
    pub fn since(epoch: Timestamp, speed: f64) -> Self {
        let passed = Duration::try_from(system_now().duration_since(epoch)).unwrap_or_default();
        let base = epoch.saturating_add(passed.mul_f64(speed.max(0.0)));
        Self::starting_at(base.unwrap_or(Timestamp::MAX), speed)
    }

    /// Says what time it is, to the millisecond that AWS timestamps carry.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = if self.follows {
            system_now()
        } else {
            let now = self.base.saturating_add(self.passed());
            now.unwrap_or(Timestamp::MAX)
        };
        let ahead = self.ahead.load(Ordering::Relaxed);
        Timestamp::from_millisecond(now.as_millisecond().saturating_add(ahead)).unwrap_or(now)
    }

    /// Says how much time has passed since this clock was made; whatever it is set to.
    #[must_use]
    pub fn passed(&self) -> Duration {
        self.origin.elapsed().mul_f64(self.speed)
    }

    /// Sets this clock and all its clones forward; whoever sleeps does not notice.
    pub fn set_forward(&self, span: Duration) {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        self.ahead.fetch_add(span, Ordering::Relaxed);
    }

    /// Waits for `span` of this clock's time.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span.div_f64(self.speed)).await;
    }

    /// Returns how many times faster than tokio's clock this one runs.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

/// Reads the machine's wall clock, in milliseconds.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the clock")]
pub fn system_now() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_runtime_is_virtual_time() {
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(base, 1.0);
        clock.sleep(Duration::from_secs(3600)).await;
        assert_eq!(clock.now().to_string(), "2026-01-01T01:00:00Z");
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_is_set_forward_for_everybody_who_has_it() {
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(base, 1.0);
        let other = clock.clone();
        clock.set_forward(Duration::from_secs(60));
        assert_eq!(other.now().to_string(), "2026-01-01T00:01:00Z");
    }

    #[tokio::test(start_paused = true)]
    async fn the_wall_clock_does_not_stand_still_with_the_runtime() {
        let (wall, system) = (Clock::wall(), Clock::system());
        wall.sleep(Duration::from_secs(3600)).await;
        assert!(system.now().duration_since(wall.now()).as_secs() > 3000);
        assert_eq!(wall.passed(), Duration::from_secs(3600));
    }

    #[tokio::test]
    async fn clocks_since_one_epoch_agree() {
        let epoch = system_now()
            .saturating_sub(Duration::from_secs(60))
            .unwrap();
        let (one, other) = (Clock::since(epoch, 10.0), Clock::since(epoch, 10.0));
        let apart = one.now().duration_since(other.now()).as_millis().abs();
        let passed = one.now().duration_since(epoch).as_secs();
        assert!(apart < 10_000 && passed >= 600, "{apart} ms, {passed} s");
    }

    #[tokio::test(start_paused = true)]
    async fn a_fast_clock_sleeps_less() {
        let base: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let fast = Clock::starting_at(base, 60.0);
        let slow = Clock::starting_at(base, 1.0);
        fast.sleep(Duration::from_secs(60)).await;
        assert_eq!(fast.now().to_string(), "2026-01-01T00:01:00Z");
        assert_eq!(slow.now().duration_since(base).as_secs(), 1);
    }
}
