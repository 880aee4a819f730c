//! The exit codes, all of them, in one place.

use crate::roll::Outcome;

/// How the command ends, as a script sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// Done.
    Done,
    /// Failed, and nothing is changed.
    Failed,
    /// The command line or a configuration file is wrong.
    Usage,
    /// Rolled back; the old key still works.
    RolledBack,
    /// The stack is complete, but the new key is not proven.
    Unproven,
    /// Stuck: a person must act.
    Stuck,
    /// Detached: the roll goes on without us.
    Detached,
    /// The stack is busy with another operation.
    Busy,
    /// As a command on another machine ended, whatever its code meant there.
    Remote(u8),
    /// Interrupted a second time, and gone without a word.
    Interrupted,
}

impl Exit {
    /// Returns the code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::RolledBack => 3,
            Self::Unproven => 4,
            Self::Stuck => 5,
            Self::Detached => 6,
            Self::Busy => 7,
            Self::Remote(code) => code,
            Self::Interrupted => 130,
        }
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Done => Self::Done,
            Outcome::NothingChanged => Self::Failed,
            Outcome::RolledBack => Self::RolledBack,
            Outcome::Unproven => Self::Unproven,
            Outcome::Stuck => Self::Stuck,
            Outcome::Detached => Self::Detached,
            Outcome::Busy => Self::Busy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_documentation() {
        for (exit, code) in [
            (Exit::Done, 0),
            (Exit::Failed, 1),
            (Exit::Usage, 2),
            (Exit::RolledBack, 3),
            (Exit::Unproven, 4),
            (Exit::Stuck, 5),
            (Exit::Detached, 6),
            (Exit::Busy, 7),
            (Exit::Interrupted, 130),
        ] {
            assert_eq!(exit.code(), code, "{exit:?}");
        }
    }

    #[test]
    fn every_outcome_has_the_same_code_in_a_report_and_in_the_shell() {
        for outcome in [
            Outcome::Done,
            Outcome::NothingChanged,
            Outcome::RolledBack,
            Outcome::Unproven,
            Outcome::Stuck,
            Outcome::Detached,
            Outcome::Busy,
        ] {
            assert_eq!(
                Exit::from(outcome).code(),
                outcome.exit_code(),
                "{outcome:?}"
            );
        }
    }
}
