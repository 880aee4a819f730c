//! `convox keys`: API keys of a key service.

mod cancel;
mod create;
mod delete;
mod finish;
mod list;
mod made;
mod reroll;
mod rotation;
mod show;
mod verify;

use clap::Subcommand;

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// The commands about keys.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Box<create::CreateArgs>),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Verify(verify::VerifyArgs),
    Reroll(reroll::RerollArgs),
    Rotation(rotation::RotationArgs),
    Finish(finish::FinishArgs),
    Cancel(cancel::CancelArgs),
    Delete(delete::DeleteArgs),
}

impl Command {
    pub(super) fn output(&self) -> Output {
        match self {
            Self::Create(args) => args.service.output(),
            Self::List(args) => args.service.output(),
            Self::Show(args) => args.service.output(),
            Self::Verify(args) => args.service.output(),
            Self::Reroll(args) => args.service.output(),
            Self::Rotation(args) => args.service.output(),
            Self::Finish(args) => args.service.output(),
            Self::Cancel(args) => args.service.output(),
            Self::Delete(args) => args.service.output(),
        }
    }

    pub(super) async fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Create(args) => args.run(context).await,
            Self::List(args) => args.run(context).await,
            Self::Show(args) => args.run(context).await,
            Self::Verify(args) => args.run(context).await,
            Self::Reroll(args) => args.run(context).await,
            Self::Rotation(args) => args.run(context).await,
            Self::Finish(args) => args.run(context).await,
            Self::Cancel(args) => args.run(context).await,
            Self::Delete(args) => args.run(context).await,
        }
    }
}
