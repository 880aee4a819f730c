//! `convox rolls list`: list the rolls of a rack.

use clap::Args;
use jiff::Timestamp;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::instances::kept_fleets;
use crate::cli::reach::{Way, decide};
use crate::cli::session::{RackArgs, Session};
use crate::clock::system_now;
use crate::roll::{Journals, RollSummary, journaled_rolls};
use crate::ui::{CliError, Exit, Task, print_fleets, print_rolls};

/// List the rolls of a rack, the newest first
///
/// Rolls of many racks that were begun on this machine are listed below. Those of this machine are found by their journals, and those of others by the tags of
/// the key pairs that they made. A rack that is reached over its API knows of none.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ListArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let (mut rolls, now) = match self.find(context).await? {
            Ok(found) => found,
            Err(exit) => return Ok(exit),
        };
        rolls.sort_by(|one, other| other.id.cmp(&one.id));
        let mut fleets = kept_fleets(context)?;
        fleets.reverse();
        let printer = context.printer();
        match self.output {
            Output::Text => {
                print_rolls(printer, &rolls, now);
                print_fleets(printer, &fleets, now);
            }
            Output::Json => {
                let rolls = rolls.iter().map(serde_json::to_string);
                let fleets = fleets.iter().map(serde_json::to_string);
                for line in rolls.chain(fleets).filter_map(Result::ok) {
                    printer.data(&format!("{line}\n"));
                }
            }
        }
        Ok(Exit::Done)
    }

    /// Finds the rolls, and the time by the clock of the place where the rack is.
    ///
    /// A rack that is reached over its API remembers none, and is not asked.
    async fn find(
        &self,
        context: &Context,
    ) -> Result<Result<(Vec<RollSummary>, Timestamp), Exit>, CliError> {
        if let Way::Api(_) = decide(context, self.rack.rack.as_deref())?.way {
            let journals = Journals::new(context.journals_dir()?);
            let rolls = journaled_rolls(&journals).await.map_err(|refusal| {
                CliError::failed(refusal.to_string()).hint("is it yours to read, and whole?")
            })?;
            return Ok(Ok((rolls, system_now())));
        }
        let mut session = Session::open(context, &self.rack, self.output).await?;
        Ok(match session.engine().rolls().await {
            Ok(rolls) => Ok((rolls, session.clock().now())),
            Err(refusal) => Err(session.refused(&Task::silent(), &refusal)),
        })
    }
}
