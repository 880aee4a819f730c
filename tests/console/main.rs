//! The console between people and racks: the real server on a real database, with a sandbox for a
//! rack, asked as the classic command line asks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stderr,
    reason = "a test says what it skips, and what a server says"
)]

mod account;
mod added_over_api;
mod chromium;
mod classic;
#[expect(dead_code, reason = "the key service's suite needs more of it")]
#[path = "../common/databases.rs"]
mod databases;
mod delegated;
mod environment;
#[path = "../common/invariants.rs"]
mod invariants;
mod journals;
mod killed;
mod notices;
mod pages;
mod passing;
mod program;
mod programs;
mod recorded;
mod rights;
mod rolling;
mod rolling_over_api;
#[path = "../common/sandbox_api.rs"]
mod sandbox_api;
mod schedules;
mod schedules_program;
#[expect(dead_code, reason = "the tests of the wire need more of it")]
#[path = "../wire/server.rs"]
mod server;
mod sockets;
mod waves;
