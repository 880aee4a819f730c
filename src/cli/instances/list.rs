//! `convox instances`: list the instances of a rack.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::reach::reach;
use crate::cli::session::RackArgs;
use crate::ui::{CliError, Exit, print_instances, print_instances_json};

/// List the instances of a rack.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Add a column with the key pair of each instance
    #[arg(long)]
    keys: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ListArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let reached = reach(context, &self.rack).await?;
        let instances = reached.system().instances().await?;
        match self.output {
            Output::Text => print_instances(printer, &instances, self.keys, reached.clock().now()),
            Output::Json => print_instances_json(printer, &instances),
        }
        Ok(Exit::Done)
    }
}
