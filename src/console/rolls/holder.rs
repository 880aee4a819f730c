//! The record of a rack as the keeper of its API's key.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::console::service::Service;
use crate::console::vault::about;
use crate::ids::RollId;
use crate::rack::{ApiKeyHolder, PortError};
use crate::store::{Actor, Audited, RackKeyChange, RackRecord, Sealed, SealedThing};

type Result<T> = std::result::Result<T, PortError>;

/// Keeps a rack's key, and beside it the one that a roll is about to set, both sealed.
pub(super) struct RecordHolder {
    service: Service,
    rack: String,
    workspace: String,
    name: String,
    /// The term of work on a roll, which is over once somebody else has taken it up.
    term: i64,
}

impl RecordHolder {
    pub(super) fn new(service: &Service, rack: &RackRecord, term: i64) -> Self {
        Self {
            service: service.clone(),
            rack: rack.id.clone(),
            workspace: rack.workspace.clone(),
            name: rack.full_name(),
            term,
        }
    }

    fn failed(&self, error: impl std::fmt::Display) -> PortError {
        PortError::KeyStore {
            store: self.describe(),
            message: error.to_string(),
        }
    }

    async fn record(&self) -> Result<RackRecord> {
        let record = self.service.store().rack(&self.rack).await;
        record.map_err(|error| self.failed(error))
    }

    fn about(&self) -> String {
        about(&SealedThing::RackKey(self.rack.clone()))
    }

    fn seal(&self, key: &SecretString) -> Sealed {
        self.service.seal(key.expose_secret(), &self.about())
    }

    async fn open(&self, sealed: &[u8]) -> Result<SecretString> {
        let opened = self.service.unseal(sealed, &self.about()).await;
        let opened = opened.map_err(|error| self.failed(error))?;
        Ok(SecretString::from(opened.as_str()))
    }

    async fn change(&self, roll: &RollId, change: RackKeyChange) -> Result<()> {
        let (now, entropy) = (self.service.now(), self.service.entropy());
        let by = Audited::new(&self.workspace, Actor::System, now, entropy);
        let store = self.service.store();
        let changed = store.change_rack_key(&self.rack, (roll.as_str(), self.term), change, by);
        changed.await.map_err(|error| self.failed(error))
    }
}

#[async_trait]
impl ApiKeyHolder for RecordHolder {
    fn describe(&self) -> String {
        format!("the console's record of {}", self.name)
    }

    async fn current(&self) -> Result<Option<SecretString>> {
        match self.record().await?.password {
            Some(sealed) => Ok(Some(self.open(&sealed).await?)),
            None => Ok(None),
        }
    }

    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>> {
        match self.record().await?.next {
            Some((sealed, staged_by)) if staged_by == roll.as_str() => {
                Ok(Some(self.open(&sealed).await?))
            }
            _ => Ok(None),
        }
    }

    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let staged = RackKeyChange::Stage(self.seal(new));
        self.change(roll, staged).await
    }

    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let promoted = RackKeyChange::Promote(self.seal(new));
        self.change(roll, promoted).await
    }

    async fn discard(&self, roll: &RollId) -> Result<()> {
        self.change(roll, RackKeyChange::Discard).await
    }
}
