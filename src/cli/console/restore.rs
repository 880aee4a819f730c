//! `convox console restore`: make a database of a copy.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::database::{DatabaseArgs, explain};
use crate::cli::context::Context;
use crate::store::Store;
use crate::ui::{CliError, Exit};

/// Make a database of a copy, where there is none
///
/// What `convox console backup` wrote is looked over first: whether it is whole, and whether this
/// program knows its version. A database that is there is never written over.
#[derive(Debug, Args)]
pub(in crate::cli) struct RestoreArgs {
    #[command(flatten)]
    database: DatabaseArgs,

    /// The copy
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: PathBuf,
}

impl RestoreArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let path = self.database.file(context)?;
        let restored = Store::restore(&self.file, &path).await;
        let (found, known) = restored.map_err(explain)?;
        let printer = context.printer();
        printer.say(&format!(
            "{} is made of {}",
            path.display(),
            self.file.display()
        ));
        if found < known {
            printer.say("It has an older version: `convox console migrate` brings it up to date");
        }
        if self.database.lacks_key_file(context)? {
            printer.warn(
                "there is no master key here, and without the one that it was sealed with no \
                 sealed secret can be opened",
                Some("put a copy of it in its place, or name it by --master-key"),
            );
        }
        Ok(Exit::Done)
    }
}
