//! `convox rolls resume`: go on with a roll that was left or interrupted.

use clap::Args;

use super::one::OneRoll;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::ui::{CliError, Exit, Task};

/// Go on with a roll that was left or interrupted
///
/// What is true is observed first, and nothing is done twice. Without a journal on this machine
/// the tags in the account tell enough; a rack that is reached over its API has none.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    roll: OneRoll,
}

impl ResumeArgs {
    pub(crate) fn output(&self) -> Output {
        self.roll.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let task = Task::forward(format!("Resuming roll {}", self.roll.id));
        self.roll
            .act(
                context,
                task,
                async |engine, id| engine.resume(id).await,
                async |engine, id| engine.resume(id).await,
            )
            .await
    }
}
