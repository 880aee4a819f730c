//! `convox rack`: show what a rack is.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, find_rack};
use crate::ui::{CliError, Exit, print_system};

/// Show what a rack is and how it is.
#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ShowArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (rack, _) = find_rack(context, &self.rack).await?;
        let system = rack.system.describe().await?;
        print_system(context.printer(), &system, self.output == Output::Json);
        Ok(Exit::Done)
    }
}
