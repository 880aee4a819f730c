//! Days of the week.

use std::fmt;

use jiff::civil::Weekday;

use super::sentence::BadSchedule;

/// The names of the days, as they are written; longer ones that begin so are read as well.
const NAMES: [(Weekday, &str, &str); 7] = [
    (Weekday::Monday, "Mon", "monday"),
    (Weekday::Tuesday, "Tue", "tuesday"),
    (Weekday::Wednesday, "Wed", "wednesday"),
    (Weekday::Thursday, "Thu", "thursday"),
    (Weekday::Friday, "Fri", "friday"),
    (Weekday::Saturday, "Sat", "saturday"),
    (Weekday::Sunday, "Sun", "sunday"),
];

/// Some days of the week, at least one. As text they are `Mon-Fri`, `Tue,Thu` or `daily`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Days([bool; 7]);

impl Days {
    /// All of them.
    pub const ALL: Self = Self([true; 7]);

    /// Takes some days; none of none.
    #[must_use]
    pub fn of(days: &[Weekday]) -> Option<Self> {
        let mut taken = [false; 7];
        for day in days {
            taken[place(*day)] = true;
        }
        (!days.is_empty()).then_some(Self(taken))
    }

    /// Tells whether a day is one of them.
    #[must_use]
    pub fn has(&self, day: Weekday) -> bool {
        self.0[place(day)]
    }

    /// Reads days such as `Tue`, `mon-fri`, `Tue,Thu` or `daily`; `Sat-Mon` passes the week's end.
    ///
    /// # Errors
    /// When one of the words is no day.
    pub(super) fn read(text: &str) -> Result<Self, BadSchedule> {
        if text.eq_ignore_ascii_case("daily") {
            return Ok(Self::ALL);
        }
        let mut taken = Vec::new();
        for part in text.split(',').map(str::trim) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            taken.push(first);
            let mut next = first;
            while next != last {
                next = next.next();
                taken.push(next);
            }
        }
        Self::of(&taken).ok_or_else(|| BadSchedule::Day(text.to_owned()))
    }
}

fn place(day: Weekday) -> usize {
    usize::try_from(day.to_monday_zero_offset()).unwrap_or_default()
}

fn day(text: &str) -> Result<Weekday, BadSchedule> {
    let wanted = text.trim().to_ascii_lowercase();
    let is_it = |(_, _, long): &&(Weekday, &str, &str)| {
        wanted.len() >= 3 && (long.starts_with(&wanted) || *long == wanted.trim_end_matches('s'))
    };
    let found = NAMES.iter().find(is_it);
    found.map_or_else(
        || Err(BadSchedule::Day(text.trim().to_owned())),
        |(day, ..)| Ok(*day),
    )
}

impl fmt::Display for Days {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::ALL {
            return f.write_str("daily");
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while at < NAMES.len() {
            let run = self.0[at..].iter().take_while(|taken| **taken).count();
            match run {
                0 => {}
                1 => parts.push(NAMES[at].1.to_owned()),
                2 => parts.push(format!("{},{}", NAMES[at].1, NAMES[at + 1].1)),
                _ => parts.push(format!("{}-{}", NAMES[at].1, NAMES[at + run - 1].1)),
            }
            at += run.max(1);
        }
        f.write_str(&parts.join(","))
    }
}
