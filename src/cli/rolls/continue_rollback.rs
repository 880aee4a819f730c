//! `convox rolls continue`: go on with a rollback that is stuck.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, Session};
use crate::ids::RollId;
use crate::ui::{CliError, Exit, Task};

/// Go on with a rollback that is stuck
///
/// This is the way out of UPDATE_ROLLBACK_FAILED. Skipped resources stay as they are, so mend
/// them by hand afterwards.
#[derive(Debug, Args)]
pub(crate) struct ContinueArgs {
    /// The roll, as `convox rolls list` names it
    #[arg(value_name = "ID")]
    id: RollId,

    #[command(flatten)]
    rack: RackArgs,

    /// Resources to leave as they are, such as Instances or Nested.Resource
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    skip: Vec<String>,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ContinueArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let task = Task::backward(format!("Continuing the rollback of roll {}", self.id));
        let report = session
            .heeding(async |engine| engine.continue_rollback(&self.id, &self.skip).await)
            .await?;
        Ok(match report {
            Some(Ok(report)) => session.ended(&task, &report),
            Some(Err(refusal)) => session.refused(&task, &refusal),
            None => Exit::Interrupted,
        })
    }
}
