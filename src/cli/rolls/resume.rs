//! `convox rolls resume`: go on with a roll that was left or interrupted.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, Session};
use crate::ids::RollId;
use crate::ui::{CliError, Exit, Task};

/// Go on with a roll that was left or interrupted
///
/// What is true is observed first, and nothing is done twice. Without a journal on this machine
/// the tags in the account tell enough.
#[derive(Debug, Args)]
pub(crate) struct ResumeArgs {
    /// The roll, as `convox rolls list` names it
    #[arg(value_name = "ID")]
    id: RollId,

    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ResumeArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let task = Task::forward(format!("Resuming roll {}", self.id));
        let report = session
            .heeding(async |engine| engine.resume(&self.id).await)
            .await?;
        Ok(match report {
            Some(Ok(report)) => session.ended(&task, &report),
            Some(Err(refusal)) => session.refused(&task, &refusal),
            None => Exit::Interrupted,
        })
    }
}
