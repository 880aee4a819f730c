//! `convox instances ssh`: log in to an instance, or run a command on one or on all.

mod all;
mod api;
mod direct;
mod explain;

pub(in crate::cli) use direct::socket_places;

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::cli::app::Output;
use crate::cli::complete;
use crate::cli::context::Context;
use crate::cli::reach::{How, reach};
use crate::cli::session::RackArgs;
use crate::ssh::SshError;
use crate::ui::{CliError, Exit};

/// Log in to an instance, or run a command there
///
/// The private key is the one of the key pair that the instance was started with, or of the one
/// that `revoke-key` put in its place. It comes from the key store and is handed to the system's ssh by an agent of our own: it is never in a
/// file, nor in an argument. Your ssh_config applies, under the instance's address (or its id,
/// with --by-id). Host keys are checked and kept by instance id; where AWS tells the instance's
/// console they are learned from it, else on first use.
///
/// Where the rack is reached through its API, the rack logs in and passes everything on: it
/// always makes a terminal, and its size is the one at the start.
///
/// The exit code is that of the command, or 255 when ssh itself failed.
#[derive(Debug, Args)]
pub(crate) struct SshArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Instance id, address or Name tag, or the beginning of an id or a name
    #[arg(required_unless_present = "all", add = complete::instances())]
    instance: Option<String>,

    /// Command to run in place of a login shell; words that begin with a dash go behind `--`
    command: Vec<String>,

    /// Run the command on every instance, side by side, and print a table
    #[arg(long, conflicts_with = "tty")]
    all: bool,

    /// User to log in as [default: ssh_user of config.yaml, or ec2-user]
    #[arg(short = 'l', long, value_name = "NAME")]
    user: Option<String>,

    /// Port of the SSH server [default: as ssh_config says, or 22]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,

    /// Hosts to go through, one after the other, such as bastion or ada@bastion:2222
    #[arg(short = 'J', long, value_name = "HOST", value_delimiter = ',')]
    jump: Vec<String>,

    /// Use the public address where there is one
    #[arg(long)]
    public: bool,

    /// Give ssh the instance's id in place of its address, for an ssh_config that knows it
    #[arg(long, conflicts_with = "public")]
    by_id: bool,

    /// Make a terminal for the command
    #[arg(short, long)]
    tty: bool,

    /// File to read in place of ~/.ssh/config
    #[arg(short = 'F', long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,

    /// Option for ssh, such as ServerAliveInterval=15
    #[arg(short = 'o', long = "ssh-option", value_name = "OPTION")]
    options: Vec<String>,

    /// How long each instance may take, with --all
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// How many instances at a time, with --all
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..))]
    parallel: u16,

    /// What to write on stdout, with --all
    #[arg(
        long,
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        requires = "all"
    )]
    output: Output,
}

impl SshArgs {
    pub(crate) fn output(&self) -> Output {
        self.output
    }

    pub(crate) fn run(mut self, context: &Context) -> Result<Exit, CliError> {
        if self.all {
            // The first word is no instance then.
            let first = self.instance.take();
            self.command.splice(0..0, first);
            if self.command.is_empty() {
                return Err(CliError::usage("missing the command that all are to run")
                    .hint("for example `convox instances ssh --all -- uptime`"));
            }
        }
        context.block_on(self.log_in(context))
    }

    async fn log_in(&self, context: &Context) -> Result<Exit, CliError> {
        if self.output == Output::Text {
            context.printer().busy("Looking at the rack");
        }
        let reached = reach(context, &self.rack).await?;
        match (reached.into_how(), &self.instance) {
            (How::Aws(rack), Some(wanted)) => direct::log_in(self, context, *rack, wanted).await,
            (How::Aws(rack), None) => all::run_directly(self, context, *rack).await,
            (How::Api(remote), Some(wanted)) => api::log_in(self, context, &remote, wanted).await,
            (How::Api(remote), None) => all::run_over_api(self, context, &remote).await,
        }
    }
}

impl From<SshError> for CliError {
    fn from(error: SshError) -> Self {
        let told = Self::failed(error.to_string());
        match error.hint() {
            Some(hint) => told.hint(hint),
            None => told,
        }
    }
}
