//! What happens to a fleet as a whole. What happens to its racks is in their own events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::FleetPlan;
use super::report::{FleetReport, RackReport};
use crate::ids::RollId;

/// One thing that happened to a fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FleetEvent {
    /// Version of this format, as that of the rolls' events.
    pub v: u32,
    /// When.
    pub at: Timestamp,
    /// The fleet.
    pub fleet: RollId,
    /// What.
    #[serde(flatten)]
    pub kind: FleetEventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum FleetEventKind {
    /// The fleet begins, or goes on.
    FleetBegan {
        /// What it will do.
        plan: Box<FleetPlan>,
        /// How many racks were done before.
        done: usize,
    },
    /// A rack's turn has come.
    RackBegan {
        /// The rack.
        rack: String,
        /// Its wave.
        wave: u32,
    },
    /// A rack has come to its end, or was left.
    RackEnded(Box<RackReport>),
    /// No more racks begin.
    FleetStopped {
        /// Why.
        why: String,
    },
    /// All racks have ended, or those that will not begin are left.
    FleetFinished(Box<FleetReport>),
}

/// Takes events of a fleet as they happen.
pub trait FleetSink {
    /// Takes one. A sink that cannot write keeps quiet: the fleet goes on.
    fn event(&mut self, event: &FleetEvent);
}

impl FleetSink for Vec<FleetEvent> {
    fn event(&mut self, event: &FleetEvent) {
        self.push(event.clone());
    }
}
