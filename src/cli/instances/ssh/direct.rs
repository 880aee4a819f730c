//! Logging in with the system's `ssh`: the instance, its key and its host keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use super::SshArgs;
use super::explain;
use crate::cli::context::Context;
use crate::cli::signals;
use crate::config::nearest;
use crate::rack::{Instance, PortError, PrivateKey, Rack};
use crate::ssh::{
    Agent, Candidate, ChooseError, Ended, HostKeyCheck, Invocation, KnownHosts, PrivateDir,
    SigningKey, Terminal, choose, host_keys_of_console,
};
use crate::ui::{CliError, Exit, Printer};

/// How many consoles are asked for at a time.
const CONSOLES_AT_ONCE: usize = 8;

/// A rack whose instances can be logged in to.
pub(super) struct Doorway<'a> {
    args: &'a SshArgs,
    printer: &'a Printer,
    is_sandbox: bool,
    rack: Rack,
    known_hosts: KnownHosts,
    pub(super) dir: PrivateDir,
    /// The private key that everybody uses by default, and the key pair that it is of.
    current: OnceCell<Option<(String, PrivateKey)>>,
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
    let agent = Agent::start(&door.dir, "agent", key)?;
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

impl<'a> Doorway<'a> {
    pub(super) fn new(
        args: &'a SshArgs,
        context: &'a Context,
        rack: Rack,
    ) -> Result<Self, CliError> {
        let environment = context.environment();
        let named = ["XDG_RUNTIME_DIR", "TMPDIR"].map(|name| environment.get(name));
        let places: Vec<PathBuf> = named
            .into_iter()
            .flatten()
            .chain(["/tmp"])
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .collect();
        Ok(Self {
            args,
            printer: context.printer(),
            is_sandbox: context.global().sandbox,
            known_hosts: KnownHosts::of_rack(&context.known_hosts_dir()?, &rack.name),
            rack,
            dir: PrivateDir::create(&places, &context.entropy()?)?,
            current: OnceCell::new(),
        })
    }

    /// Lists all that could be logged in to, those that build and those on the way out included.
    pub(super) async fn instances(&self) -> Result<Vec<Instance>, PortError> {
        let stack = self.rack.stacks.describe(&self.rack.stack).await?;
        let resources = self.rack.stacks.resources(&stack.id).await?;
        let names = |kind: &str| {
            let live = resources.iter().filter(|resource| {
                resource.resource_type == kind
                    && !resource.physical_id.is_empty()
                    && resource.status != "DELETE_COMPLETE"
            });
            live.map(|resource| resource.physical_id.clone())
                .collect::<Vec<_>>()
        };
        let groups = names("AWS::AutoScaling::AutoScalingGroup");
        let fleets = names("AWS::EC2::SpotFleet");
        let mut instances = self.rack.fleet.instances(&groups, &fleets).await?;
        instances.retain(Instance::is_live);
        Ok(instances)
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
        let mut others = self.rack.system.instances().await?;
        others.retain(|other| instances.iter().all(|instance| instance.id != other.id));
        let detached: Vec<Instance> = others
            .into_iter()
            .map(|other| Instance {
                id: other.id,
                name: other.name,
                state: "running".to_owned(),
                key_name: other.key_name,
                owner: None,
                lifecycle: None,
                private_ip: Some(other.private_ip).filter(|ip| !ip.is_empty()),
                public_ip: Some(other.public_ip).filter(|ip| !ip.is_empty()),
                launched_at: other.started,
            })
            .collect();
        let candidates: Vec<Candidate> = detached.iter().map(candidate_of).collect();
        match choose(wanted, &candidates) {
            Ok(place) => Ok(detached[place].clone()),
            Err(several @ ChooseError::Several { .. }) => Err(unclear(&several, &[])),
            Err(ChooseError::None { .. }) => Err(unclear(&error, &known)),
        }
    }

