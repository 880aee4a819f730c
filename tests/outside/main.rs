//! The adapters against AWS emulators that we did not write.
//!
//! `.ci/outside cargo test --test outside` starts them. Where they are absent,
//! each test says that it was skipped and passes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod aws_cli;
mod driven;
mod emulator;
mod keeping;
mod keyroll;
mod ministack;
mod moto;
mod params;
