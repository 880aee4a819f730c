//! `convox sandbox`.

mod bundled;
mod reset;
mod scenarios;
mod serve;

use clap::Subcommand;

pub(crate) use bundled::{load, scenarios};

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// Manage the little AWS account on this machine.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Serve(serve::ServeArgs),
    Reset(reset::ResetArgs),
    Scenarios(scenarios::ScenariosArgs),
}

impl Command {
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Scenarios(args) => args.output(),
            Self::Serve(_) | Self::Reset(_) => Output::Text,
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Serve(args) => context.block_on(args.run(context)),
            Self::Reset(args) => args.run(context),
            Self::Scenarios(args) => args.run(context),
        }
    }
}
