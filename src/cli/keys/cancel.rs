//! `convox keys cancel`: take a reroll back.

use clap::Args;

use super::rotation::ask;
use crate::cli::context::Context;
use crate::cli::key_service::ServiceArgs;
use crate::ui::{CliError, Exit};
use crate::unkey::Repeat;

/// Take a reroll back: make the old key whole again, and expire the new one
///
/// It can be done until the grace period ends, or the new key is rerolled itself.
#[derive(Debug, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The old key, by its id
    #[arg(value_name = "ID")]
    id: String,

    #[command(flatten)]
    pub(super) service: ServiceArgs,
}

impl CancelArgs {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let operation = "keys.cancelRotation";
        ask(context, &self.service, operation, &self.id, Repeat::Never).await?;
        let words = format!(
            "{} is whole again, and what replaced it opens nothing",
            self.id
        );
        context.printer().say(&words);
        Ok(Exit::Done)
    }
}
