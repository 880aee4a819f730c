//! The roll engine: plan, journal, executor, events, outcome.
//!
//! It knows a rack only through the ports of [`crate::rack`], and tells what it does
//! only by events. No AWS, no command line, no terminal.

mod api;
mod back;
mod base;
mod care;
mod desk;
mod drive;
mod engine;
mod event;
mod far;
mod find;
mod finish;
mod fleet;
mod follow;
mod forward;
mod gate;
mod journal;
mod lineup;
mod lint;
mod observe;
mod outcome;
mod pacing;
mod plan;
mod preflight;
#[cfg(test)]
mod preflight_tests;
mod reached;
mod refresh;
mod revoke;
mod run;
mod services;
mod steps;
mod stop;
mod strategy;
mod survey;
mod tail;
mod tracker;
mod verify;
mod watch;

pub use api::{
    API_KEY_PARAMETER, ApiKeyEngine, ApiKeyRequest, ApiPlan, ApiService, ApiWay, KeyKind,
    mint as mint_api_key,
};
pub use care::{Care, not_detachable};
pub use engine::{Engine, RollSummary};
pub use event::{EVENT_VERSION, Event, EventKind, EventSink, Holdout, InstanceReport, Progress};
pub use far::FarEngine;
pub use find::journaled_rolls;
pub use fleet::{
    EngineSource, Fleet, FleetEntry, FleetEvent, FleetEventKind, FleetJournal, FleetJournals,
    FleetLine, FleetPlan, FleetRack, FleetReport, FleetSink, FleetState, FleetSummary, RackHome,
    RackPlace, RackReport, plans_of,
};
pub use forward::{
    TAG_CREATED_BY, TAG_KEEP_OLD, TAG_KEY_TYPE, TAG_PROTECTED, TAG_RACK, TAG_REPLACES, TAG_ROLL,
    TAG_STACK, TAG_STRATEGY, TAG_SURGE,
};
pub use gate::{GATE_TIMEOUT_SECS, GateCall, GateReport, GateRunner, GateStage, Gates, TAG_GATED};
pub use journal::{
    Effect, Entry, JOURNAL_VERSION, Journal, JournalError, JournalKeeper, JournalWriter, Journals,
    Line,
};
pub use lineup::{Lineup, Next, Place, Turn};
pub use outcome::{Failure, Outcome, Report};
pub use plan::{Advice, GroupPlan, Plan, PlannedStep, RollOptions, RollPolicy, Step};
pub use preflight::Refusal;
pub use refresh::{RefreshPlan, RefreshReport, RefreshSettings};
pub use revoke::{
    KeyTools, PlannedInstance, PublicLineOf, RevocationOptions, RevocationPlan, SsmAccess,
    TAG_REVOKES,
};
pub use services::{ClusterPlan, ServicePlan};
pub use stop::Stop;
pub use strategy::{SetAside, Strategy, SurgeSize, Touches};
pub use survey::{Survey, SurveyedGroup, survey, survey_for};
pub use watch::Watch;
