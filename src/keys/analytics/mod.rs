//! How verifications are counted, and the language in which people ask for the counts.
//!
//! `docs/analytics.md` describes the language for those who write it.

mod filter;
mod grain;
mod plan;
mod query;
mod read;
mod series;
mod view;

pub use grain::Grain;
pub use plan::{Column, Planned, Scope, plan};
pub use query::{AnalyticsQuery, Argument, BadAnalytics, Fault};
pub use series::{Event, Series, SeriesId, Tally};
pub use view::Shape;

/// For how long single verifications are kept, in ms; sums are kept for good.
pub const EVENTS_KEPT: i64 = 30 * 24 * 60 * 60 * 1000;
