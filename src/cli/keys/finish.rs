//! `convox keys finish`: end a grace period now.

use clap::Args;

use super::rotation::ask;
use crate::cli::context::Context;
use crate::cli::key_service::ServiceArgs;
use crate::ui::{CliError, Exit};
use crate::unkey::Repeat;

/// End the grace period of a rerolled key now
///
/// The old key opens nothing from then on. `convox keys rotation ID` tells whether it is still
/// used.
#[derive(Debug, Args)]
pub(in crate::cli) struct FinishArgs {
    /// The old key, by its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl FinishArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let operation = "keys.finishRotation";
        ask(context, &self.service, operation, &self.id, Repeat::Never).await?;
        context
            .printer()
            .say(&format!("{} opens nothing any more", self.id));
        Ok(Exit::Done)
    }
}
