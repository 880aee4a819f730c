//! Rehearsals of rolls: that they change nothing, and that what they foretell happens.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod advised;
#[path = "../common/foretelling.rs"]
mod foretelling;
mod foretold;
mod harmless;
mod kept_up;
mod odd;
mod refreshed;
#[path = "../common/virtual_time.rs"]
mod virtual_time;
