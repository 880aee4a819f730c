//! Schedules as people write them: `every 90 days, Tue 03:00-05:00 Europe/Paris, not in a freeze`.

use std::str::FromStr;

use super::days::Days;
use super::window::{Minute, Window};
use super::zone::Zone;
use super::{LONGEST, Schedule};

/// Why a text is no schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// It does not begin with how often.
    #[error("`{0}` does not say how often")]
    Every(String),
    /// So often is never, or not in a lifetime.
    #[error("every {0} days is not from 1 to {LONGEST}")]
    Span(String),
    /// A word is no day of the week.
    #[error("`{0}` is no day of the week")]
    Day(String),
    /// A word is no time of the day.
    #[error("`{0}` is no time of the day")]
    Time(String),
    /// A window has other parts than days, times and a zone.
    #[error("`{0}` is no window")]
    Window(String),
    /// A window has no zone.
    #[error("`{0}` names no time zone")]
    NoZone(String),
    /// There is no zone of that name.
    #[error("there is no time zone `{0}`")]
    Zone(String),
    /// A window ends where it begins.
    #[error("the window ends at {0}, where it begins")]
    Empty(String),
    /// A bound of a freeze is neither a day nor a time.
    #[error("`{0}` is neither a day nor a time")]
    Bound(String),
    /// A freeze is over before it begins.
    #[error("the freeze is over before it begins")]
    Backwards,
}

impl BadSchedule {
    /// Returns what to write instead.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Every(_) => {
                "begin with `every 90 days`, and go on with a window if there is to be one: `, Tue \
                 03:00-05:00 Europe/Paris`"
            }
            Self::Span(_) => "such as `every 90 days`",
            Self::Day(_) => {
                "days are Mon, Tue, Wed, Thu, Fri, Sat and Sun, such as `Tue`, `Mon-Fri` or \
                 `Tue,Thu`; `daily` is all of them"
            }
            Self::Time(_) => "times are from 00:00 to 24:00, such as `03:00-05:00`",
            Self::Window(_) => "such as `Tue 03:00-05:00 Europe/Paris`",
            Self::NoZone(_) => "say whose clocks are meant: `Europe/Paris`, or `UTC`",
            Self::Zone(_) => {
                "zones have the names of the IANA database, such as `Europe/Paris`, \
                 `America/New_York` or `UTC`"
            }
            Self::Empty(_) => "`00:00-24:00` is the whole day",
            Self::Bound(_) => "such as 2026-12-20, or 2026-12-20T18:00:00+01:00",
            Self::Backwards => "its end comes after its beginning; a day is meant as a whole",
        }
    }
}

impl FromStr for Schedule {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let mut parts: Vec<_> = text.split(',').map(str::trim).collect();
        let every = read_every(parts.remove(0))?;
        let in_freeze = match parts.last().map(|last| last.to_ascii_lowercase()) {
            Some(last) if last == "not in a freeze" => Some(false),
            Some(last) if last == "also in a freeze" => Some(true),
            _ => None,
        };
        if in_freeze.is_some() {
            parts.pop();
        }
        let window = match parts.is_empty() {
            true => None,
            // Days have commas between them too.
            false => Some(parts.join(",").parse()?),
        };
        Ok(Self {
            every,
            window,
            in_freeze: in_freeze.unwrap_or(false),
        })
    }
}

/// Reads `every 90 days`, `every 2 weeks`, `every day` or `every week`.
pub(super) fn read_every(text: &str) -> Result<u16, BadSchedule> {
    let words: Vec<_> = text.split_whitespace().map(str::to_lowercase).collect();
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    let (count, unit) = match words.as_slice() {
        ["every", unit] => ("1", *unit),
        ["every", count, unit] => (*count, *unit),
        _ => return Err(BadSchedule::Every(text.to_owned())),
    };
    let days = match unit {
        "day" | "days" => 1,
        "week" | "weeks" => 7,
        _ => return Err(BadSchedule::Every(text.to_owned())),
    };
    let count: u64 = count
        .parse()
        .map_err(|_| BadSchedule::Every(text.to_owned()))?;
    checked_days(count.saturating_mul(days))
}

/// Makes sure that so many days are a span that a key may have.
pub(super) fn checked_days(days: u64) -> Result<u16, BadSchedule> {
    let checked = u16::try_from(days).ok();
    let checked = checked.filter(|days| (1..=LONGEST).contains(days));
    checked.ok_or_else(|| BadSchedule::Span(days.to_string()))
}

impl FromStr for Window {
    type Err = BadSchedule;

    fn from_str(text: &str) -> Result<Self, BadSchedule> {
        let spaced = text.split(',').map(str::trim).collect::<Vec<_>>().join(",");
        let words: Vec<_> = spaced.split_whitespace().collect();
        let (days, times, zone) = match words.as_slice() {
            [days, times, zone] => (*days, *times, *zone),
            [times, zone] if times.contains(':') => ("daily", *times, *zone),
            [_, times] if times.contains(':') => return Err(BadSchedule::NoZone(text.to_owned())),
            [times] if times.contains(':') => return Err(BadSchedule::NoZone(text.to_owned())),
            _ => return Err(BadSchedule::Window(text.to_owned())),
        };
        let days = Days::read(days)?;
        let (from, to) = times
            .split_once('-')
            .ok_or_else(|| BadSchedule::Time(times.to_owned()))?;
        let (from, to) = (Minute::read(from)?, Minute::read(to)?);
        let zone = Zone::named(zone).ok_or_else(|| BadSchedule::Zone(zone.to_owned()))?;
        Self::new(days, from, to, zone)
    }
}
