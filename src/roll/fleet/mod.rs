//! Rolls of many racks: in waves, a canary first, so many at once, until too many have failed.
//!
//! Each rack is rolled by an engine of its own, with its own journal. What is kept of the fleet
//! besides is which racks are in it and which roll each of them got, so that one that was killed
//! goes on where it was, and no rack is rolled twice.

mod event;
mod journal;
mod plan;
mod report;
mod run;
mod summary;

pub use event::{FleetEvent, FleetEventKind, FleetSink};
pub use journal::{FleetEntry, FleetJournal, FleetJournals, FleetLine};
pub use plan::{FleetPlan, FleetRack, RackHome, RackPlace};
pub use report::{FleetReport, FleetState, RackReport};
pub use run::{EngineSource, Fleet, plans_of};
pub use summary::FleetSummary;
