//! The adapters against AWS emulators that we did not write.
//!
//! `.ci/outside cargo test --test outside` starts them. Where they are absent,
//! each test says that it was skipped and passes.

mod boto3;
mod emulator;
mod keeping;
mod ministack;
mod moto;
