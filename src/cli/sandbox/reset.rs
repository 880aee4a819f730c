//! `convox sandbox reset`: start the account on this machine afresh.

use std::io::ErrorKind;

use clap::Args;

use crate::cli::context::Context;
use crate::sandbox;
use crate::ui::{CliError, Exit};

/// Start the account on this machine afresh
///
/// Forgets its racks, its key pairs and the journals of the rolls that were rehearsed there.
#[derive(Debug, Args)]
pub(crate) struct ResetArgs {}

impl ResetArgs {
    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        let dir = context.sandbox_dir()?;
        sandbox::reset(&dir)?;
        let journals = dir.join("rolls");
        match std::fs::remove_dir_all(&journals) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                let message = format!("cannot remove {}: {error}", journals.display());
                return Err(CliError::failed(message).hint("remove that directory by hand"));
            }
            _ => context.printer().data("Resetting sandbox... OK\n"),
        }
        Ok(Exit::Done)
    }
}
