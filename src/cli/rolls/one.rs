//! What every command on one roll is given.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::session::{RackArgs, Session};
use crate::ids::RollId;
use crate::roll::{Engine, Refusal, Report};
use crate::ui::{CliError, Exit, Task};

/// Which roll, of which rack, told how.
#[derive(Debug, Args)]
pub(super) struct OneRoll {
    /// The roll, as `convox rolls list` names it
    #[arg(value_name = "ID", add = complete::rolls())]
    pub(super) id: RollId,

    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(super) output: Output,
}

impl OneRoll {
    /// Reaches the rack that the roll belongs to.
    pub(super) async fn session(&self, context: &Context) -> Result<Session, CliError> {
        Session::open_with_api(context, &self.rack, self.output, None).await
    }

    /// Does something about the roll, and tells how that ended.
    pub(super) async fn act(
        &self,
        context: &Context,
        task: Task,
        work: impl AsyncFnOnce(&mut Engine, &RollId) -> Result<Report, Refusal>,
    ) -> Result<Exit, CliError> {
        let mut session = self.session(context).await?;
        let report = session
            .heeding(async |engine| work(engine, &self.id).await)
            .await?;
        Ok(match report {
            Some(Ok(report)) => session.ended(&task, &report),
            Some(Err(refusal)) => session.refused(&task, &refusal),
            None => Exit::Interrupted,
        })
    }
}
