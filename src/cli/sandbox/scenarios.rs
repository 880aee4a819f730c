//! `convox sandbox scenarios`: list the scenarios that come along.

use clap::Args;

use crate::cli::context::Context;
use crate::ui::{CliError, Exit};

/// List the scenarios that come along
#[derive(Debug, Args)]
pub(crate) struct ScenariosArgs {}

impl ScenariosArgs {
    pub(crate) fn run(self, _context: &Context) -> Result<Exit, CliError> {
        Ok(Exit::Done)
    }
}
