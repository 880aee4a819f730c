//! Parses, runs, and turns the result into an exit code.

use std::process::ExitCode;

/// The console makes and lets go of many small things for each request.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    ExitCode::from(convox::cli::run(std::env::args_os()).code())
}
