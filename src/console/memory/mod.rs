//! What this server remembers of keys, so that most verifications ask no database.
//!
//! Whatever changes is forgotten before the change is answered (`store::Memory`). A key that is
//! being looked up while something is forgotten is not remembered: nobody may find what was after
//! somebody was told of what is.

mod pack;
mod shelf;

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use self::pack::{Words, pack, unpack};
use self::shelf::Shelf;
use crate::keys::{Grants, Hash, KeyFacts, RootKey};
use crate::store::{Memory, Store, StoreError, Touched};

/// How many parts the keys are in, so that few wait for one another.
const PARTS: usize = 16;
/// How many root keys are remembered at most.
const ROOTS: usize = 10_000;
/// How many keys are read at once before anybody asks for them.
const PAGE: i64 = 500;

/// A root key, with its permissions read.
#[derive(Debug)]
pub(super) struct KnownRoot {
    pub(super) root: RootKey,
    pub(super) grants: Grants,
    pub(super) workspace_enabled: bool,
    /// How many requests the workspace may make, in how many milliseconds.
    pub(super) requests: Option<(i64, i64)>,
}

/// What is remembered.
pub(super) struct KeyMemory {
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
    roots: RwLock<Roots>,
}

/// Some of the keys. A record without a byte says that there is no such key.
struct Part {
    shelf: Shelf,
    words: Words,
    most_words: usize,
    /// How often anything was forgotten.
    forgotten: u64,
}

#[derive(Default)]
struct Roots {
    known: HashMap<Hash, Arc<KnownRoot>>,
    forgotten: u64,
}

impl KeyMemory {
    /// Makes a memory that takes about `bytes` at most.
    pub(super) fn new(bytes: usize) -> Self {
        let part = || Part {
            shelf: Shelf::new(bytes / PARTS),
            words: Words::default(),
            most_words: bytes / PARTS / 4,
            forgotten: 0,
        };
        Self {
            hasher: RandomState::new(),
            parts: (0..PARTS).map(|_| Mutex::new(part())).collect(),
            roots: RwLock::default(),
        }
    }

    /// Returns the key with this hash, from memory or else from the store.
    pub(super) async fn key(
        &self,
        store: &Store,
        hash: Hash,
    ) -> Result<Option<KeyFacts>, StoreError> {
        let before = {
            let mut part = self.part(&hash);
            if store.may_remember()
                && let Some(known) = part.get(&hash)
            {
                return Ok(known);
            }
            part.forgotten
        };
        let found = store.facts(hash).await?;
        self.part(&hash).put(&hash, found.as_ref(), before);
        Ok(found)
    }

    /// Returns the root key with this hash, from memory or else from the store.
    pub(super) async fn root(
        &self,
        store: &Store,
        hash: Hash,
    ) -> Result<Option<Arc<KnownRoot>>, StoreError> {
        let before = {
            let roots = self.roots.read().unwrap_or_else(PoisonError::into_inner);
            if store.may_remember()
                && let Some(known) = roots.known.get(&hash)
            {
                return Ok(Some(Arc::clone(known)));
            }
            roots.forgotten
        };
        let Some((root, workspace)) = store.root_key_by_hash(hash).await? else {
            return Ok(None);
        };
        let permissions = root.permissions.iter().map(String::as_str);
        let known = Arc::new(KnownRoot {
            grants: Grants::read(&root.workspace, permissions),
            root,
            workspace_enabled: workspace.enabled,
            requests: workspace.requests,
        });
        let mut roots = self.roots_mut();
        if roots.forgotten == before {
            if roots.known.len() >= ROOTS {
                roots.known.clear();
            }
            roots.known.insert(hash, Arc::clone(&known));
        }
        Ok(Some(known))
    }

    /// Reads keys before anybody asks for them, until all are read or there is no more room.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn read_ahead(&self, store: &Store) -> Result<(), StoreError> {
        let mut after = String::new();
        loop {
            let before: Vec<_> = self.parts.iter().map(|part| lock(part).forgotten).collect();
            let page = store.facts_after(&after, PAGE).await?;
            let Some((_, last)) = page.last() else {
                return Ok(());
            };
            after.clone_from(&last.id);
            let mut is_full = true;
            for (hash, facts) in &page {
                let place = self.place(hash);
                let mut part = lock(&self.parts[place]);
                if !part.shelf.is_full() {
                    is_full = false;
                    // Somebody may have asked for it meanwhile.
                    if part.shelf.get(hash).is_none() {
                        part.put(hash, Some(facts), before[place]);
                    }
                }
            }
            if is_full {
                return Ok(());
            }
        }
    }

    /// Returns how many secrets are remembered.
    pub(super) fn len(&self) -> usize {
        self.parts.iter().map(|part| lock(part).shelf.len()).sum()
    }

    fn place(&self, hash: &Hash) -> usize {
        usize::try_from(self.hasher.hash_one(hash) % PARTS as u64).unwrap_or(0)
    }

    fn part(&self, hash: &Hash) -> MutexGuard<'_, Part> {
        lock(&self.parts[self.place(hash)])
    }

    fn roots_mut(&self) -> std::sync::RwLockWriteGuard<'_, Roots> {
        self.roots.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Part {
    /// Returns what is remembered: a key, that there is none, or nothing.
    fn get(&mut self, hash: &Hash) -> Option<Option<KeyFacts>> {
        match self.shelf.get(hash)? {
            [] => Some(None),
            packed => unpack(packed, &self.words).map(Some),
        }
    }

    /// Remembers a key, or that there is none, unless anything was forgotten since `before`.
    fn put(&mut self, hash: &Hash, facts: Option<&KeyFacts>, before: u64) {
        if self.forgotten != before {
            return;
        }
        if self.words.bytes() > self.most_words {
            // So many different words that they are none that keys have in common.
            self.shelf.clear();
            self.words.clear();
        }
        let packed = facts.map(|facts| pack(facts, &mut self.words));
        self.shelf.put(hash, packed.as_deref().unwrap_or_default());
    }
}

impl Memory for KeyMemory {
    fn forget(&self, touched: &Touched) {
        match touched {
            Touched::All => {
                for part in &self.parts {
                    let mut part = lock(part);
                    part.forgotten += 1;
                    part.shelf.clear();
                    part.words.clear();
                }
                let mut roots = self.roots_mut();
                roots.forgotten += 1;
                roots.known.clear();
            }
            Touched::Keys(hashes) => {
                for hash in hashes {
                    let mut part = self.part(hash);
                    part.forgotten += 1;
                    part.shelf.remove(hash);
                }
                let mut roots = self.roots_mut();
                roots.forgotten += 1;
                for hash in hashes {
                    roots.known.remove(hash);
                }
            }
        }
    }
}

fn lock(part: &Mutex<Part>) -> MutexGuard<'_, Part> {
    part.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
