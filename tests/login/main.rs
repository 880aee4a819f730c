//! Logging in and out, listing racks and switching between them, against a server of our own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/environment.rs"]
mod environment;
#[cfg(unix)]
mod prompts;
mod racks;
mod server;
mod sessions;
mod ways;
