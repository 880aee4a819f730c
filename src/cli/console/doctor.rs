//! `convox console doctor`: look whether a database is whole.

use clap::Args;

use super::database::{DatabaseArgs, explain_vault};
use crate::cli::context::Context;
use crate::clock::system_now;
use crate::console::{Examined, examine};
use crate::ui::{CliError, Exit};

/// Look whether a database is whole, and say what is wrong
///
/// Its version, its file, keys without an API, balances without a key, sealed secrets that the
/// master key does not open, and clocks that are apart; and which master keys are in use. Nothing is changed. Exits with 1 when
/// anything is wrong.
#[derive(Debug, Args)]
pub(in crate::cli) struct DoctorArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

impl DoctorArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = self.database.open_existing(context).await?;
        let source = self.database.key_source(context).await?;
        let now = system_now().as_millisecond();
        let examined = examine(&store, &source, now).await.map_err(explain_vault);
        let name = store.describe();
        store.close().await;
        let Examined { wrong, told } = examined?;
        let printer = context.printer();
        for line in &told {
            printer.say(line);
        }
        for line in &wrong {
            printer.data(&format!("{line}\n"));
        }
        match wrong.len() {
            0 => {
                printer.say(&format!("{name} is well"));
                Ok(Exit::Done)
            }
            1 => Err(CliError::failed(format!(
                "{name} is not well: one thing is wrong"
            ))),
            count => Err(CliError::failed(format!(
                "{name} is not well: {count} things are wrong"
            ))),
        }
    }
}
