//! What it takes to log in to an instance of a rack: which there are, their keys, their host keys.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use super::error::SshError;
use super::host_keys::{KnownHosts, host_keys_of_console};
use super::key::SigningKey;
use super::private_dir::PrivateDir;
use crate::rack::{Instance, PortError, PrivateKey, Rack};

/// How many consoles are asked for at a time.
const CONSOLES_AT_ONCE: usize = 8;

/// Why nobody can log in to an instance.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The rack cannot be asked.
    #[error(transparent)]
    Rack(#[from] PortError),
    /// The key cannot be used, or there is no place for what `ssh` needs.
    #[error(transparent)]
    Ssh(#[from] SshError),
    /// No key opens the instance.
    #[error("{0} was started without a key pair")]
    NoKeyPair(String),
    /// The key that opens the instance is not kept.
    #[error("the private key of {name}, which {instance} has, is not in {store}")]
    NoKey {
        /// The key pair.
        name: String,
        /// The instance's id.
        instance: String,
        /// Where it was looked for.
        store: String,
    },
}

/// A rack whose instances can be logged in to.
pub struct Logins {
    rack: Rack,
    known_hosts: KnownHosts,
    dir: PrivateDir,
    /// The private key that everybody uses by default, and the key pair that it is of.
    current: OnceCell<Option<(String, PrivateKey)>>,
}

/// What is known of host keys.
#[derive(Debug, Default)]
pub struct Hosts {
    /// The instances whose host keys are known.
    pub told: BTreeSet<String>,
    /// Instances whose consoles could not be read, and why.
    pub unread: Vec<(String, PortError)>,
    /// Instances that showed another key on first use than their console tells.
    pub contradicted: Vec<String>,
}

impl Logins {
    /// Prepares logins to instances of `rack`, with files in `dir`.
    #[must_use]
    pub fn new(rack: Rack, known_hosts: KnownHosts, dir: PrivateDir) -> Self {
        Self {
            rack,
            known_hosts,
            dir,
            current: OnceCell::new(),
        }
    }

    /// Returns the rack.
    #[must_use]
    pub fn rack(&self) -> &Rack {
        &self.rack
    }

    /// Returns the directory for sockets and public keys.
    #[must_use]
    pub fn dir(&self) -> &PrivateDir {
        &self.dir
    }

    /// Returns the file of host keys.
    #[must_use]
    pub fn known_hosts(&self) -> &KnownHosts {
        &self.known_hosts
    }

    /// Lists all that could be logged in to, those that build and those on the way out included.
    ///
    /// # Errors
    /// When the rack cannot be asked.
    pub async fn instances(&self) -> Result<Vec<Instance>, PortError> {
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

    /// Lists what is the rack's although no group has it any more, besides `instances`.
    ///
    /// # Errors
    /// When the rack cannot be asked.
    pub async fn detached(&self, instances: &[Instance]) -> Result<Vec<Instance>, PortError> {
        let mut others = self.rack.system.instances().await?;
        others.retain(|other| instances.iter().all(|instance| instance.id != other.id));
        let detached = others.into_iter().map(|other| Instance {
            id: other.id,
            name: other.name,
            state: "running".to_owned(),
            key_name: other.key_name,
            opened_by: None,
            owner: None,
            lifecycle: None,
            private_ip: Some(other.private_ip).filter(|ip| !ip.is_empty()),
            public_ip: Some(other.public_ip).filter(|ip| !ip.is_empty()),
            launched_at: other.started,
        });
        Ok(detached.collect())
    }

    /// Finds the private key that opens an instance.
    ///
    /// # Errors
    /// When there is none, or it cannot be had or used.
    pub async fn key_of(&self, instance: &Instance) -> Result<Arc<SigningKey>, LoginError> {
        let id = &instance.id;
        let name = instance.key();
        let name = name.ok_or_else(|| LoginError::NoKeyPair(id.clone()))?;
        let stored = match self.rack.keys.get(name).await? {
            Some(key) => Some(key),
            // A classic rack keeps one key only, without its name.
            None => {
                let current = self.current().await?.as_ref();
                let same = current.filter(|(current, _)| current == name);
                same.map(|(_, key)| key.clone())
            }
        };
        let key = stored.ok_or_else(|| LoginError::NoKey {
            name: name.to_owned(),
            instance: id.clone(),
            store: self.rack.keys.describe(),
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

    /// Learns host keys from the consoles of those of `wanted` that have not told them yet; those
    /// of no instance of `alive` and `wanted` are forgotten.
    ///
    /// # Errors
    /// When the file of host keys cannot be read or written.
    pub async fn learn(&self, wanted: &[&Instance], alive: &[Instance]) -> Result<Hosts, SshError> {
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
        let (mut told, mut hosts) = (BTreeMap::new(), Hosts::default());
        while let Some(asked) = asking.join_next().await {
            match asked {
                Ok((id, Ok(keys))) if !keys.is_empty() => {
                    told.insert(id, keys);
                }
                Ok((id, Err(error))) => hosts.unread.push((id, error)),
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
            hosts.contradicted = self.known_hosts.learn(&told, &alive)?.contradicted;
        }
        known.extend(told.into_keys());
        hosts.told = known;
        Ok(hosts)
    }
}
