//! The system's `ssh` as a way to `authorized_keys`: changes by whoever is let in, proofs by
//! logins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::{OnceCell, Semaphore};

use super::agent::{Agent, Seen};
use super::client::{Ended, HostKeyCheck, Invocation, Ran};
use super::error::SshError;
use super::host_keys::KnownHosts;
use super::login::Logins;
use super::private_dir::PrivateDir;
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::rack::{
    Instance, KeyAccess, KeyAnswer, KeyDeed, KeySwap, LinesSeen, PortError, Rack, Through,
};

/// What `ssh` itself ends with when it fails.
const OWN: u8 = 255;
/// What it says when a server lets in none of the keys that it was offered (OpenSSH,
/// `sshconnect2.c`); it is never translated.
const DENIED: &str = "Permission denied";
/// How long a connection may take to come about, unless something else is asked for.
const CONNECT: &str = "ConnectTimeout=10";
/// A proof is about keys, and about no other way to log in.
const ONLY_KEYS: &str = "PreferredAuthentications=publickey";

/// How `ssh` is to be called.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// The port, where it is not left to `ssh_config`.
    pub port: Option<u16>,
    /// Hosts to go through.
    pub jump: Vec<String>,
    /// The file to read in place of `~/.ssh/config`.
    pub config: Option<PathBuf>,
    /// More options, such as `ServerAliveInterval=15`.
    pub options: Vec<String>,
    /// Whether a public address comes first.
    pub public: bool,
    /// How many instances are logged in to at a time.
    pub at_once: usize,
    /// How long each login may take.
    pub timeout: Duration,
}

impl Default for SshSettings {
    fn default() -> Self {
        Self {
            port: None,
            jump: Vec::new(),
            config: None,
            options: Vec::new(),
            public: false,
            at_once: 32,
            timeout: Duration::from_secs(30),
        }
    }
}

/// Logins to the instances of a rack that change which keys they let in.
pub struct SshAccess {
    rack: Rack,
    known_hosts: KnownHosts,
    /// Where sockets may be, the best first. Nothing is made there before it is needed.
    places: Vec<PathBuf>,
    entropy: Entropy,
    settings: SshSettings,
    logins: OnceCell<Logins>,
    at_once: Semaphore,
    /// Instances whose host keys are known.
    told: Mutex<BTreeSet<String>>,
    agents: AtomicUsize,
}

impl SshAccess {
    /// Reaches the instances of `rack`.
    #[must_use]
    pub fn new(
        rack: Rack,
        known_hosts: KnownHosts,
        places: Vec<PathBuf>,
        entropy: Entropy,
        settings: SshSettings,
    ) -> Self {
        Self {
            rack,
            known_hosts,
            places,
            entropy,
            at_once: Semaphore::new(settings.at_once.max(1)),
            settings,
            logins: OnceCell::new(),
            told: Mutex::default(),
            agents: AtomicUsize::new(0),
        }
    }

    async fn logins(&self) -> Result<&Logins, SshError> {
        let made = self.logins.get_or_try_init(async || {
            let dir = PrivateDir::create(&self.places, &self.entropy)?;
            let logins = Logins::new(self.rack.clone(), self.known_hosts.clone(), dir);
            Ok(logins)
        });
        made.await
    }

    fn address<'a>(&self, instance: &'a Instance) -> Option<&'a String> {
        let mut addresses = [&instance.private_ip, &instance.public_ip];
        if self.settings.public {
            addresses.reverse();
        }
        addresses.into_iter().flatten().next()
    }

    fn invocation(&self, logins: &Logins, instance: &Instance, script: &str) -> Invocation {
        let settings = &self.settings;
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let mut options = vec![ONLY_KEYS.to_owned()];
        options.extend(settings.options.clone());
        options.push(CONNECT.to_owned());
        Invocation {
            host: self.address(instance).cloned().unwrap_or_default(),
            instance: instance.id.clone(),
            user: self.rack.ssh_user.clone(),
            port: settings.port,
            jump: settings.jump.clone(),
            config: settings.config.clone(),
            options,
            known_hosts: logins.known_hosts().path().to_owned(),
            check: if told.contains(&instance.id) {
                HostKeyCheck::Known
            } else {
                HostKeyCheck::FirstUse
            },
            tty: false,
            batch: true,
            // No single quote is in the script.
            command: vec![format!("exec sh -c '{script}'")],
        }
    }

    /// Has `ssh` log in with the key pair `key`, or with the one that opens the instance.
    async fn log_in(
        &self,
        instance: &Instance,
        key: Option<&str>,
        script: &str,
    ) -> Result<(Ran, Seen), String> {
        let logins = self.logins().await.map_err(|error| error.to_string())?;
        let mut meant = instance.clone();
        meant.opened_by = key.map(str::to_owned).or(meant.opened_by);
        let key = logins.key_of(&meant).await;
        let key = key.map_err(|error| error.to_string())?;
        let number = self.agents.fetch_add(1, Ordering::Relaxed);
        let agent = Agent::start(logins.dir(), &number.to_string(), key);
        let agent = agent.map_err(|error| error.to_string())?;
        let invocation = self.invocation(logins, instance, script);
        // The machine's time: a sandbox may be faster, an `ssh` is not.
        let late = Clock::system();
        let ran = invocation.capture(&agent, late.sleep(self.settings.timeout));
        let ran = ran.await.map_err(|error| error.to_string())?;
        Ok((ran, agent.seen()))
    }

    async fn one(&self, deed: KeyDeed, swap: &KeySwap, instance: &Instance) -> Result<(), String> {
        let script = swap.script(deed, false);
        let (old, new) = (swap.old.name.as_str(), swap.new.name.as_str());
        let key = match deed {
            KeyDeed::Add => None,
            KeyDeed::ProveNew | KeyDeed::Remove => Some(new),
            KeyDeed::ProveOld => {
                let (ran, seen) = self.log_in(instance, Some(old), "exit 0").await?;
                refused(old, &ran, seen)?;
                Some(new)
            }
        };
        let (ran, seen) = self.log_in(instance, key, &script).await?;
        if !seen.signed {
            let name = key.or(instance.key()).unwrap_or_default();
            return Err(match (ran.ended, seen.asked) {
                (Ended::Code(OWN), false) => unreached(&ran),
                _ => format!("it does not let {} in with {name}", swap.user),
            });
        }
        match (ran.ended, LinesSeen::read(&ran.stdout)) {
            (Ended::Code(0), Some(lines)) => swap.judge(deed, instance, lines),
            (Ended::Stopped, _) => Err("its login took too long".to_owned()),
            _ => Err(format!("the script failed there: {}", last_line(&ran))),
        }
    }
}

