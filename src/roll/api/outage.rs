//! Measures how long a rack's API answers nobody, while it is being restarted.

use std::time::Duration;

use jiff::Timestamp;

/// Between two looks at the API.
pub(in crate::roll) const BETWEEN_SAMPLES: Duration = Duration::from_secs(2);
/// How long an answer is waited for before it counts as none.
pub(in crate::roll) const SAMPLE_PATIENCE: Duration = Duration::from_secs(5);

/// Adds up the time in which nobody answered.
#[derive(Debug, Default)]
pub(in crate::roll) struct OutageMeter {
    on: bool,
    samples: u64,
    down_since: Option<Timestamp>,
    total: Duration,
}

impl OutageMeter {
    /// Starts measuring.
    pub(in crate::roll) fn start(&mut self) {
        self.on = true;
    }

    /// Stops measuring.
    pub(in crate::roll) fn stop(&mut self, now: Timestamp) {
        self.sample(now, true);
        self.on = false;
    }

    /// Tells whether the API is to be looked at.
    pub(in crate::roll) fn is_on(&self) -> bool {
        self.on
    }

    /// Takes note of one look.
    pub(in crate::roll) fn sample(&mut self, now: Timestamp, answered: bool) {
        if !self.on {
            return;
        }
        self.samples += 1;
        match (answered, self.down_since) {
            (false, None) => self.down_since = Some(now),
            (true, Some(since)) => {
                let span = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                self.total += span;
                self.down_since = None;
            }
            _ => {}
        }
    }

    /// Returns how long nobody answered, in milliseconds; none when nobody was asked.
    pub(in crate::roll) fn total_ms(&self, now: Timestamp) -> Option<u64> {
        let open = self.down_since.map_or(Duration::ZERO, |since| {
            Duration::try_from(now.duration_since(since)).unwrap_or_default()
        });
        let total = (self.total + open).as_millis();
        (self.samples > 0).then(|| u64::try_from(total).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_time_without_an_answer_counts() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut meter = OutageMeter::default();
        meter.sample(at(0), false);
        assert_eq!(meter.total_ms(at(9)), None, "it is not measuring yet");
        meter.start();
        for (second, answered) in [
            (10, true),
            (12, false),
            (14, false),
            (16, true),
            (18, false),
        ] {
            meter.sample(at(second), answered);
        }
        assert_eq!(meter.total_ms(at(20)), Some(6_000));
        meter.stop(at(21));
        assert_eq!(meter.total_ms(at(99)), Some(7_000));
    }
}
