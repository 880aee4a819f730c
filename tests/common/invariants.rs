//! The invariants of DESIGN, checked on the account itself after every virtual second.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convox::clock::Clock;
use convox::envelope::Envelope;
use convox::sandbox::Sandbox;
use convox::sandbox::api::Input;
use convox::sandbox::world::World;

/// Watches an account, and keeps what it saw broken.
#[derive(Debug, Clone, Default)]
pub(crate) struct Watcher {
    broken: Arc<Mutex<BTreeSet<String>>>,
    most_new_pairs: Arc<Mutex<usize>>,
    /// The public halves of sealed settings that were opened before.
    opened: Arc<Mutex<BTreeMap<Vec<u8>, Option<String>>>>,
}

impl Watcher {
    /// Looks every second from now on, until the runtime ends.
    pub(crate) fn start(sandbox: &Sandbox, clock: &Clock) -> Self {
        let watcher = Self::default();
        let (sandbox, clock, this) = (sandbox.clone(), clock.clone(), watcher.clone());
        tokio::spawn(async move {
            loop {
                sandbox.peek(|world| this.look(world));
                clock.sleep(Duration::from_secs(1)).await;
            }
        });
        watcher
    }

    /// Looks at one instant.
    fn look(&self, world: &World) {
        let mut broken = self.broken.lock().unwrap();
        let pairs = world.key_pair_names();
        let mut others = world.faults.made().iter();
        let deleted_by_others = others.any(|made| made.api == "ec2:DeleteKeyPair");
        for instance in world.live_instances() {
            if instance.state.as_str() == "shutting-down" {
                continue;
            }
            let Some(name) = &instance.key_name else {
                continue;
            };
            let opened_by = instance.tags.get("convox:key").unwrap_or(name);
            // Invariant 2: what an instance still needs for a way back is not deleted, not by us.
            if !deleted_by_others && !pairs.contains(name) {
                broken.insert(format!("{}: key pair {name} is gone", instance.id));
            }
            // Invariant 1: the private key that opens it is in the store.
            let lets_in = instance.authorized_keys.iter().map(|line| Some(bare(line)));
            let stored = self.keys_in_store(world, opened_by);
            if !lets_in.into_iter().any(|line| stored.contains(&line)) {
                broken.insert(format!(
                    "{}: no key in the store for {opened_by} opens it",
                    instance.id
                ));
            }
        }
        // Invariant 4: what the stack names has its private key in the store.
        let stack = world.cloudformation.stack("prod");
        if let Some(key) = stack.and_then(|stack| stack.parameter("Key"))
            && !key.ends_with("-4711")
            && !world.bucket_names().any(|bucket| {
                world
                    .get_object(bucket, &format!("instance-keys/{key}"))
                    .is_ok()
            })
        {
            broken.insert(format!(
                "the stack names {key}, which the store does not hold"
            ));
        }
        // Invariant 5: a roll never has two key pairs.
        let made = pairs.iter().filter(|name| !name.ends_with("-4711")).count();
        let mut most = self.most_new_pairs.lock().unwrap();
        *most = (*most).max(made);
    }

    /// Returns the public halves of the private keys that the store would give for a key pair:
    /// the one under its name and, until that is there, the classic rack's only one.
    fn keys_in_store(&self, world: &World, name: &str) -> Vec<Option<String>> {
        let named = format!("instance-keys/{name}");
        let objects = [named.as_str(), "instance-key"];
        let buckets: Vec<&str> = world.bucket_names().collect();
        let mut keys = Vec::new();
        for (bucket, object) in buckets
            .iter()
            .flat_map(|bucket| objects.map(|object| (bucket, object)))
        {
            let Ok(sealed) = world.get_object(bucket, object) else {
                continue;
            };
            let mut opened = self.opened.lock().unwrap();
            let known = opened
                .entry(sealed.to_vec())
                .or_insert_with(|| open(world, sealed));
            keys.extend(known.clone().map(Some));
        }
        keys
    }

    /// Fails if an instance could not be opened at any instant.
    pub(crate) fn assert_open(&self, context: &str) {
        let broken = self.broken.lock().unwrap();
        assert!(broken.is_empty(), "{context}: {broken:#?}");
    }

    /// Fails if anything was broken at any instant, or there were two new key pairs.
    pub(crate) fn assert_whole(&self, context: &str) {
        self.assert_open(context);
        let most = *self.most_new_pairs.lock().unwrap();
        assert!(most <= 1, "{context}: {most} new key pairs at one time");
    }
}

/// The type and the bits of a public key, without its comment.
fn bare(key: &str) -> String {
    key.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}

/// Opens a sealed setting with the account's own KMS, and returns its public half.
fn open(world: &World, sealed: &[u8]) -> Option<String> {
    let envelope = Envelope::parse(std::str::from_utf8(sealed).ok()?).ok()?;
    let (_, data_key) = world
        .kms_decrypt(envelope.wrapped_key(), &Input::default())
        .ok()?;
    let plain = envelope.open(&data_key.try_into().ok()?).ok()?;
    let key = ssh_key::PrivateKey::from_openssh(plain).ok()?;
    Some(bare(&key.public_key().to_openssh().ok()?))
}
