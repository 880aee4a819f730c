//! `convox console backup`: copy a database, in use or not.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::database::{DatabaseArgs, explain};
use crate::cli::context::Context;
use crate::ui::{CliError, Exit};

/// Copy a database into a new file, while it is served or not
///
/// The copy is of one moment. It does not hold the master key: without that, secrets that were
/// sealed cannot be opened, so keep a copy of it too, in another place.
#[derive(Debug, Args)]
pub(in crate::cli) struct BackupArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// The file to make; one that is there is left alone
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

impl BackupArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = self.database.open_existing(context).await?;
        let copied = store.backup(&self.file).await.map_err(explain);
        let name = store.describe();
        store.close().await;
        copied?;
        let printer = context.printer();
        printer.say(&format!("{name} is copied to {}", self.file.display()));
        Ok(Exit::Done)
    }
}
