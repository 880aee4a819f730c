//! `convox instances revoke-key`: shut a leaked key out before any instance is replaced.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::keyroll::{KeyTypeArg, show};
use crate::cli::app::Output;
use crate::cli::context::Context;
use crate::cli::key_tools::key_tools;
use crate::cli::session::{RackArgs, Session};
use crate::rack::Through;
use crate::roll::RevocationOptions;
use crate::ssh::SshSettings;
use crate::ui::{CliError, Exit, Task, print_plan_summary, print_plan_warnings};

/// Shut a leaked SSH key out of every live instance, within seconds
///
/// For a key that is known to be out. On every live instance, side by side, a new public key goes
/// into authorized_keys and is proven, and only then the old one goes, and that it is refused is
/// proven too. Whoever is logged in stays logged in. Instances are reached through SSM Run
/// Command, or else by ssh with the key that opens them. The proof is a login by ssh; through SSM
/// it is what the instance's own sshd says of both public keys, which are offered to it on
/// loopback. Where sshd does not take the new key, or cannot be asked, the old one stays.
///
/// The launch template names the old key pair until the next keyroll. An instance that starts
/// before then lets the old key in: run this again, which uses the same new key, and mends it.
///
/// The exit code is 4 when an instance may still let the old key in: each is named.
#[derive(Debug, Args)]
pub(super) struct RevokeKeyArgs {
    #[command(flatten)]
    rack: RackArgs,

    /// Key pair that is out [default: the one that the rack's stack names]
    #[arg(long, value_name = "NAME")]
    key: Option<String>,

    /// How to reach the instances
    #[arg(long, value_enum, default_value_t, value_name = "WAY")]
    through: ThroughArg,

    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// What to write on stdout
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT")]
    output: Output,

    /// Kind of key pair [default: that of the one that is out]
    #[arg(long, value_enum, value_name = "TYPE")]
    key_type: Option<KeyTypeArg>,

    /// Do not ask whether to go ahead
    #[arg(short, long)]
    yes: bool,

    /// Port of the SSH server [default: as ssh_config says, or 22]
    #[arg(short, long, value_name = "PORT")]
    port: Option<u16>,

    /// Hosts to go through, one after the other, such as bastion or ada@bastion:2222
    #[arg(short = 'J', long, value_name = "HOST", value_delimiter = ',')]
    jump: Vec<String>,

    /// Use the public address where there is one
    #[arg(long)]
    public: bool,

    /// File to read in place of ~/.ssh/config
    #[arg(short = 'F', long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,

    /// Option for ssh, such as ServerAliveInterval=15
    #[arg(short = 'o', long = "ssh-option", value_name = "OPTION")]
    options: Vec<String>,

    /// How long each login by ssh may take
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    timeout: Duration,

    /// How many instances ssh logs in to at a time
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    parallel: u16,
}

/// The ways to instances.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum ThroughArg {
    /// SSM where an agent answers, ssh for the others
    #[default]
    Auto,
    /// SSM Run Command
    Ssm,
    /// The system's ssh
    Ssh,
}

impl RevokeKeyArgs {
    pub(super) fn output(&self) -> Output {
        self.output
    }

    pub(super) fn run(self, context: &Context) -> Result<Exit, CliError> {
        context.block_on(self.revoke(context))
    }

    async fn revoke(&self, context: &Context) -> Result<Exit, CliError> {
        let printer = context.printer();
        let task = Task::forward("Revoking instance key".to_owned());
        let mut session = Session::open(context, &self.rack, self.output).await?;
        let clock = session.clock().clone();
        let engine = session.engine();
        let (only, settings) = (self.only(), self.settings());
        let tools = key_tools(context, engine.rack(), &clock, only, settings)?;
        engine.set_key_tools(tools);
        let options = RevocationOptions {
            key: self.key.clone(),
            key_type: self.key_type.map(Into::into),
        };
        let plan = match engine.plan_revocation(options).await {
            Ok(plan) => plan,
            Err(refusal) => return Ok(session.refused(&task, &refusal)),
        };
        if self.dry_run {
            show(printer, self.output, &plan);
            return Ok(Exit::Done);
        }
        let must_ask = !context.global().sandbox && !self.yes;
        if must_ask && self.output == Output::Text && printer.can_ask() {
            print_plan_summary(printer, &plan);
            if !printer.confirm("Shut the key out?") {
                return Err(CliError::failed("not revoked, nothing is changed")
                    .hint("`--yes` goes ahead without asking, `--dry-run` shows the whole plan"));
            }
        } else if self.output == Output::Text {
            print_plan_warnings(printer, &plan);
        }
        let report = session
            .heeding(async |engine| engine.run(plan, false).await)
            .await?;
        Ok(match report {
            Some(report) => session.ended(&task, &report),
            None => Exit::Interrupted,
        })
    }

    fn only(&self) -> Option<Through> {
        match self.through {
            ThroughArg::Auto => None,
            ThroughArg::Ssm => Some(Through::Ssm),
            ThroughArg::Ssh => Some(Through::Ssh),
        }
    }

    fn settings(&self) -> SshSettings {
        SshSettings {
            port: self.port,
            jump: self.jump.clone(),
            config: self.ssh_config.clone(),
            options: self.options.clone(),
            public: self.public,
            at_once: usize::from(self.parallel),
            timeout: self.timeout,
        }
    }
}
