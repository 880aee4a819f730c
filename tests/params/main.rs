//! What an operator does with a rack besides rolling its key: looking at it, setting its
//! parameters, terminating instances and waiting. On the sandbox, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/environment.rs"]
mod environment;
mod patterns;
mod rehearsal;
#[path = "../common/rehearsing.rs"]
mod rehearsing;
mod secrets;
mod system;
#[path = "../common/virtual_time.rs"]
mod virtual_time;
mod watching;
