//! What an operator does with a rack besides rolling its key: looking at it, setting its
//! parameters, terminating instances and waiting. On the sandbox, in virtual time.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod commands;
mod environment;
mod rehearsal;
mod system;
mod watching;
