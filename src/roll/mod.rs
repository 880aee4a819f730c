//! The roll engine: plan, journal, executor, events, outcome.

mod engine_stub;
mod event;
mod outcome;
mod plan;

pub use engine_stub::{Engine, Journals, Refusal, RollSummary, Stop};
pub use event::{EVENT_VERSION, Event, EventKind, EventSink, Holdout, Progress};
pub use outcome::{Failure, Outcome, Report};
pub use plan::{Advice, GroupPlan, Plan, PlannedStep, RollOptions, RollPolicy, Step};
