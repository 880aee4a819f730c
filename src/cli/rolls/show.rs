//! `convox rolls show`: show what happened in a roll.

use clap::Args;

use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::ids::RollId;
use crate::roll::{EventSink as _, Journals};
use crate::ui::{CliError, Exit, JsonLines, print_timeline};

/// Show what happened in a roll
///
/// The events come from the journal on this machine, so this needs no AWS account.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The roll, as `convox rolls list` names it
    #[arg(value_name = "ID")]
    id: RollId,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,
}

impl ShowArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let journals = Journals::new(context.journals_dir()?);
        let events = journals.events(&self.id).map_err(|error| {
            CliError::failed(error.to_string()).hint("is that file yours to read, and whole?")
        })?;
        let Some(events) = events else {
            return Err(
                CliError::failed(format!("no journal of roll {} here", self.id)).hint(
                    "`convox rolls list` names the rolls, and says which have a journal here",
                ),
            );
        };
        let printer = context.printer();
        match self.output {
            Output::Text => print_timeline(printer, &events, &context.zone()),
            Output::Json => {
                let mut lines = JsonLines::new(printer.clone());
                events.iter().for_each(|event| lines.event(event));
            }
        }
        Ok(Exit::Done)
    }
}