/// Tells whether a login was refused by an instance that was reached.
fn refused(key: &str, ran: &Ran, seen: Seen) -> Result<(), String> {
    match (ran.ended, seen) {
        (_, Seen { signed: true, .. }) => Err(format!("it still lets {key} in")),
        (Ended::Stopped, _) => Err("its login took too long".to_owned()),
        // A connection that broke off, or a server that has had enough, says nothing of the key.
        (Ended::Code(OWN), Seen { asked: true, .. }) if ran.stderr.contains(DENIED) => Ok(()),
        (_, Seen { asked: true, .. }) => Err(format!(
            "it has not said that it refuses {key}: {}",
            last_line(ran)
        )),
        _ => Err(unreached(ran)),
    }
}

fn unreached(ran: &Ran) -> String {
    format!("ssh did not get in touch: {}", last_line(ran))
}

fn last_line(ran: &Ran) -> &str {
    ran.stderr.trim().lines().last().unwrap_or_default()
}

#[async_trait]
impl KeyAccess for SshAccess {
    fn through(&self) -> Through {
        Through::Ssh
    }

    async fn unreached(
        &self,
        instances: &[Instance],
    ) -> Result<BTreeMap<String, String>, PortError> {
        let mut unreached = BTreeMap::new();
        for instance in instances {
            let why = match self.address(instance) {
                _ if instance.state != "running" => format!("it is {}", instance.state),
                None => "it has no address".to_owned(),
                Some(_) => continue,
            };
            unreached.insert(instance.id.clone(), why);
        }
        let there = |it: &&Instance| !unreached.contains_key(&it.id);
        let wanted: Vec<&Instance> = instances.iter().filter(there).collect();
        if wanted.is_empty() {
            return Ok(unreached);
        }
        let closed = |error: SshError| PortError::Rejected {
            api: "ssh",
            code: "NotReady".to_owned(),
            message: error.to_string(),
        };
        let logins = self.logins().await.map_err(closed)?;
        let alive = logins.instances().await?;
        let hosts = logins.learn(&wanted, &alive).await.map_err(closed)?;
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = hosts.told;
        Ok(unreached)
    }

    async fn carry_out(
        &self,
        deed: KeyDeed,
        swap: &KeySwap,
        instances: &[Instance],
        answers: &UnboundedSender<KeyAnswer>,
    ) {
        let each = instances.iter().map(async |instance| {
            let _permit = self.at_once.acquire().await;
            let result = self.one(deed, swap, instance).await;
            // Whoever asked may have stopped listening.
            let _ = answers.send(KeyAnswer {
                instance: instance.id.clone(),
                deed,
                result,
            });
        });
        join_all(each).await;
    }

    fn unvouched(&self, ids: &[String]) -> Vec<String> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let untold = ids.iter().filter(|id| !told.contains(*id));
        untold.cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_says_so_has_refused() {
        let denied = "ada@10.0.1.4: Permission denied (publickey).";
        let timed_out = "ssh: connect to host 10.0.1.4 port 22: Connection timed out";
        let broken = "Connection closed by 10.0.1.4 port 22";
        let ran = |code, stderr: &str| Ran {
            ended: Ended::Code(code),
            stdout: String::new(),
            stderr: format!("a banner\n{stderr}\n"),
        };
        let seen = |asked, signed| Seen { asked, signed };
        let asked = seen(true, false);
        assert_eq!(refused("k", &ran(255, denied), asked), Ok(()));
        let unsaid = format!("it has not said that it refuses k: {broken}");
        let far = format!("ssh did not get in touch: {timed_out}");
        let said = "it still lets k in";
        for (code, stderr, seen, expected) in [
            (0, "", seen(true, true), said),
            // The key is known, whatever the server made of the login then.
            (255, denied, seen(true, true), said),
            (255, timed_out, seen(false, false), far.as_str()),
            // A host to go through may be the one that refuses.
            (255, broken, asked, unsaid.as_str()),
        ] {
            let refused = refused("k", &ran(code, stderr), seen);
            assert_eq!(
                refused,
                Err(expected.to_owned()),
                "{code} {stderr} {seen:?}"
            );
        }
        let through = refused("k", &ran(255, denied), seen(false, false));
        assert!(through.is_err(), "it was a host to go through that refused");
    }
}
