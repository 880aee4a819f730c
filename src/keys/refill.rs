//! When a balance of credits fills up again: at midnight UTC, daily or on a day of the month.

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _, tz::TimeZone};

use super::model::{Refill, RefillInterval};

/// Returns the last moment at or before `now` at which a balance filled up, in Unix ms, if that
/// is after `since`: when it was last filled up, or made.
#[must_use]
pub fn refilled(refill: &Refill, since: i64, now: i64) -> Option<i64> {
    let today = Timestamp::from_millisecond(now)
        .ok()?
        .to_zoned(TimeZone::UTC)
        .date();
    let day = match refill.interval {
        RefillInterval::Daily => today,
        RefillInterval::Monthly => {
            let this = day_of(today, refill.day.unwrap_or(1));
            if this <= today {
                this
            } else {
                let before = today.first_of_month().checked_sub(1.day()).ok()?;
                day_of(before, refill.day.unwrap_or(1))
            }
        }
    };
    let at = day.to_zoned(TimeZone::UTC).ok()?.timestamp();
    Some(at.as_millisecond()).filter(|at| *at > since)
}

/// Returns that day of `of`'s month, or the month's last where it has none such.
fn day_of(of: Date, day: u8) -> Date {
    let last = of.last_of_month();
    let day = i8::try_from(day).unwrap_or(i8::MAX).clamp(1, last.day());
    of.with().day(day).build().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    fn last(interval: RefillInterval, day: Option<u8>, since: &str, now: &str) -> Option<String> {
        let refill = Refill {
            interval,
            amount: 10,
            day,
        };
        let filled = refilled(&refill, at(since), at(now))?;
        Some(Timestamp::from_millisecond(filled).unwrap().to_string())
    }

    #[test]
    fn daily_is_at_midnight() {
        let daily = |since, now| last(RefillInterval::Daily, None, since, now);
        let midnight = Some("2026-03-02T00:00:00Z".to_owned());
        assert_eq!(
            daily("2026-03-01T12:00:00Z", "2026-03-02T00:00:00Z"),
            midnight
        );
        assert_eq!(
            daily("2026-02-01T12:00:00Z", "2026-03-02T23:59:59Z"),
            midnight
        );
        assert_eq!(daily("2026-03-02T00:00:00Z", "2026-03-02T23:59:59Z"), None);
        assert_eq!(daily("2026-03-01T12:00:00Z", "2026-03-01T23:59:59Z"), None);
    }

    #[test]
    fn monthly_is_on_its_day_or_the_last() {
        let monthly = |day, since, now| last(RefillInterval::Monthly, day, since, now);
        let long_ago = "2020-01-01T00:00:00Z";
        for (day, now, expected) in [
            (Some(15), "2026-03-15T00:00:00Z", "2026-03-15T00:00:00Z"),
            (Some(15), "2026-03-14T23:59:59Z", "2026-02-15T00:00:00Z"),
            (Some(31), "2026-03-30T00:00:00Z", "2026-02-28T00:00:00Z"),
            (Some(31), "2026-02-28T10:00:00Z", "2026-02-28T00:00:00Z"),
            (Some(30), "2028-02-29T10:00:00Z", "2028-02-29T00:00:00Z"),
            (None, "2026-01-01T00:00:01Z", "2026-01-01T00:00:00Z"),
            (Some(5), "2026-01-01T00:00:01Z", "2025-12-05T00:00:00Z"),
        ] {
            assert_eq!(
                monthly(day, long_ago, now).as_deref(),
                Some(expected),
                "{day:?} {now}"
            );
        }
    }
}
