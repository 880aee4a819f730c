//! `convox rolls show`: show what happened in a roll.

use clap::Args;

use super::one::OneRoll;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::session::AnySession;
use crate::roll::{Event, EventSink as _, Journals, Refusal};
use crate::ui::{CliError, Exit, JsonLines, Task, print_timeline};

/// Show what happened in a roll
///
/// The events come from the journal on this machine, and then no account is asked. Without one
/// the rack tells what it knows: the roll's key pair, and the events of its stack.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    roll: OneRoll,
}

impl ShowArgs {
    pub(crate) fn output(&self) -> Output {
        self.roll.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let journals = Journals::new(context.journals_dir()?);
        let kept = journals.events(&self.roll.id).map_err(|error| {
            CliError::failed(error.to_string()).hint("is that file yours to read, and whole?")
        })?;
        if let Some(events) = kept {
            self.print(context, &events);
            return Ok(Exit::Done);
        }
        match self.roll.session(context).await? {
            AnySession::Aws(mut session) => {
                match session.engine().remembered(&self.roll.id).await {
                    Ok(events) => self.print(context, &events),
                    Err(refusal) => return Ok(session.refused(&Task::silent(), &refusal)),
                }
                Ok(Exit::Done)
            }
            AnySession::Api(session) => {
                let refusal = Refusal::no_journal(&self.roll.id);
                Ok(session.refused(&Task::silent(), &refusal))
            }
        }
    }

    fn print(&self, context: &Context, events: &[Event]) {
        let printer = context.printer();
        match self.roll.output {
            Output::Text => print_timeline(printer, events, &context.zone()),
            Output::Json => {
                let mut lines = JsonLines::new(printer.clone());
                events.iter().for_each(|event| lines.event(event));
            }
        }
    }
}
