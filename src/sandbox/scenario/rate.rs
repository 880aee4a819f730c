//! The limits of an account on calls: one bucket of tokens for each API, as EC2 documents its own
//! ("Request throttling for the Amazon EC2 API").

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fault::Rate;

/// What is as good as one call: time is cut to milliseconds.
const ONE: f64 = 0.999;

/// What calls of one API are still granted.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Bucket {
    /// How many there were, and when; none before the first call.
    left: Option<(f64, Timestamp)>,
}

impl Bucket {
    /// Takes one call at `now`, if there is one. One that is refused costs nothing.
    pub(super) fn grants(&mut self, rate: &Rate, now: Timestamp) -> bool {
        let most = rate.burst.unwrap_or(rate.per_second).max(1.0);
        let left = match self.left {
            None => most,
            Some((left, at)) => {
                let passed = now.duration_since(at).as_secs_f64().max(0.0);
                most.min(left + passed * rate.per_second)
            }
        };
        let granted = left >= ONE;
        self.left = Some((if granted { left - 1.0 } else { left }, now));
        granted
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_is_granted_and_then_the_rate() {
        let rate = Rate {
            api: "*".to_owned(),
            per_second: 2.0,
            burst: Some(5.0),
        };
        let mut bucket = Bucket::default();
        let at = |ms| {
            let span = Duration::from_millis(ms);
            Timestamp::UNIX_EPOCH.checked_add(span).unwrap()
        };
        let mut granted = |ms| (0..10).filter(|_| bucket.grants(&rate, at(ms))).count();
        assert_eq!(granted(0), 5);
        assert_eq!(granted(499), 0);
        assert_eq!(granted(500), 1);
        assert_eq!(granted(2_000), 3);
        assert_eq!(granted(60_000), 5, "no more than a burst is saved");
    }
}
