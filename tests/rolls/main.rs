//! Rolls of the sandbox's racks, from end to end: the real engine and the real SDK, on
//! virtual time, in every scenario, killed at every line of the journal.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod afterwards;
mod balanced;
mod configuration;
mod crashes;
mod far;
mod far_cancel;
mod far_rack;
mod fleet;
#[path = "../common/fleets.rs"]
mod fleets;
mod gate_keeper;
mod gated_crashes;
mod gated_rails;
mod gates;
#[path = "../common/invariants.rs"]
mod invariants;
mod nested;
mod outcomes;
mod password;
mod real_rack;
mod refreshing;
mod rehearsal;
mod revoking;
mod revoking_odd;
mod revoking_proof;
mod revoking_twice;
#[path = "../common/sandbox_api.rs"]
mod sandbox_api;
mod surging;
mod surging_crashes;
mod surging_long;
mod surging_odd;
mod surging_quota;
mod surging_refused;
mod surging_seen;
#[path = "../common/virtual_time.rs"]
mod virtual_time;
