//! A window of the week, in the wall-clock time of a zone.

use std::fmt;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::AmbiguousOffset;
use jiff::{Timestamp, ToSpan as _};

use super::days::Days;
use super::sentence::BadSchedule;
use super::zone::Zone;

/// The minutes of a day.
const DAY: u16 = 24 * 60;

/// A minute of the day, up to the 24:00 at which it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Minute(u16);

impl Minute {
    /// Takes hours and minutes; none if they are no time of the day.
    #[must_use]
    pub fn of(hour: u16, minute: u16) -> Option<Self> {
        let all = hour.checked_mul(60)?.checked_add(minute)?;
        (minute < 60 && all <= DAY).then_some(Self(all))
    }

    /// Reads `3:00` or `03:00`.
    ///
    /// # Errors
    /// When it is no time of the day.
    pub(super) fn read(text: &str) -> Result<Self, BadSchedule> {
        let number = |text: &str| {
            let is_short = (1..=2).contains(&text.len());
            let is_number = is_short && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| is_number)
        };
        let read = || {
            let (hour, minute) = text.split_once(':')?;
            (minute.len() == 2).then_some(())?;
            Self::of(number(hour)?, number(minute)?)
        };
        read().ok_or_else(|| BadSchedule::Time(text.to_owned()))
    }

    /// Returns the time on a day; 24:00 is the next one's midnight.
    fn on(self, day: Date) -> DateTime {
        let day = match self.0 {
            DAY => day.saturating_add(1.day()),
            _ => day,
        };
        let part = |number: u16| i8::try_from(number).unwrap_or_default();
        let time = Time::new(part(self.0 / 60 % 24), part(self.0 % 60), 0, 0);
        day.to_datetime(time.unwrap_or(Time::midnight()))
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// When rolls may begin, such as `Tue 03:00-05:00 Europe/Paris`. Its end is left out; one that is
/// before its start is on the next day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    days: Days,
    from: Minute,
    to: Minute,
    zone: Zone,
}

impl Window {
    /// Makes a window that begins on each of `days`.
    ///
    /// # Errors
    /// [`BadSchedule::Empty`] when it ends where it begins.
    pub fn new(days: Days, from: Minute, to: Minute, zone: Zone) -> Result<Self, BadSchedule> {
        // Midnight as an end is the day's last, and as a beginning its first.
        let to = if to.0 == 0 { Minute(DAY) } else { to };
        let from = Minute(from.0 % DAY);
        if from == to {
            return Err(BadSchedule::Empty(from.to_string()));
        }
        Ok(Self {
            days,
            from,
            to,
            zone,
        })
    }

    /// Returns its zone.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// Returns the span of the window that begins on a day; none if it does not begin then, or if
    /// the zone's clocks leap over all of it.
    ///
    /// It begins when the clocks first tell its start or more, and ends when they first tell its
    /// end or more.
    #[must_use]
    pub fn on(&self, day: Date) -> Option<(Timestamp, Timestamp)> {
        if !self.days.has(day.weekday()) {
            return None;
        }
        let last = match self.to < self.from {
            true => day.checked_add(1.day()).ok()?,
            false => day,
        };
        let start = self.first_at(self.from.on(day))?;
        let end = self.first_at(self.to.on(last))?;
        (start < end).then_some((start, end))
    }

    /// Returns when the clocks of the zone first tell `time` or more.
    fn first_at(&self, time: DateTime) -> Option<Timestamp> {
        let rules = self.zone.rules();
        let told = rules.to_ambiguous_timestamp(time);
        match told.offset() {
            AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(time).ok(),
            // The first of both times.
            AmbiguousOffset::Fold { before, .. } => before.to_timestamp(time).ok(),
            // As if they had leapt already: that is earlier than the leap, which is the next one.
            AmbiguousOffset::Gap { after, .. } => {
                let earlier = after.to_timestamp(time).ok()?;
                let leap = rules.following(earlier).next()?;
                Some(leap.timestamp())
            }
        }
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            days,
            from,
            to,
            zone,
        } = self;
        write!(f, "{days} {from}-{to} {zone}")
    }
}
