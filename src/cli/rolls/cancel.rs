//! `convox rolls cancel`: cancel a roll and follow it back to the old key.

use clap::Args;

use super::one::OneRoll;
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::ui::{CliError, Exit, Task};

/// Cancel a roll, and follow CloudFormation back to the old key
///
/// CloudFormation replaces again the instances that already had the new key. When all of
/// them are back, the new key pair is deleted. A password that was rolled over a rack's API is
/// set to the old one again, and the new one is forgotten once the API takes only the old one.
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    #[command(flatten)]
    roll: OneRoll,
}

impl CancelArgs {
    pub(crate) fn output(&self) -> Output {
        self.roll.output
    }

    pub(crate) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        let task = Task::backward(format!("Cancelling roll {}", self.roll.id));
        self.roll
            .act(
                context,
                task,
                async |engine, id| engine.cancel(id).await,
                async |engine, id| engine.cancel(id).await,
            )
            .await
    }
}
