//! The console between people and racks: the real server on a real database, with a sandbox for a
//! rack, asked as the classic command line asks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stderr,
    reason = "a test says what it skips, and what a server says"
)]

mod account;
mod classic;
#[expect(dead_code, reason = "the key service's suite needs more of it")]
#[path = "../common/databases.rs"]
mod databases;
mod environment;
#[path = "../common/invariants.rs"]
mod invariants;
mod journals;
mod killed;
mod notices;
mod program;
mod rights;
mod rolling;
#[path = "../common/sandbox_api.rs"]
mod sandbox_api;
mod schedules;
mod schedules_program;
mod sockets;
mod waves;
