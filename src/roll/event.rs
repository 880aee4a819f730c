//! The event stream: the only output of the executor, and what every renderer reads.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::gate::GateReport;
use super::outcome::{Failure, Report};
use super::plan::{Plan, Step};
use super::refresh::RefreshReport;
use crate::ids::RollId;
use crate::rack::{KeyProof, StackEvent, Through};

/// One thing that happened in a roll.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Version of this format.
    pub v: u32,
    /// Counts from 1 within one run of the command: the cursor of the stream.
    pub seq: u64,
    /// When it was seen.
    pub at: Timestamp,
    /// The roll.
    pub roll: RollId,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The version that [`Event::v`] carries.
pub const EVENT_VERSION: u32 = 1;

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EventKind {
    /// The plan that is about to be carried out, or is being resumed.
    Planned(Box<Plan>),
    /// A roll is picked up again, with what was known of it.
    Resumed {
        /// Whether its journal was found on this machine.
        from_journal: bool,
        /// The step that it goes on with.
        step: Step,
    },
    /// A step begins.
    StepStarted {
        /// The step.
        step: Step,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: Step,
        /// What it did, in words.
        detail: String,
    },
    /// A step failed; what follows is either a retry or a discard.
    StepFailed {
        /// The step.
        step: Step,
        /// Why, in one line.
        message: String,
    },
    /// The stack is busy with another operation, and we wait for it.
    Busy {
        /// The stack's status.
        status: String,
        /// Milliseconds until the next look.
        retry_in_ms: u64,
    },
    /// The account asks for fewer calls. The roll goes on, more slowly.
    Throttled {
        /// The API operation.
        api: String,
        /// Milliseconds until the next try.
        retry_in_ms: u64,
    },
    /// CloudFormation says something.
    Stack(StackEvent),
    /// A rack that is reached over its API says another word about itself.
    System {
        /// The word, such as `updating`.
        status: String,
    },
    /// How far the instances are.
    Progress(Progress),
    /// The update goes back: told at its first sign.
    RollbackDetected {
        /// What failed first, if it is known yet.
        cause: Option<Failure>,
    },
    /// Instances were asked which key they carry.
    Verified {
        /// Instances that carry the new key.
        proven: usize,
        /// Live instances that do not.
        holdouts: Vec<Holdout>,
        /// Milliseconds until the next look; none when this was the last.
        retry_in_ms: Option<u64>,
    },
    /// The rack API's processes are being replaced.
    Restarting {
        /// How many there should be.
        desired: u32,
        /// How many run that have started since the key changed.
        fresh: u32,
        /// How many there are of the others.
        stale: u32,
    },
    /// An instance refresh is further, or has come to its end.
    Refresh(RefreshReport),
    /// A gate between two batches is asked, or has answered.
    Gate(GateReport),
    /// One instance has come to its end in a revocation.
    Instance(InstanceReport),
    /// Something that somebody should know, and that stops nothing.
    Warning {
        /// What, in one line.
        message: String,
    },
    /// The roll came to an end, or we stopped following it.
    Finished(Report),
}

/// How many instances have been replaced, as CloudFormation's events tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Instances with the old key when the roll began, in all groups that roll.
    pub total: u32,
    /// Of these, how many are gone.
    pub replaced: u32,
    /// New instances that have reported in.
    pub arrived: u32,
    /// The group that is being rolled, by its name in the template.
    pub group: Option<String>,
    /// Instances taken at a time in that group.
    pub batch: Option<u32>,
    /// Milliseconds until all are replaced, by the pace so far.
    pub eta_ms: Option<u64>,
    /// Whether the instances are going back to the old key.
    pub rolling_back: bool,
}

/// A live instance without the new key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdout {
    /// The instance id.
    pub instance: String,
    /// The key pair that it was started with.
    pub key_name: Option<String>,
    /// The group or fleet that it belongs to.
    pub owner: Option<String>,
    /// Its lifecycle state in its group, or else its EC2 state.
    pub state: String,
}

/// What came of one instance in a revocation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance id.
    pub instance: String,
    /// The way to it; none where there is none.
    pub through: Option<Through>,
    /// How it is known that the new key is let in and the old one is not, if it is.
    pub proof: Option<KeyProof>,
    /// Why it is not.
    pub error: Option<String>,
}

/// Takes events as they happen.
pub trait EventSink: Send {
    /// Takes one event. A sink that cannot write keeps quiet: the roll goes on.
    fn event(&mut self, event: &Event);
}

impl EventSink for Vec<Event> {
    fn event(&mut self, event: &Event) {
        self.push(event.clone());
    }
}
