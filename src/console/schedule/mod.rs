//! When the key of a rack is rolled by itself: every so many days, within a window of the week, and
//! not in a freeze.
//!
//! What is here is pure: the time is a parameter.

mod calendar;
mod days;
mod freeze;
mod glob;
mod policy;
mod sentence;
mod window;
mod zone;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use std::fmt;

pub use calendar::{Past, next_opening, next_roll};
pub use days::Days;
pub use freeze::{Freeze, FreezeBounds};
pub use glob::Glob;
pub use policy::{BadPolicy, Policy, Rule, WaveRule};
pub use sentence::BadSchedule;
pub use window::{Minute, Window};
pub use zone::Zone;

/// The longest that a key may wait, in days.
pub const LONGEST: u16 = 3650;

/// When a key is rolled. As text it is a sentence, which is read back as the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// How old a key may become, in days, from 1.
    pub every: u16,
    /// When rolls may begin; any time if there is none.
    pub window: Option<Window>,
    /// Whether they begin in a freeze as well.
    pub in_freeze: bool,
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.every {
            1 => f.write_str("every day")?,
            days => write!(f, "every {days} days")?,
        }
        if let Some(window) = &self.window {
            write!(f, ", {window}")?;
        }
        f.write_str(match self.in_freeze {
            true => ", also in a freeze",
            false => ", not in a freeze",
        })
    }
}
