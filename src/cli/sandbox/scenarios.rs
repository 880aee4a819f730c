//! `convox sandbox scenarios`: list the scenarios that come along.

use clap::Args;
use serde_json::json;

use super::bundled;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::ui::{CliError, Exit, Table};

/// List the scenarios that come along
///
/// `convox sandbox serve --scenario NAME` serves one of them.
#[derive(Debug, Args)]
pub(crate) struct ScenariosArgs {
    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ScenariosArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let scenarios = bundled::all()?;
        if self.output == Output::Json {
            for it in scenarios {
                let line = json!({ "name": it.name, "about": it.about });
                context.printer().data(&format!("{line}\n"));
            }
            return Ok(Exit::Done);
        }
        let mut table = Table::new(["NAME", "ABOUT"]);
        for scenario in scenarios {
            table.row([scenario.name, scenario.about]);
        }
        context.printer().data(&table.render());
        Ok(Exit::Done)
    }
}
