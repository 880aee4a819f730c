//! `convox rolls continue`: go on with a rollback that is stuck.

use clap::Args;

use super::one::OneRoll;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::ui::{CliError, Exit, Task};

/// Go on with a rollback that is stuck
///
/// This is the way out of UPDATE_ROLLBACK_FAILED. Skipped resources stay as they are, so mend
/// them by hand afterwards.
#[derive(Debug, Args)]
pub(crate) struct ContinueArgs {
    #[command(flatten)]
    roll: OneRoll,

    /// Resources to leave as they are, such as Instances or Nested.Resource
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    skip: Vec<String>,
}

impl ContinueArgs {
    pub(crate) fn output(&self) -> Output {
        self.roll.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let task = Task::backward(format!("Continuing the rollback of roll {}", self.roll.id));
        self.roll
            .act(
                context,
                task,
                async |engine, id| engine.continue_rollback(id, &self.skip).await,
                async |engine, id| engine.cannot(id, "continue a rollback"),
            )
            .await
    }
}
