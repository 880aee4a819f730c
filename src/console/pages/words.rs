//! Times and spans of time, as people say them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// A moment, for a `<time>`: how a machine writes it, how a person does, and how long ago it was.
pub(super) struct Moment {
    pub(super) machine: String,
    pub(super) person: String,
    pub(super) ago: String,
}

impl Moment {
    /// Words a time in Unix ms as it is seen at `now`.
    pub(super) fn at(time: i64, now: i64) -> Self {
        let stamp = Timestamp::from_millisecond(time).unwrap_or_default();
        let zoned = stamp.to_zoned(TimeZone::UTC);
        let ago = match now - time {
            0..MINUTE => "just now".to_owned(),
            past if past > 0 => format!("{} ago", span(past)),
            future => format!("in {}", span(-future)),
        };
        Self {
            machine: format!("{stamp:.0}"),
            person: zoned.strftime("%Y-%m-%d %H:%M UTC").to_string(),
            ago,
        }
    }

    /// The same for a time that may be unknown.
    pub(super) fn maybe(time: Option<i64>, now: i64) -> Option<Self> {
        time.map(|time| Self::at(time, now))
    }
}

/// Words a span of time in ms by its largest unit.
pub(super) fn span(ms: i64) -> String {
    let (count, unit) = match ms {
        ..MINUTE => (ms / 1000, "second"),
        MINUTE..HOUR => (ms / MINUTE, "minute"),
        HOUR..DAY => (ms / HOUR, "hour"),
        _ => (ms / DAY, "day"),
    };
    counted(count, unit)
}

/// Words the ends of a span of time that is plotted, in Unix ms.
pub(super) fn ends(from: i64, to: i64) -> (String, String) {
    (
        Moment::at(from, from).person,
        format!("{} later", span(to - from)),
    )
}

/// Words a number of things.
pub(super) fn counted(count: i64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// How old a key is: a word, and how much of a worry that is.
pub(super) struct Age {
    pub(super) told: String,
    /// `fresh`, `due`, `old` or `unknown`: a class of the style.
    pub(super) class: &'static str,
}

impl Age {
    /// Words the age of a key that was made at `since`, in Unix ms. A key ought to be replaced
    /// every 90 days, as most rules for them say, and is about to be after 60.
    pub(super) fn of(since: Option<i64>, now: i64) -> Self {
        let Some(since) = since else {
            return Self {
                told: "unknown".to_owned(),
                class: "unknown",
            };
        };
        let age = (now - since).max(0);
        let class = match age / DAY {
            ..60 => "fresh",
            60..90 => "due",
            _ => "old",
        };
        Self {
            told: span(age),
            class,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_worded_by_their_largest_unit() {
        let now = 1_000 * DAY;
        for (time, expected) in [
            (now, "just now"),
            (now - 59_999, "just now"),
            (now - MINUTE, "1 minute ago"),
            (now - 2 * HOUR, "2 hours ago"),
            (now - 40 * DAY, "40 days ago"),
            (now + 90 * MINUTE, "in 1 hour"),
            (now + 5_000, "in 5 seconds"),
        ] {
            assert_eq!(Moment::at(time, now).ago, expected);
        }
        let moment = Moment::at(0, now);
        assert_eq!(moment.machine, "1970-01-01T00:00:00Z");
        assert_eq!(moment.person, "1970-01-01 00:00 UTC");
    }

    #[test]
    fn a_key_grows_old_after_ninety_days() {
        let class = |days: i64| Age::of(Some(0), days * DAY).class;
        assert_eq!(
            [class(0), class(59), class(60), class(89), class(90)],
            ["fresh", "fresh", "due", "due", "old"]
        );
        assert_eq!(Age::of(None, 0).class, "unknown");
    }
}
