//! `convox rolls cancel`: cancel a roll, and follow CloudFormation back to the old key.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, Session};
use crate::ids::RollId;
use crate::ui::{CliError, Exit, Task};

/// Cancel a roll, and follow CloudFormation back to the old key
///
/// CloudFormation replaces again the instances that already had the new key. When all of
/// them are back, the new key pair is deleted.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The roll, as `convox rolls list` names it
    #[arg(value_name = "ID")]
    id: RollId,

    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl CancelArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let task = Task::backward(format!("Cancelling roll {}", self.id));
        let report = session
            .heeding(async |engine| engine.cancel(&self.id).await)
            .await?;
        Ok(match report {
            Some(Ok(report)) => session.ended(&task, &report),
            Some(Err(refusal)) => session.refused(&task, &refusal),
            None => Exit::Interrupted,
        })
    }
}
