//! Freezes: spans in which nothing begins by itself.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan as _};

use super::sentence::BadSchedule;
use super::zone::Zone;

/// A span in which no roll begins by itself, its end left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Freeze {
    /// When it begins.
    pub from: Timestamp,
    /// When it is over.
    pub to: Timestamp,
}

impl Freeze {
    /// Makes a freeze of its bounds in Unix ms.
    #[must_use]
    pub fn of_millis(from: i64, to: i64) -> Self {
        let at = |millis, end| Timestamp::from_millisecond(millis).unwrap_or(end);
        Self {
            from: at(from, Timestamp::MIN),
            to: at(to, Timestamp::MAX),
        }
    }

    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.to
    }
}

/// One end of a freeze as a person says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeBounds {
    /// A day, the whole of it.
    Day(Date),
    /// A point in time.
    At(Timestamp),
}

impl FreezeBounds {
    /// Reads `2026-12-20` or `2026-12-20T18:00:00+01:00`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str) -> Result<Self, BadSchedule> {
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let is_date = text.len() == "2026-12-20".len();
        let day = text.parse().ok().filter(|_| is_date);
        day.map(Self::Day)
            .ok_or_else(|| BadSchedule::Bound(text.to_owned()))
    }

    /// Makes the freeze from one end to the other, whose days are those of `zone`.
    ///
    /// # Errors
    /// When it is over before it begins.
    pub fn to(self, end: Self, zone: &Zone) -> Result<Freeze, BadSchedule> {
        let start_of = |day: Date| start_of_day(day, zone.rules());
        let from = match self {
            Self::Day(day) => start_of(day),
            Self::At(at) => at,
        };
        let to = match end {
            Self::Day(day) => start_of(day.saturating_add(1.day())),
            Self::At(at) => at,
        };
        if from >= to {
            return Err(BadSchedule::Backwards);
        }
        Ok(Freeze { from, to })
    }
}

fn start_of_day(day: Date, rules: &TimeZone) -> Timestamp {
    let start = day.to_zoned(rules.clone());
    start.map_or(Timestamp::MAX, |start| start.timestamp())
}
