//! Logging in with the system's `ssh`: the instance, its key and its host keys.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use super::SshArgs;
use super::explain;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::config::nearest;
use crate::rack::{Instance, PortError, Rack};
use crate::ssh::{
    Agent, Candidate, ChooseError, Ended, HostKeyCheck, Invocation, KnownHosts, LoginError, Logins,
    PrivateDir, SigningKey, Terminal, choose,
};
use crate::ui::{CliError, Exit, Printer};

/// A rack whose instances can be logged in to as the command line asks for it.
pub(super) struct Doorway<'a> {
    args: &'a SshArgs,
    printer: &'a Printer,
    is_sandbox: bool,
    logins: Logins,
}

/// Logs in to the instance that `wanted` means, on our own terminal.
pub(super) async fn log_in(
    args: &SshArgs,
    context: &Context,
    rack: Rack,
    wanted: &str,
) -> Result<Exit, CliError> {
    let door = Doorway::new(args, context, rack)?;
    let instances = door.instances().await?;
    let instance = door.meant(&instances, wanted).await?;
    let key = door.key_of(&instance).await?;
    let told = door.learn(&[&instance], &instances).await?;
    let invocation = door.invocation(&instance, &told)?;
    let agent = Agent::start(door.dir(), "agent", key)?;
    context.printer().close_screen();
    let stop = signals::told_by_others()
        .map_err(|error| CliError::failed(format!("cannot listen for signals: {error}")))?;
    let terminal = Terminal::remember();
    let ended = invocation.attend(&agent, stop).await?;
    if ended != Ended::Stopped {
        // It has set the terminal as it was by itself, or somebody else has it now.
        std::mem::forget(terminal);
    }
    match explain::failure(context, &instance, &invocation, ended, agent.seen()) {
        Some(error) => Err(error),
        None => Ok(Exit::Remote(ended.code())),
    }
}

/// Lists the directories in which an agent's socket may be, the best first.
pub(in crate::cli) fn socket_places(context: &Context) -> Vec<PathBuf> {
    let environment = context.environment();
    let named = ["XDG_RUNTIME_DIR", "TMPDIR"].map(|name| environment.get(name));
    let all = named.into_iter().flatten().chain(["/tmp"]);
    all.map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .collect()
}

impl<'a> Doorway<'a> {
    pub(super) fn new(
        args: &'a SshArgs,
        context: &'a Context,
        rack: Rack,
    ) -> Result<Self, CliError> {
        let places = socket_places(context);
        let known_hosts = KnownHosts::of_rack(&context.known_hosts_dir()?, &rack.name);
        let dir = PrivateDir::create(&places, &context.entropy()?)?;
        Ok(Self {
            args,
            printer: context.printer(),
            is_sandbox: context.global().sandbox,
            logins: Logins::new(rack, known_hosts, dir),
        })
    }

    /// Returns the directory for sockets and public keys.
    pub(super) fn dir(&self) -> &PrivateDir {
        self.logins.dir()
    }

    /// Lists all that could be logged in to, those that build and those on the way out included.
    pub(super) async fn instances(&self) -> Result<Vec<Instance>, PortError> {
        self.logins.instances().await
    }

    /// Finds the instance that is meant; one that no group has any more may still be the rack's.
    async fn meant(&self, instances: &[Instance], wanted: &str) -> Result<Instance, CliError> {
        let candidates: Vec<Candidate> = instances.iter().map(candidate_of).collect();
        let (known, error) = match choose(wanted, &candidates) {
            Ok(place) => return Ok(instances[place].clone()),
            Err(ChooseError::None { wanted, known }) => {
                let error = ChooseError::None {
                    wanted,
                    known: Vec::new(),
                };
                (known, error)
            }
            Err(error) => return Err(unclear(&error, &[])),
        };
        let detached = self.logins.detached(instances).await?;
        let candidates: Vec<Candidate> = detached.iter().map(candidate_of).collect();
        match choose(wanted, &candidates) {
            Ok(place) => Ok(detached[place].clone()),
            Err(several @ ChooseError::Several { .. }) => Err(unclear(&several, &[])),
            Err(ChooseError::None { .. }) => Err(unclear(&error, &known)),
        }
    }

