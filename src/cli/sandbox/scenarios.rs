//! `convox sandbox scenarios`: list the scenarios that come along.

use clap::Args;

use super::bundled;
use crate::cli::context::Context;
use crate::ui::{CliError, Exit, Table};

/// List the scenarios that come along
///
/// `convox sandbox serve --scenario NAME` serves one of them.
#[derive(Debug, Args)]
pub(crate) struct ScenariosArgs {}

impl ScenariosArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut table = Table::new(["NAME", "ABOUT"]);
        for scenario in bundled::all()? {
            table.row([scenario.name, scenario.about]);
        }
        context.printer().data(&table.render());
        Ok(Exit::Done)
    }
}
