//! `convox instances`.

mod fleet;
mod keyroll;
mod keyroll_api;
mod list;
mod revoke_key;
mod ssh;
mod terminate;

pub(super) use fleet::{kept as kept_fleets, resume as resume_fleet};
pub(super) use ssh::socket_places;

use clap::{Args, Subcommand};

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// `convox instances`, alone or with what is to be done with them.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct InstancesCommand {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    list: list::ListArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keyroll(Box<keyroll::KeyrollArgs>),
    RevokeKey(Box<revoke_key::RevokeKeyArgs>),
    // What it says of itself is long, and below its arguments.
    Ssh(Box<ssh::SshArgs>),
    Terminate(terminate::TerminateArgs),
}

impl InstancesCommand {
    pub(crate) fn output(&self) -> Output {
        match &self.command {
            None => self.list.output(),
            Some(Command::Keyroll(args)) => args.output(),
            Some(Command::RevokeKey(args)) => args.output(),
            Some(Command::Ssh(args)) => args.output(),
            Some(Command::Terminate(args)) => args.output(),
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self.command {
            None => context.block_on(self.list.run(context)),
            Some(Command::Keyroll(args)) => args.run(context),
            Some(Command::RevokeKey(args)) => args.run(context),
            Some(Command::Ssh(args)) => args.run(context),
            Some(Command::Terminate(args)) => context.block_on(args.run(context)),
        }
    }
}
