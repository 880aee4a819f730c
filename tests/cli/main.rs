//! The command as a person or a script meets it: stdout, stderr and exit code together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod api;
mod bad_input;
mod credentials;
#[expect(dead_code, reason = "other suites need more of it")]
#[path = "../common/environment.rs"]
mod environment;
#[cfg(unix)]
mod far;
mod fleet;
#[cfg(unix)]
mod gates;
mod help;
mod keyroll;
mod keys;
mod lossy;
mod params_api;
mod password;
mod rehearse;
mod revoke_key;
mod rolls;
mod sandbox;
#[expect(dead_code, reason = "the tests of the wire need more of it")]
#[path = "../wire/server.rs"]
mod server;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod ssh;
