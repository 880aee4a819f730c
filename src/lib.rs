//! Rolls every key of a rack without ever locking anybody out.
//!
//! The rooms, and the doors between them, are described in the README; a test
//! reads every `use` and fails on a door that opens the wrong way.

pub mod cli;
pub mod clock;
pub mod config;
pub mod console;
pub mod envelope;
mod frames;
pub mod ids;
pub mod keys;
mod plot;
pub mod private;
pub mod rack;
pub mod rehearse;
pub mod roll;
pub mod sandbox;
pub mod ssh;
pub mod store;
pub mod template;
pub mod ui;
pub mod unkey;
pub mod webhook;
