//! `convox rolls`.

mod cancel;
mod continue_rollback;
mod list;
mod one;
mod resume;
mod show;

use clap::Subcommand;

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// Look at rolls, go on with them or undo them.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    List(list::ListArgs),
    Show(show::ShowArgs),
    Resume(resume::ResumeArgs),
    Cancel(cancel::CancelArgs),
    Continue(continue_rollback::ContinueArgs),
}

impl Command {
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::List(args) => args.output(),
            Self::Show(args) => args.output(),
            Self::Resume(args) => args.output(),
            Self::Cancel(args) => args.output(),
            Self::Continue(args) => args.output(),
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::List(args) => context.block_on(args.run(context)),
            Self::Show(args) => context.block_on(args.run(context)),
            Self::Resume(args) => context.block_on(args.run(context)),
            Self::Cancel(args) => context.block_on(args.run(context)),
            Self::Continue(args) => context.block_on(args.run(context)),
        }
    }
}
