//! What every command on one roll is given.

use clap::Args;

use crate::cli::api_key::Purpose;
use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::session::{AnySession, RackArgs, Session};
use crate::ids::RollId;
use crate::roll::{Engine, FarEngine, Refusal, Report};
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
    pub(super) async fn session(&self, context: &Context) -> Result<AnySession, CliError> {
        let (rack, output) = (&self.rack, self.output);
        AnySession::open(context, rack, output, None, Purpose::ComeBack).await
    }

    /// Does something about the roll, and tells how that ended: `work` in the rack's account,
    /// or `api` where the roll goes over its API.
    pub(super) async fn act(
        &self,
        context: &Context,
        task: Task,
        work: impl AsyncFnOnce(&mut Engine, &RollId) -> Result<Report, Refusal>,
        api: impl AsyncFnOnce(&mut FarEngine, &RollId) -> Result<Report, Refusal>,
    ) -> Result<Exit, CliError> {
        match self.session(context).await? {
            AnySession::Aws(mut session) => self.carry_out(&mut session, &task, work).await,
            AnySession::Api(mut session) => self.carry_out(&mut session, &task, api).await,
        }
    }

    async fn carry_out<E>(
        &self,
        session: &mut Session<E>,
        task: &Task,
        work: impl AsyncFnOnce(&mut E, &RollId) -> Result<Report, Refusal>,
    ) -> Result<Exit, CliError> {
        let report = session
            .heeding(async |engine| work(engine, &self.id).await)
            .await?;
        Ok(match report {
            Some(Ok(report)) => session.ended(task, &report),
            Some(Err(refusal)) => session.refused(task, &refusal),
            None => Exit::Interrupted,
        })
    }
}
