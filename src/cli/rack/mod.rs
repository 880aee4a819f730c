//! `convox rack`.

mod explain;
mod params;
mod params_set;
mod password;
mod password_console;
mod show;
mod wait;

use clap::{Args, Subcommand};

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// `convox rack`, alone or with what is to be done with the rack.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct RackCommand {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    show: show::ShowArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the parameters of a rack, or set them
    Params(params::ParamsCommand),
    Wait(wait::WaitArgs),
}

impl RackCommand {
    pub(crate) fn output(&self) -> Output {
        match &self.command {
            None => self.show.output(),
            Some(Command::Params(command)) => command.output(),
            Some(Command::Wait(args)) => args.output(),
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            None => context.block_on(self.show.run(context)),
            Some(Command::Params(command)) => command.run(context),
            Some(Command::Wait(args)) => context.block_on(args.run(context)),
        }
    }
}
