//! Rotation: a new master key seals, all that is sealed is sealed anew, and the old key goes.
//!
//! Each step is found done or not done by looking, so that whoever is stopped at any point begins
//! anew and ends what was begun. Servers may run all the while: one that does not know the new key
//! yet goes on sealing with the old one, which does not go before that is sealed anew as well.

use std::time::Duration;

use super::{KeySource, Vault, VaultError};
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::store::{Actor, Audited, Sealed, SealedKind, SealedThing, Store, StoreError};

/// For how long servers are waited for that seal with an old key still.
const PAUSE: Duration = Duration::from_secs(1);
/// How often.
const PAUSES: usize = 30;

/// What was done last, and cannot be lost any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// There is a new master key, which nobody knows of yet.
    Made(String),
    /// The database names it: it seals from now on.
    Named(String),
    /// So many things more are sealed with it.
    Sealed(usize),
    /// Nothing is sealed with this one, and it is gone from the database.
    Gone(String),
}

/// What a rotation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The id of the master key that seals.
    pub newest: String,
    /// How many things were sealed anew.
    pub sealed: usize,
    /// The ids of the master keys that are gone.
    pub gone: Vec<String>,
}

/// Makes a new master key in the file, for other servers to have before it seals anything; or
/// finds one that was made before. Returns its id.
///
/// # Errors
/// As the database's or the file's, and [`VaultError::Wrapped`] where KMS wraps the keys.
pub async fn prepare(
    store: &Store,
    source: &KeySource,
    entropy: &Entropy,
) -> Result<String, VaultError> {
    if source.is_wrapped() {
        return Err(VaultError::Wrapped);
    }
    Vault::of(store, source.clone()).await?;
    let key = source.new_key(&known(store).await?, entropy).await?;
    Ok(key.id)
}

/// Seals everything with a new master key, and lets those before it go. Ends a rotation that was
/// begun before, with its own key.
///
/// At most `batch` things are sealed anew in a transaction. `told` hears of every step.
///
/// # Errors
/// [`VaultError::Left`] when something cannot be opened, and [`VaultError::Used`] when a server
/// goes on sealing with an old key; that stays then. Otherwise as the database's, KMS's or the
/// file's. Whatever it is, nothing is lost.
pub async fn rotate(
    store: &Store,
    source: &KeySource,
    clock: &Clock,
    batch: i64,
    entropy: &Entropy,
    mut told: impl FnMut(&Step) -> Result<(), VaultError>,
) -> Result<Rotated, VaultError> {
    let vault = Vault::of(store, source.clone()).await?;
    if store.master_keys().await?.len() < 2 {
        let after = vault.seals_with();
        let new = source.new_key(&known(store).await?, entropy).await?;
        let id = new.id.clone();
        told(&Step::Made(id.clone()))?;
        let now = clock.now().as_millisecond();
        let by = audited(store, now, entropy).await?;
        store.add_master_key(new, Some(after), now, by).await?;
        told(&Step::Named(id))?;
        vault.refresh(store).await?;
    }
    let mut rotated = Rotated {
        newest: vault.seals_with(),
        sealed: 0,
        gone: Vec::new(),
    };
    for old in store.master_keys().await?.into_iter().skip(1) {
        let mut work = Work {
            store,
            vault: &vault,
            clock,
            entropy,
            old: &old.id,
            batch,
        };
        rotated.sealed += work.until_gone(&mut told).await?;
        rotated.gone.push(old.id.clone());
        told(&Step::Gone(old.id))?;
    }
    // One that went from the database before somebody was stopped is still in the file.
    source.file.take_out(&store.retired_master_keys().await?)?;
    Ok(rotated)
}

/// The ids that a new key cannot have.
async fn known(store: &Store) -> Result<Vec<String>, StoreError> {
    let mut known = store.retired_master_keys().await?;
    known.extend(store.master_keys().await?.into_iter().map(|key| key.id));
    Ok(known)
}

/// Says in every workspace who does it.
async fn audited(store: &Store, now: i64, entropy: &Entropy) -> Result<Vec<Audited>, StoreError> {
    let workspaces = store.workspaces().await?.into_iter();
    Ok(workspaces
        .map(|workspace| Audited::new(&workspace.id, Actor::Operator, now, entropy))
        .collect())
}

/// What is sealed with one old master key.
struct Work<'a> {
    store: &'a Store,
    vault: &'a Vault,
    clock: &'a Clock,
    entropy: &'a Entropy,
    old: &'a str,
    batch: i64,
}

impl Work<'_> {
    /// Seals everything anew until the old key is gone; returns how much that was.
    async fn until_gone(
        &mut self,
        told: &mut impl FnMut(&Step) -> Result<(), VaultError>,
    ) -> Result<usize, VaultError> {
        let mut sealed = 0;
        for _ in 0..PAUSES {
            let (anew, closed) = self.pass(told).await?;
            sealed += anew;
            let now = self.clock.now().as_millisecond();
            let by = audited(self.store, now, self.entropy).await?;
            let left = self.store.retire_master_key(self.old, now, by).await?;
            if left == 0 {
                return Ok(sealed);
            }
            // Else a server has sealed more with it meanwhile.
            if left <= closed {
                return Err(VaultError::Left(left));
            }
            self.clock.sleep(PAUSE).await;
        }
        Err(VaultError::Used(self.old.to_owned()))
    }

    /// Seals everything anew that there is just now; returns how much, and how much cannot be
    /// opened.
    async fn pass(
        &mut self,
        told: &mut impl FnMut(&Step) -> Result<(), VaultError>,
    ) -> Result<(usize, i64), VaultError> {
        let (mut sealed, mut closed) = (0, 0);
        for kind in SealedKind::ALL {
            // What cannot be opened stays, and is left out of the next page.
            let mut left = 0;
            loop {
                let page = self.store.sealed_with(self.old, kind, left, self.batch);
                let page = page.await?;
                if page.is_empty() {
                    break;
                }
                let mut anew = Vec::with_capacity(page.len());
                for (thing, old) in page {
                    match self.anew(&thing, &old).await? {
                        Some(new) => anew.push((thing, old, new)),
                        None => left += 1,
                    }
                }
                if !anew.is_empty() {
                    let count = anew.len();
                    self.store.seal_anew(anew).await?;
                    sealed += count;
                    told(&Step::Sealed(count))?;
                }
            }
            closed += left;
        }
        Ok((sealed, closed))
    }

    /// Seals one thing anew; none if it cannot be opened.
    async fn anew(&self, thing: &SealedThing, old: &[u8]) -> Result<Option<Sealed>, VaultError> {
        let about = about(thing);
        match self.vault.open(self.store, old, &about).await {
            Ok(text) => Ok(Some(self.vault.seal(&text, &about, self.entropy))),
            Err(VaultError::Broken | VaultError::OtherKey) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Returns the purpose that a thing was sealed for.
pub(in crate::console) fn about(thing: &SealedThing) -> String {
    match thing {
        SealedThing::Secret(key) => key.clone(),
        SealedThing::Answer(root_key, key) => format!("idempotent:{root_key}:{key}"),
        // The same for both, so that the one takes the place of the other as it is.
        SealedThing::RackKey(rack) | SealedThing::NextRackKey(rack) => format!("rack:{rack}"),
        SealedThing::WebhookSecret(webhook) => format!("webhook:{webhook}"),
    }
}
