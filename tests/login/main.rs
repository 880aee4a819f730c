//! Logging in and out, listing racks and switching between them, against a server of our own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod environment;
mod racks;
mod server;
mod sessions;
mod ways;
