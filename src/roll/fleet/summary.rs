//! A fleet as a list shows it, by its journal alone.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::journal::{FleetEntry, FleetLine};
use super::report::RackReport;
use crate::ids::RollId;

/// How far a fleet is known to have come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FleetSummary {
    /// The fleet, by which `convox rolls resume` goes on with it.
    pub fleet: RollId,
    /// When it began.
    pub started_at: Timestamp,
    /// How many racks are in it.
    pub racks: usize,
    /// How many of them have their new key.
    pub done: usize,
    /// How many have ended otherwise, or were left.
    pub failed: usize,
    /// Why no more racks began, when that was so the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
}

impl FleetSummary {
    /// Sums a journal up; `None` where it does not say which racks are in the fleet.
    #[must_use]
    pub fn of(lines: &[FleetLine]) -> Option<Self> {
        let opened = lines.iter().find_map(|line| match &line.entry {
            FleetEntry::Opened(plan) => Some((line.at, plan)),
            _ => None,
        });
        let (started_at, plan) = opened?;
        let mut ended: BTreeMap<&str, &RackReport> = BTreeMap::new();
        let mut stopped = None;
        for line in lines {
            match &line.entry {
                FleetEntry::Opened(_) => {}
                FleetEntry::Begun { rack, .. } => drop(ended.remove(rack.as_str())),
                FleetEntry::Ended(report) => drop(ended.insert(&report.rack, report)),
                FleetEntry::Stopped { why } => stopped = Some(why.clone()),
                FleetEntry::TakenUp => stopped = None,
            }
        }
        let done = ended.values().filter(|report| report.is_done()).count();
        Some(Self {
            fleet: plan.fleet.clone(),
            started_at,
            racks: plan.racks.len(),
            done,
            failed: ended.len() - done,
            stopped,
        })
    }
}
