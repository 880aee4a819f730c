//! `convox account`: the key that this person logs in to a console with.

mod keyroll;

use clap::Subcommand;

use super::context::Context;
use crate::ui::{CliError, Exit};

/// The commands of one's own account.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Keyroll(keyroll::KeyrollArgs),
}

impl Command {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Keyroll(args) => args.run(context).await,
        }
    }
}
