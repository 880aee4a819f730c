//! Gates: what must hold between two batches for a roll to go on.
//!
//! A gate is a command, alarms, or both. One that is shut stops the roll and takes it back. Whether
//! nothing is replaced while a gate is asked depends on who replaces the instances:
//! `docs/gates.md` says who waits for it and who does not.

mod ask;
mod check;
mod halt;
mod revert;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ids::RollId;

pub(super) use ask::Passage;

/// The tag that says that a roll has gates, which only its journal knows.
pub const TAG_GATED: &str = "convox:gated";

/// How long a command may take where nobody says otherwise, in seconds.
pub const GATE_TIMEOUT_SECS: u64 = 600;

/// What must hold between two batches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gates {
    /// A command that must exit with 0. It is in the journal: no place for a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// How long it may take, in seconds.
    pub timeout_secs: u64,
    /// CloudWatch alarms of which none may be in ALARM state.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<String>,
    /// How many instances are replaced and proven before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// There were some, and nobody here knows which.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unknown: bool,
}

impl Default for Gates {
    fn default() -> Self {
        Self {
            command: None,
            timeout_secs: GATE_TIMEOUT_SECS,
            alarms: Vec::new(),
            canary: None,
            unknown: false,
        }
    }
}

impl Gates {
    /// Tells whether nothing must hold.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self
            == Self {
                timeout_secs: self.timeout_secs,
                ..Self::default()
            }
    }

    /// Tells whether anything is asked between batches; a canary alone proves itself.
    pub(super) fn asks(&self) -> bool {
        self.command.is_some() || !self.alarms.is_empty()
    }

    /// Words what must hold.
    #[must_use]
    pub fn in_words(&self) -> String {
        let mut words = Vec::new();
        if let Some(canary) = self.canary {
            words.push(format!("first {canary} alone"));
        }
        if let Some(command) = &self.command {
            words.push(format!(
                "`{command}` exits with 0 within {} s",
                self.timeout_secs
            ));
        }
        if !self.alarms.is_empty() {
            words.push(format!("no alarm of {} is on", self.alarms.join(", ")));
        }
        words.join("; ")
    }
}

/// Where in a roll a gate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GateStage {
    /// After the first instances.
    Canary,
    /// After any other batch but the last.
    Batch,
    /// All instances carry the new key, and the old one is still there.
    Last,
}

impl GateStage {
    /// Returns the word that the command is told.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Canary => "canary",
            Self::Batch => "batch",
            Self::Last => "last",
        }
    }
}

/// What a gate's command is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateCall {
    /// The command.
    pub command: String,
    /// How long it may take.
    pub timeout: Duration,
    /// The roll.
    pub roll: RollId,
    /// The rack.
    pub rack: String,
    /// Where in the roll.
    pub stage: GateStage,
    /// The new key pair.
    pub new_key: String,
    /// How many instances carry the new key.
    pub replaced: u32,
    /// How many there are to be.
    pub total: u32,
    /// The instances that carry the new key.
    pub instances: Vec<String>,
}

/// Runs the commands of gates.
#[async_trait]
pub trait GateRunner: Send + Sync {
    /// Runs a command to its end, or to the end of its time.
    ///
    /// # Errors
    /// Why the gate is shut, in a line. A command whose future is dropped is ended.
    async fn run(&self, call: &GateCall) -> Result<(), String>;
}

/// What a gate has answered, or that it is being asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateReport {
    /// Where in the roll.
    pub stage: GateStage,
    /// How many instances carry the new key.
    pub replaced: u32,
    /// How many there are to be.
    pub total: u32,
    /// Whether it is open; none while it is being asked.
    pub open: Option<bool>,
    /// Why it is shut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How far a running roll is with its gates.
#[derive(Default)]
pub(super) struct GateState {
    pub(super) runner: Option<Arc<dyn GateRunner>>,
    /// How many instances were new when a gate was last asked.
    pub(super) asked_at: u32,
    /// The new key is being promoted, or is: nothing is taken back from there.
    pub(super) is_past: bool,
    /// Why the roll is being taken back.
    pub(super) halted: Option<String>,
    /// What was last told of each instance refresh that the stack leads.
    pub(super) told: std::collections::BTreeMap<String, (String, u32)>,
    /// How many instances such refreshes have replaced, as far as they have come to a checkpoint.
    pub(super) at_checkpoint: u32,
    /// How many they will have replaced when they come to their first.
    pub(super) first_checkpoint: u32,
}
