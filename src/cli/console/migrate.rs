//! `convox console migrate`: bring a database up to date.

use clap::Args;

use super::database::{DatabaseArgs, explain};
use crate::cli::context::Context;
use crate::ui::{CliError, Exit};

/// Bring a database to the version that this program knows
#[derive(Debug, Args)]
pub(in crate::cli) struct MigrateArgs {
    #[command(flatten)]
    database: DatabaseArgs,
}

impl MigrateArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let store = self.database.open(context).await?;
        let (before, newest) = store.version().await.map_err(explain)?;
        store.migrate().await.map_err(explain)?;
        let name = store.describe();
        store.close().await;
        let said = if before == newest {
            format!("{name} has version {newest} already")
        } else {
            format!("{name} has version {newest} now, and had {before}")
        };
        context.printer().say(&said);
        Ok(Exit::Done)
    }
}
