//! A new key of a rack's API that only this console knows, until the rack has taken it.
//!
//! Of a rack in its account the account's own key store keeps the new key as long as a roll lasts.
//! Of one that is reached over its API nothing but the record can: there is no other place that
//! survives the server.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::holder::RecordHolder;
use crate::ids::RollId;
use crate::rack::{ApiKeyHolder as _, KeyStore, PortError, PrivateKey};

type Result<T> = std::result::Result<T, PortError>;

/// What a record holds beside the key that works, in the form in which it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Staged<'a> {
    /// The new key.
    pub(super) key: &'a str,
    /// What the roll's engine needs besides to go on, as it was handed to its key store.
    pub(super) stored: Option<&'a str>,
}

impl Staged<'_> {
    pub(super) fn to_text(&self) -> Zeroizing<String> {
        // Writing to memory never fails.
        Zeroizing::new(serde_json::to_string(self).unwrap_or_default())
    }
}

/// The same, read back.
pub(super) struct ReadStaged {
    key: Zeroizing<String>,
    stored: Option<Zeroizing<String>>,
}

impl ReadStaged {
    /// Reads what was sealed; a record of a rack in its account holds the key and nothing else.
    pub(super) fn of_text(text: Zeroizing<String>) -> Self {
        #[derive(Deserialize)]
        struct Owned {
            key: String,
            stored: Option<String>,
        }
        match serde_json::from_str(&text) {
            Ok(Owned { key, stored }) => Self {
                key: Zeroizing::new(key),
                stored: stored.map(Zeroizing::new),
            },
            Err(_) => Self {
                key: text,
                stored: None,
            },
        }
    }

    pub(super) fn key(&self) -> SecretString {
        SecretString::from(self.key.as_str())
    }
}

/// The record of a rack as a key store: it keeps one new key, and none by default.
pub(super) struct RecordKeys(RecordHolder);

impl RecordKeys {
    pub(super) fn new(holder: RecordHolder) -> Self {
        Self(holder)
    }

    fn unfit(&self, name: &str) -> PortError {
        self.0
            .failed(format!("{name} is no name of a roll's new key"))
    }
}

/// Reads the roll out of the name that its engine has for its new key.
fn roll_of(name: &str) -> Option<RollId> {
    let (_, roll) = name.rsplit_once("-password-")?;
    roll.parse().ok()
}

#[async_trait]
impl KeyStore for RecordKeys {
    fn describe(&self) -> String {
        self.0.describe()
    }

    async fn check(&self) -> Result<()> {
        self.0.check().await
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()> {
        let roll = roll_of(name).ok_or_else(|| self.unfit(name))?;
        let pending = self.0.pending(&roll).await?;
        let pending = pending.ok_or_else(|| self.0.failed("the new key is not staged"))?;
        let staged = Staged {
            key: pending.expose_secret(),
            stored: Some(key.expose()),
        };
        self.0.stage_text(&staged.to_text(), &roll).await
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>> {
        let Some(roll) = roll_of(name) else {
            return Ok(None);
        };
        let staged = self.0.staged(&roll).await?;
        let stored = staged.and_then(|staged| staged.stored);
        Ok(stored.map(|text| PrivateKey::new(text.as_str().to_owned())))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        match roll_of(name) {
            Some(roll) => self.0.discard(&roll).await,
            None => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        // The roll is found by its row.
        let _ = prefix;
        Ok(Vec::new())
    }

    async fn current(&self) -> Result<Option<PrivateKey>> {
        Ok(None)
    }

    async fn promote(&self, name: &str) -> Result<()> {
        Err(self.unfit(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_staged_is_read_back_and_a_bare_key_too() {
        let staged = Staged {
            key: "a=b\"c",
            stored: Some("{\"v\":1}"),
        };
        let read = ReadStaged::of_text(staged.to_text());
        assert_eq!(read.key().expose_secret(), "a=b\"c");
        assert_eq!(read.stored.unwrap().as_str(), "{\"v\":1}");
        for bare in ["hunter2", "{}", "[\"x\"]"] {
            let read = ReadStaged::of_text(Zeroizing::new(bare.to_owned()));
            assert_eq!(read.key().expose_secret(), bare);
            assert!(read.stored.is_none());
        }
    }
}