    /// Finds the private key that opens an instance.
    pub(super) async fn key_of(&self, instance: &Instance) -> Result<Arc<SigningKey>, CliError> {
        let id = &instance.id;
        let name = instance.key_name.as_deref().ok_or_else(|| {
            CliError::failed(format!("{id} was started without a key pair"))
                .hint("`convox instances keyroll` gives every instance one")
        })?;
        let stored = match self.rack.keys.get(name).await? {
            Some(key) => Some(key),
            // A classic rack keeps one key only, without its name.
            None => {
                let current = self.current().await?.as_ref();
                let same = current.filter(|(current, _)| current == name);
                same.map(|(_, key)| key.clone())
            }
        };
        let key = stored.ok_or_else(|| {
            let store = self.rack.keys.describe();
            CliError::failed(format!(
                "the private key of {name}, which {id} has, is not in {store}"
            ))
            .hint("a keyroll of the classic CLI that failed leaves instances like this")
            .hint("`convox instances keyroll` gives every instance a new key that is kept")
        })?;
        Ok(Arc::new(SigningKey::read(name, &key)?))
    }

    async fn current(&self) -> Result<&Option<(String, PrivateKey)>, PortError> {
        let rack = &self.rack;
        self.current
            .get_or_try_init(|| async {
                let stack = rack.stacks.describe(&rack.stack).await?;
                let name = stack.parameter(&rack.key_parameter).unwrap_or_default();
                let key = rack.keys.current().await?;
                Ok(key.map(|key| (name.to_owned(), key)))
            })
            .await
    }

    /// Learns host keys from the consoles of those of `wanted` that have not told them yet, and
    /// returns every instance whose host keys are known.
    pub(super) async fn learn(
        &self,
        wanted: &[&Instance],
        alive: &[Instance],
    ) -> Result<BTreeSet<String>, CliError> {
        let mut known = self.known_hosts.told_by_console()?;
        let unknown = wanted
            .iter()
            .map(|instance| instance.id.clone())
            .filter(|id| !known.contains(id));
        let at_once = Arc::new(Semaphore::new(CONSOLES_AT_ONCE));
        let mut asking = JoinSet::new();
        for id in unknown {
            let (fleet, at_once) = (Arc::clone(&self.rack.fleet), Arc::clone(&at_once));
            asking.spawn(async move {
                let _permit = at_once.acquire().await;
                // Most tell what they wrote while they started; some only what they wrote last.
                let mut keys = Vec::new();
                for latest in [false, true] {
                    match fleet.console_output(&id, latest).await {
                        Ok(text) => keys = host_keys_of_console(&text.unwrap_or_default()),
                        Err(error) if latest => drop(error),
                        Err(error) => return (id, Err(error)),
                    }
                    if !keys.is_empty() {
                        break;
                    }
                }
                (id, Ok(keys))
            });
        }
        let mut told = BTreeMap::new();
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((id, Ok(keys))) if !keys.is_empty() => {
                    told.insert(id, keys);
                }
                Ok((id, Err(error))) => {
                    let message = format!("the console of {id} cannot be read: {error}");
                    self.printer.warn(&message, Some(ON_FIRST_USE));
                }
                Ok(_) | Err(_) => {}
            }
        }
        let alive: BTreeSet<String> = alive
            .iter()
            .chain(wanted.iter().copied())
            .map(|instance| instance.id.clone())
            .collect();
        self.known_hosts.prepare()?;
        if !told.is_empty() {
            let learned = self.known_hosts.learn(&told, &alive)?;
            for id in learned.contradicted {
                let message =
                    format!("{id} showed another host key on first use than its console tells");
                let hint = "somebody may have been in between then; its console is believed now";
                self.printer.warn(&message, Some(hint));
            }
        }
        known.extend(told.into_keys());
        Ok(known)
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
            user: args.user.clone().unwrap_or(self.rack.ssh_user.clone()),
            port: args.port,
            jump: args.jump.clone(),
            config: args.ssh_config.clone(),
            options: self.options(),
            known_hosts: self.known_hosts.path().to_owned(),
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
