//! Journals and private keys that last as long as a rehearsal: nothing of it reaches a disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use crate::ids::RollId;
use crate::rack::{KeyStore, PortError, PrivateKey};
use crate::roll::{Entry, Event, EventSink, JournalError, JournalKeeper, JournalWriter, Line};

/// Keeps no journal: a rehearsal that is broken off is not gone on with.
pub(super) struct NoJournals;

struct NoJournal;

#[async_trait]
impl JournalKeeper for NoJournals {
    async fn begin(&self, _: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(Box::new(NoJournal))
    }

    async fn go_on(&self, _: &RollId) -> Result<Box<dyn JournalWriter>, JournalError> {
        Ok(Box::new(NoJournal))
    }

    async fn lines(&self, _: &RollId) -> Result<Option<Vec<Line>>, JournalError> {
        Ok(None)
    }

    async fn all(&self) -> Result<Vec<RollId>, JournalError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl JournalWriter for NoJournal {
    async fn record(&mut self, _: Timestamp, _: Entry) -> Result<(), JournalError> {
        Ok(())
    }

    fn keep_event(&mut self, _: &Event) {}
}

/// Hears nothing.
pub(super) struct Deaf;

impl EventSink for Deaf {
    fn event(&mut self, _: &Event) {}
}

/// Holds private keys in memory; clones share them.
#[derive(Clone, Default)]
pub(super) struct MemoryKeys(Arc<Mutex<Held>>);

#[derive(Default)]
struct Held {
    keys: BTreeMap<String, PrivateKey>,
    current: Option<PrivateKey>,
}

impl MemoryKeys {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl KeyStore for MemoryKeys {
    fn describe(&self) -> String {
        "the rehearsal".to_owned()
    }

    async fn check(&self) -> Result<(), PortError> {
        Ok(())
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<(), PortError> {
        self.held().keys.insert(name.to_owned(), key.clone());
        Ok(())
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>, PortError> {
        Ok(self.held().keys.get(name).cloned())
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.held().keys.remove(name);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        let held = self.held();
        let names = held.keys.keys().filter(|name| name.starts_with(prefix));
        Ok(names.cloned().collect())
    }

    async fn current(&self) -> Result<Option<PrivateKey>, PortError> {
        Ok(self.held().current.clone())
    }

    async fn promote(&self, name: &str) -> Result<(), PortError> {
        let mut held = self.held();
        held.current = held.keys.get(name).cloned();
        Ok(())
    }
}
