//! Stands in for the engine until it arrives.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::{Advice, Event, EventSink, Outcome, Plan, Report, RollOptions};
use crate::clock::Clock;
use crate::ids::{Entropy, RollId};
use crate::rack::Rack;

/// Why a roll did not begin.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// `NothingChanged` or `Busy`.
    pub outcome: Outcome,
    /// The reasons, each with the way out.
    pub reasons: Vec<Advice>,
}

/// One roll in a list.
#[derive(Debug, Clone, Serialize)]
pub struct RollSummary {
    /// The id.
    pub id: RollId,
    /// The rack.
    pub rack: String,
    /// When it began.
    pub started_at: Timestamp,
    /// A step's name or an outcome.
    pub state: String,
    /// How it ended, if it has.
    pub outcome: Option<Outcome>,
    /// The key pair before.
    pub old_key: Option<String>,
    /// The key pair that it made.
    pub new_key: String,
    /// Whether the journal is on this machine.
    pub local: bool,
}

/// Where journals are kept.
pub struct Journals;

impl Journals {
    /// Stub.
    #[must_use]
    pub fn new(_dir: PathBuf) -> Self {
        Self
    }

    /// Stub.
    ///
    /// # Errors
    /// Never.
    pub fn events(&self, _roll: &RollId) -> Result<Option<Vec<Event>>, std::io::Error> {
        Ok(None)
    }
}

/// A request to stop following.
#[derive(Clone, Default)]
pub struct Stop;

impl Stop {
    /// Stub.
    #[must_use]
    pub fn new() -> Self {
        Self
    }

    /// Stub.
    pub fn request(&self) {}
}

/// Stub.
pub struct Engine {
    _sink: Box<dyn EventSink>,
}

impl Engine {
    /// Stub.
    #[must_use]
    pub fn new(
        _rack: Rack,
        _clock: Clock,
        _entropy: Entropy,
        _journals: Journals,
        sink: Box<dyn EventSink>,
        _stop: Stop,
    ) -> Self {
        Self { _sink: sink }
    }

    fn refuse<T>() -> Result<T, Refusal> {
        Err(Refusal {
            outcome: Outcome::NothingChanged,
            reasons: Vec::new(),
        })
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub async fn plan(&mut self, _: RollOptions, _: Duration) -> Result<Plan, Refusal> {
        Self::refuse()
    }

    /// Stub.
    pub async fn run(&mut self, _plan: Plan, _detach: bool) -> Report {
        Report {
            outcome: Outcome::NothingChanged,
            exit_code: 1,
            message: "no engine yet".to_owned(),
            hints: Vec::new(),
            old_key: None,
            new_key: None,
            first_failure: None,
            holdouts: Vec::new(),
        }
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub async fn resume(&mut self, _id: &RollId) -> Result<Report, Refusal> {
        Self::refuse()
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub async fn cancel(&mut self, _id: &RollId) -> Result<Report, Refusal> {
        Self::refuse()
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub async fn continue_rollback(
        &mut self,
        _id: &RollId,
        _skip: &[String],
    ) -> Result<Report, Refusal> {
        Self::refuse()
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub async fn rolls(&mut self) -> Result<Vec<RollSummary>, Refusal> {
        Self::refuse()
    }

    /// Stub.
    ///
    /// # Errors
    /// Always.
    pub fn timeline(&self, _id: &RollId) -> Result<Vec<Event>, Refusal> {
        Self::refuse()
    }
}
