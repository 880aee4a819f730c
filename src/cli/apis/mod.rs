//! `convox apis`: sets of keys of a key service, which cannot be listed.

mod create;
mod delete;
mod show;

use clap::Subcommand;

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// The commands about APIs.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(create::CreateArgs),
    Show(show::ShowArgs),
    Delete(delete::DeleteArgs),
}

impl Command {
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Create(args) => args.service.output(),
            Self::Show(args) => args.service.output(),
            Self::Delete(args) => args.service.output(),
        }
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Delete(args) => args.run(context).await,
        }
    }
}
