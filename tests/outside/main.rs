//! The adapters against AWS emulators that we did not write, and the key service under clients that
//! we did not write.
//!
//! `.ci/outside .ci/clients cargo test --test outside` starts and installs them. Where they are
//! absent, each test says that it was skipped and passes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aws_cli;
mod driven;
mod emulator;
mod keeping;
mod key_service;
mod keyroll;
mod master_key;
mod ministack;
mod moto;
mod params;
