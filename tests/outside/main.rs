//! The adapters against AWS emulators that we did not write.
//!
//! `.ci/outside cargo test --test outside` starts them. Where they are absent,
//! each test says that it was skipped and passes.

mod aws_cli;
mod driven;
mod emulator;
mod keeping;
mod keyroll;
mod ministack;
mod moto;
