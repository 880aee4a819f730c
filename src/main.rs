//! Parses, runs, and turns the result into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(convox::cli::run(std::env::args_os()).code())
}
