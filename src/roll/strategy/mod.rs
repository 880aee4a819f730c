//! How the instances of a rack are replaced: the one place where ways to do so differ.
//!
//! CloudFormation takes the new key in every one of them; what differs is what is asked of the
//! rack beforehand, what is done beside CloudFormation, and what is put back afterwards.

mod guard;
mod hooks;
mod leaving;
mod loads;
mod movable;
mod outlook;
mod room;
mod surplus;
mod tend;
mod touches;
mod waiting;
mod words;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub(super) use outlook::stays_up;
pub(super) use room::{Room, room};
pub(super) use tend::Tending;
pub use touches::{SetAside, Touches};
pub(super) use touches::{left_over_hooks, refusals, warnings};
pub(super) use words::{guard_words, restore_words};

/// A way to replace the instances.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// As the stack's own update policy says.
    #[default]
    CloudFormation,
    /// New instances first; an old one goes only when its tasks run elsewhere.
    Surge,
    /// By an instance refresh of Auto Scaling.
    Refresh,
}

impl Strategy {
    /// Returns the name that a person types.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CloudFormation => "cloudformation",
            Self::Surge => "surge",
            Self::Refresh => "refresh",
        }
    }

    /// Finds a way by its name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::CloudFormation, Self::Surge, Self::Refresh]
            .into_iter()
            .find(|strategy| strategy.as_str() == name)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many old instances a surge keeps beside the new ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurgeSize {
    /// In percent of the rack's instances.
    Percent(u32),
    /// So many.
    Count(u32),
}

impl Default for SurgeSize {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl SurgeSize {
    /// All of them.
    pub const DEFAULT: Self = Self::Percent(100);

    /// Tells whether it is all of them, however many there are.
    #[must_use]
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Percent(100..))
    }
}

impl fmt::Display for SurgeSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

impl FromStr for SurgeSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (number, made): (&str, fn(u32) -> Self) = match text.strip_suffix('%') {
            Some(number) => (number, Self::Percent),
            None => (text, Self::Count),
        };
        match number.parse() {
            Ok(number) if number > 0 => Ok(made(number)),
            _ => Err("expected a share such as 50%, or a number of instances"),
        }
    }
}
