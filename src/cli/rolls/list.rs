//! `convox rolls list`: list the rolls of a rack.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, Session};
use crate::ui::{CliError, Exit, Task, print_rolls};

/// List the rolls of a rack, the newest first
///
/// Those of this machine are found by their journals, and those of others by the tags of
/// the key pairs that they made.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ListArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let mut rolls = match session.engine().rolls().await {
            Ok(rolls) => rolls,
            Err(refusal) => return Ok(session.refused(&Task::silent(), &refusal)),
        };
        rolls.sort_by(|one, other| other.id.cmp(&one.id));
        let printer = context.printer();
        match self.output {
            Output::Text => print_rolls(printer, &rolls, session.clock().now()),
            Output::Json => {
                for line in rolls
                    .iter()
                    .filter_map(|roll| serde_json::to_string(roll).ok())
                {
                    printer.data(&format!("{line}\n"));
                }
            }
        }
        Ok(Exit::Done)
    }
}
