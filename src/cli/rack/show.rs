//! `convox rack`: show what a rack is.

use clap::Args;

use super::explain::explain;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::reach::reach;
use crate::cli::session::RackArgs;
use crate::ui::{CliError, Exit, print_system};

/// Show what a rack is and how it is.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Say how the rack is reached and where every setting came from, and ask nobody
    #[arg(long)]
    explain: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ShowArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        if self.explain {
            explain(
                context,
                self.rack.rack.as_deref(),
                self.output == Output::Json,
            )?;
            return Ok(Exit::Done);
        }
        let reached = reach(context, &self.rack).await?;
        let system = reached.system().describe().await?;
        print_system(context.printer(), &system, self.output == Output::Json);
        Ok(Exit::Done)
    }
}
