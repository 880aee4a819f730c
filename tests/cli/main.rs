//! The command as a person or a script meets it: stdout, stderr and exit code together.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad_input;
mod credentials;
mod environment;
mod help;
mod keyroll;
mod rolls;
mod sandbox;
#[cfg(unix)]
mod signals;
