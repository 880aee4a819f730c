//! What this server remembers of keys, so that most verifications ask no database.
//!
//! Whatever changes is forgotten before the change is answered (`store::Memory`). A key that is
//! being looked up while it changes is not remembered: each look-up notes how often anything was
//! forgotten before it began.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::sync::Cache;

use crate::keys::{Grants, Hash, Key, RootKey};
use crate::store::{Memory, Store, StoreError, Touched};

/// How many keys are remembered at most.
const MOST: usize = 100_000;

/// A key, as verifications need it.
#[derive(Debug)]
pub(super) struct KnownKey {
    pub(super) key: Key,
    pub(super) workspace_enabled: bool,
}

/// A root key, with its permissions read.
#[derive(Debug)]
pub(super) struct KnownRoot {
    pub(super) root: RootKey,
    pub(super) grants: Grants,
    pub(super) workspace_enabled: bool,
    /// How many requests the workspace may make, in how many milliseconds.
    pub(super) requests: Option<(i64, i64)>,
}

#[derive(Clone)]
enum Known {
    Key(Option<Arc<KnownKey>>),
    Root(Option<Arc<KnownRoot>>),
}

/// What is remembered.
pub(super) struct KeyMemory {
    keys: Cache<Hash, Known>,
    roots: Cache<Hash, Known>,
    forgotten: AtomicU64,
}

impl KeyMemory {
    pub(super) fn new() -> Self {
        Self {
            keys: Cache::new(MOST),
            roots: Cache::new(1000),
            forgotten: AtomicU64::new(0),
        }
    }

    /// Returns the key with this hash, from memory or else from the store.
    pub(super) async fn key(
        &self,
        store: &Store,
        hash: Hash,
    ) -> Result<Option<Arc<KnownKey>>, StoreError> {
        if store.may_remember()
            && let Some(Known::Key(known)) = self.keys.get(&hash)
        {
            return Ok(known);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let found = store.key_by_hash(hash).await?;
        let known = found.map(|(key, workspace_enabled)| {
            Arc::new(KnownKey {
                key,
                workspace_enabled,
            })
        });
        self.remember(&self.keys, hash, Known::Key(known.clone()), before);
        Ok(known)
    }

    /// Returns the root key with this hash, from memory or else from the store.
    pub(super) async fn root(
        &self,
        store: &Store,
        hash: Hash,
    ) -> Result<Option<Arc<KnownRoot>>, StoreError> {
        if store.may_remember()
            && let Some(Known::Root(known)) = self.roots.get(&hash)
        {
            return Ok(known);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let found = store.root_key_by_hash(hash).await?;
        let known = found.map(|(root, workspace)| {
            let permissions = root.permissions.iter().map(String::as_str);
            Arc::new(KnownRoot {
                grants: Grants::read(&root.workspace, permissions),
                root,
                workspace_enabled: workspace.enabled,
                requests: workspace.requests,
            })
        });
        self.remember(&self.roots, hash, Known::Root(known.clone()), before);
        Ok(known)
    }

    fn remember(&self, cache: &Cache<Hash, Known>, hash: Hash, known: Known, before: u64) {
        cache.insert(hash, known);
        // Put in first and looked at afterwards: whoever forgets in between takes it out again.
        if self.forgotten.load(Ordering::Acquire) != before {
            cache.remove(&hash);
        }
    }
}

impl Memory for KeyMemory {
    fn forget(&self, touched: &Touched) {
        // Counted first, so that a look-up under way sees it, and then taken out.
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        match touched {
            Touched::All => {
                self.keys.clear();
                self.roots.clear();
            }
            Touched::Keys(hashes) => {
                for hash in hashes {
                    self.keys.remove(hash);
                    self.roots.remove(hash);
                }
            }
        }
    }
}
