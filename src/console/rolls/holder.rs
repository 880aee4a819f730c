//! The record of a rack as the keeper of its API's key.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::staged::{ReadStaged, Staged};

use crate::console::service::Service;
use crate::console::vault::{VaultError, about};
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

    pub(super) fn failed(&self, error: impl std::fmt::Display) -> PortError {
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

    fn seal(&self, text: &str) -> Sealed {
        self.service.seal(text, &self.about())
    }

    async fn open(&self, sealed: &[u8]) -> Result<Zeroizing<String>> {
        let opened = self.service.unseal(sealed, &self.about()).await;
        opened.map_err(|error| self.failed(error))
    }

    /// Makes sure that what is sealed now can be opened again, and that the record is there.
    pub(super) async fn check(&self) -> Result<()> {
        self.record().await?;
        self.open(&self.seal("convox-check").bytes).await.map(drop)
    }

    /// Returns what roll `roll` has staged.
    pub(super) async fn staged(&self, roll: &RollId) -> Result<Option<ReadStaged>> {
        match self.record().await?.next {
            Some((sealed, staged_by)) if staged_by == roll.as_str() => {
                Ok(Some(ReadStaged::of_text(self.open(&sealed).await?)))
            }
            _ => Ok(None),
        }
    }

    /// Keeps what roll `roll` stages, in the form in which it is sealed.
    pub(super) async fn stage_text(&self, text: &str, roll: &RollId) -> Result<()> {
        let staged = RackKeyChange::Stage(self.seal(text));
        self.change(roll, staged).await
    }

    async fn change(&self, roll: &RollId, change: RackKeyChange) -> Result<()> {
        let (now, entropy) = (self.service.now(), self.service.entropy());
        let by = Audited::new(&self.workspace, Actor::System, now, entropy);
        let store = self.service.store();
        let changed = store.change_rack_key(&self.rack, (roll.as_str(), self.term), change, by);
        changed.await.map_err(|error| self.failed(error))
    }
}

/// The keys by which a rack's API may be asked just now.
pub(in crate::console) struct RackKeys {
    /// The one that works, as far as the record knows.
    pub(in crate::console) current: SecretString,
    /// The one that a roll is about to set.
    pub(in crate::console) next: Option<SecretString>,
}

/// Opens the keys that a rack's record holds; none if it holds none.
///
/// # Errors
/// When no master key opens them.
pub(in crate::console) async fn keys_of(
    service: &Service,
    rack: &RackRecord,
) -> std::result::Result<Option<RackKeys>, VaultError> {
    let about = about(&SealedThing::RackKey(rack.id.clone()));
    let Some(sealed) = &rack.password else {
        return Ok(None);
    };
    let current = service.unseal(sealed, &about).await?;
    let next = match &rack.next {
        Some((sealed, _)) => {
            let text = service.unseal(sealed, &about).await?;
            Some(ReadStaged::of_text(text).key())
        }
        None => None,
    };
    Ok(Some(RackKeys {
        current: SecretString::from(current.as_str()),
        next,
    }))
}

#[async_trait]
impl ApiKeyHolder for RecordHolder {
    fn describe(&self) -> String {
        format!("the console's record of {}", self.name)
    }

    async fn current(&self) -> Result<Option<SecretString>> {
        match self.record().await?.password {
            Some(sealed) => Ok(Some(SecretString::from(self.open(&sealed).await?.as_str()))),
            None => Ok(None),
        }
    }

    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>> {
        Ok(self.staged(roll).await?.map(|staged| staged.key()))
    }

    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let staged = Staged {
            key: new.expose_secret(),
            stored: None,
        };
        self.stage_text(&staged.to_text(), roll).await
    }

    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let promoted = RackKeyChange::Promote(self.seal(new.expose_secret()));
        self.change(roll, promoted).await
    }

    async fn discard(&self, roll: &RollId) -> Result<()> {
        self.change(roll, RackKeyChange::Discard).await
    }
}
