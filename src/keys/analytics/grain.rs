//! The spans of time by which verifications are summed up, in UTC.

use jiff::{Timestamp, tz::TimeZone};

/// A span of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grain {
    /// 60 seconds.
    Minute,
    /// 60 minutes.
    Hour,
    /// 24 hours.
    Day,
    /// A month of the calendar.
    Month,
}

impl Grain {
    /// All of them, the shortest first.
    pub const ALL: [Self; 4] = [Self::Minute, Self::Hour, Self::Day, Self::Month];

    /// Returns when the span that holds `at` begins, both in Unix ms.
    #[must_use]
    pub fn start(self, at: i64) -> i64 {
        match self {
            Self::Minute => floor(at, 60 * 1000),
            Self::Hour => floor(at, 60 * 60 * 1000),
            Self::Day => floor(at, 24 * 60 * 60 * 1000),
            Self::Month => month(at).unwrap_or_else(|| floor(at, 24 * 60 * 60 * 1000)),
        }
    }
}

fn floor(at: i64, span: i64) -> i64 {
    at - at.rem_euclid(span)
}

fn month(at: i64) -> Option<i64> {
    let day = Timestamp::from_millisecond(at)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .date();
    let first = day.first_of_month().to_zoned(TimeZone::UTC).ok()?;
    Some(first.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_begins_where_the_calendar_says() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_millisecond();
        let now = at("2024-02-29T23:59:59.999Z");
        for (grain, start) in [
            (Grain::Minute, "2024-02-29T23:59:00Z"),
            (Grain::Hour, "2024-02-29T23:00:00Z"),
            (Grain::Day, "2024-02-29T00:00:00Z"),
            (Grain::Month, "2024-02-01T00:00:00Z"),
        ] {
            assert_eq!(grain.start(now), at(start), "{grain:?}");
            assert_eq!(grain.start(at(start)), at(start), "{grain:?}");
        }
        assert_eq!(Grain::Minute.start(-1), -60_000);
    }
}
