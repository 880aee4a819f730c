//! `convox instances`.

mod keyroll;
mod ssh;

use clap::Subcommand;

use super::app::Output;
use super::context::Context;
use crate::ui::{CliError, Exit};

/// Manage the instances of a rack.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Give every instance of a rack a new SSH key
    Keyroll(keyroll::KeyrollArgs),
    /// Log in to an instance, or run a command there
    Ssh(Box<ssh::SshArgs>),
}

impl Command {
    pub(crate) fn output(&self) -> Output {
        match self {
            Self::Keyroll(args) => args.output(),
            Self::Ssh(args) => args.output(),
        }
    }

    pub(crate) fn run(self, context: &Context) -> Result<Exit, CliError> {
        match self {
            Self::Keyroll(args) => args.run(context),
            Self::Ssh(args) => args.run(context),
        }
    }
}
