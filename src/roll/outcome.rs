//! How a roll can end, and the exit code of each end.

use serde::{Deserialize, Serialize};

use super::event::Holdout;

/// How a roll ended, or how we left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every live instance carries the new key; the old one is retired.
    Done,
    /// Refused or failed before the stack was touched; nothing is changed.
    NothingChanged,
    /// CloudFormation went back; the old key still works and the new one is gone.
    RolledBack,
    /// The stack is complete, but some live instance still carries another key.
    Unproven,
    /// A person must act.
    Stuck,
    /// The roll goes on in AWS without us.
    Detached,
    /// The stack was busy with something else for too long; nothing is changed.
    Busy,
}

impl Outcome {
    /// Returns the exit code of the command.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::NothingChanged => 1,
            Self::RolledBack => 3,
            Self::Unproven => 4,
            Self::Stuck => 5,
            Self::Detached => 6,
            Self::Busy => 7,
        }
    }
}

/// The first thing that failed, and so why the rest did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The stack that holds the resource.
    pub stack: String,
    /// The resource's name in the template; `gate` where a gate had the update cancelled.
    pub logical_id: String,
    /// Its type; `Convox::Gate` is that of a gate, which is none of AWS's.
    pub resource_type: String,
    /// The reason in AWS's words.
    pub reason: String,
}

/// What a person or a script is told at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How it ended.
    pub outcome: Outcome,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// One line that says what happened.
    pub message: String,
    /// What to do next, each a line.
    pub hints: Vec<String>,
    /// The key pair that the rack had.
    pub old_key: Option<String>,
    /// The key pair that the roll made.
    pub new_key: Option<String>,
    /// What failed first, in a roll that failed.
    pub first_failure: Option<Failure>,
    /// Live instances without the new key, in a roll that is not proven.
    pub holdouts: Vec<Holdout>,
    /// For how long nobody answered for the rack API, in milliseconds, where it was asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unavailable_ms: Option<u64>,
}

impl Report {
    /// Tells whether nothing is left to do; else the roll can be resumed.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.outcome {
            Outcome::Done | Outcome::RolledBack => true,
            Outcome::NothingChanged | Outcome::Busy => self.new_key.is_none(),
            Outcome::Unproven | Outcome::Stuck | Outcome::Detached => false,
        }
    }
}