    /// Finds the private key that opens an instance.
    pub(super) async fn key_of(&self, instance: &Instance) -> Result<Arc<SigningKey>, CliError> {
        self.logins.key_of(instance).await.map_err(CliError::from)
    }

    /// Learns host keys from the consoles of those of `wanted` that have not told them yet, and
    /// returns every instance whose host keys are known.
    pub(super) async fn learn(
        &self,
        wanted: &[&Instance],
        alive: &[Instance],
    ) -> Result<BTreeSet<String>, CliError> {
        let hosts = self.logins.learn(wanted, alive).await?;
        for (id, error) in hosts.unread {
            let message = format!("the console of {id} cannot be read: {error}");
            self.printer.warn(&message, Some(ON_FIRST_USE));
        }
        for id in hosts.contradicted {
            let message =
                format!("{id} showed another host key on first use than its console tells");
            let hint = "somebody may have been in between then; its console is believed now";
            self.printer.warn(&message, Some(hint));
        }
        Ok(hosts.told)
    }

    /// Returns what was asked for, and no long wait for machines that are none.
    fn options(&self) -> Vec<String> {
        let mut options = self.args.options.clone();
        if self.is_sandbox {
            options.push("ConnectTimeout=5".to_owned());
        }
        options
    }

    /// Says how `ssh` is called for an instance.
    pub(super) fn invocation(
        &self,
        instance: &Instance,
        told: &BTreeSet<String>,
    ) -> Result<Invocation, CliError> {
        let args = self.args;
        let addresses = match args.public {
            true => [&instance.public_ip, &instance.private_ip],
            false => [&instance.private_ip, &instance.public_ip],
        };
        let address = addresses.into_iter().flatten().next();
        let host = match (args.by_id, address) {
            (true, _) => &instance.id,
            (false, Some(address)) => address,
            (false, None) => {
                let message = format!("{} is {} and has no address", instance.id, instance.state);
                return Err(CliError::failed(message).hint("try again when it is running"));
            }
        };
        Ok(Invocation {
            host: host.clone(),
            instance: instance.id.clone(),
            user: args
                .user
                .clone()
                .unwrap_or(self.logins.rack().ssh_user.clone()),
            port: args.port,
            jump: args.jump.clone(),
            config: args.ssh_config.clone(),
            options: self.options(),
            known_hosts: self.logins.known_hosts().path().to_owned(),
            check: if told.contains(&instance.id) {
                HostKeyCheck::Known
            } else {
                HostKeyCheck::FirstUse
            },
            tty: args.tty,
            batch: args.all,
            command: args.command.clone(),
        })
    }
}

impl From<LoginError> for CliError {
    fn from(error: LoginError) -> Self {
        let told = Self::failed(error.to_string());
        match error {
            LoginError::Rack(error) => error.into(),
            LoginError::Ssh(error) => error.into(),
            LoginError::NoKeyPair(_) => {
                told.hint("`convox instances keyroll` gives every instance one")
            }
            LoginError::NoKey { .. } => told
                .hint("a keyroll of the classic CLI that failed leaves instances like this")
                .hint("`convox instances keyroll` gives every instance a new key that is kept"),
        }
    }
}

const ON_FIRST_USE: &str = "its host key is taken on first use";

fn candidate_of(instance: &Instance) -> Candidate {
    let addresses = instance.private_ip.iter().chain(&instance.public_ip);
    Candidate {
        id: instance.id.clone(),
        name: instance.name.clone(),
        addresses: addresses.cloned().collect(),
    }
}

/// Says that none is meant, or which may be.
pub(super) fn unclear(error: &ChooseError, known: &[String]) -> CliError {
    let told = CliError::failed(error.to_string());
    match error {
        ChooseError::None { wanted, .. } => match nearest(wanted, known).as_slice() {
            [] => told.hint("`convox instances` lists them"),
            near => told.hint(format!("did you mean {}?", near.join(" or "))),
        },
        ChooseError::Several { candidates, .. } => {
            let texts: Vec<_> = candidates.iter().map(ToString::to_string).collect();
            told.hint(format!("say which: {}", texts.join(", ")))
        }
    }
}
