//! `convox instances terminate`: terminate an instance, which its group replaces.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::reach::reach;
use crate::cli::session::RackArgs;
use crate::ui::{CliError, Exit, Task, print_terminated};

/// Terminate an instance of a rack
///
/// Its Auto Scaling group starts another in its place.
#[derive(Debug, Args)]
pub(super) struct TerminateArgs {
    /// The instance, as `convox instances` names it
    #[arg(value_name = "ID", add = complete::instances())]
    id: String,

    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl TerminateArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let reached = reach(context, &self.rack).await?;
        let task = Task::forward("Terminating instance".to_owned());
        let task = match self.output {
            Output::Text => task,
            Output::Json => task.silently(),
        };
        if let Err(error) = reached.system().terminate(&self.id).await {
            task.failed(printer);
            return Err(error.into());
        }
        task.succeeded(printer);
        if self.output == Output::Json {
            print_terminated(printer, &self.id);
        }
        Ok(Exit::Done)
    }
}
