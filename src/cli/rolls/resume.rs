//! `convox rolls resume`: go on with a roll that was left or interrupted.

use std::path::PathBuf;

use clap::Args;

use super::one::OneRoll;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::instances::resume_fleet;
use crate::ui::{CliError, Exit, Task};

/// Go on with a roll that was left or interrupted
///
/// What is true is observed first, and nothing is done twice. Without a journal on this machine
/// the tags in the account tell enough; a rack that is reached over its API has none.
///
/// The id of a roll of many racks goes on with all of them that are not done.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    #[command(flatten)]
    roll: OneRoll,

    /// Of many racks: also write how it ended, rack by rack, to this JSON file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

impl ResumeArgs {
    pub(crate) fn output(&self) -> Output {
        self.roll.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (id, output) = (&self.roll.id, self.roll.output);
        let report = self.report.as_deref();
        if let Some(exit) = resume_fleet(context, id, output, report).await? {
            return Ok(exit);
        }
        if report.is_some() {
            let message = format!("--report is for a roll of many racks, and {id} is none");
            return Err(CliError::usage(message).hint("`--output json` tells all of one rack"));
        }
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
