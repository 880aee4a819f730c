//! Logging in for real: the system's `ssh`, and Debian's `sshd` in place of each instance.
//!
//! `CONVOX_TEST_SSHD=$(.ci/sshd) cargo test --test ssh` gets the server. Where there is none,
//! each test says that it was skipped and passes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stderr, reason = "a test says what a server says")]

mod api;
mod console;
mod jump;
mod machines;
#[expect(dead_code, reason = "the console's suite needs more of it")]
#[path = "../console/programs.rs"]
mod programs;
mod proof;
mod rack;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/rehearsing.rs"]
mod rehearsing;
mod revoking;
mod rolling;
mod secrets;
#[expect(
    dead_code,
    reason = "it is the server of another suite, which needs more of it"
)]
#[path = "../wire/server.rs"]
mod server;
mod streams;
