//! Sealing what must be read back: secrets of recoverable keys, and answers that hold a secret.
//!
//! Whatever is sealed names the master key that it is sealed with. The database knows which master
//! keys there are, and which of them is the newest: that one seals, and the others open what is not
//! sealed anew yet.

mod file;
mod ring;
mod rotate;
mod source;
#[cfg(test)]
mod tests;

use std::sync::{PoisonError, RwLock};

use zeroize::Zeroizing;

pub(super) use rotate::about;
pub use rotate::{Rotated, Step, prepare, rotate};
use secrecy::{ExposeSecret as _, SecretString};
pub use source::{KeySource, first_key};

use crate::ids::Entropy;
use crate::rack::PortError;
use crate::store::{Sealed, SealedThing, Store, StoreError};
pub(super) use ring::Held;
use ring::Ring;

/// Why something is not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// The file holds something else than keys.
    #[error("{0} holds no master key: each line must be 64 hexadecimal digits")]
    NoKey(String),
    /// Others may read the file.
    #[error("{0} can be read by others, and must be for its owner only (chmod 600)")]
    Open(String),
    /// The database has no master key yet.
    #[error("the database has no master key")]
    None,
    /// The newest master key is not where this program looks for it.
    #[error("the master key {id}, which seals what is in the database, is not in {place}")]
    Missing {
        /// Its id.
        id: String,
        /// Where it was looked for.
        place: String,
    },
    /// A master key that was unwrapped is another than it was.
    #[error("what KMS made of the master key {0} is another key")]
    Changed(String),
    /// So many things cannot be opened, so that they cannot be sealed anew either.
    #[error("{0} of the things that are sealed with older master keys cannot be opened")]
    Left(i64),
    /// A server does not know the newest master key.
    #[error("a server goes on sealing with the master key {0}: does it have the new one?")]
    Used(String),
    /// There is nothing to prepare, since KMS keeps the keys.
    #[error("master keys that KMS wraps are in the database, and reach every server by themselves")]
    Wrapped,
    /// The text was sealed with a key that is not known here.
    #[error("it was sealed with another master key")]
    OtherKey,
    /// The text is not what was sealed.
    #[error("it was not sealed here, or was changed since")]
    Broken,
    /// KMS does not answer as it should.
    #[error(transparent)]
    Kms(#[from] PortError),
    /// The database does not answer as it should.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Seals the key of a rack's API for the record of that rack, by its id.
#[must_use]
pub fn seal_rack_key(vault: &Vault, rack: &str, key: &SecretString, entropy: &Entropy) -> Sealed {
    let about = about(&SealedThing::RackKey(rack.to_owned()));
    vault.seal(key.expose_secret(), &about, entropy)
}

/// What a server seals and opens with. It learns of new master keys while it runs.
#[derive(Debug)]
pub struct Vault {
    source: KeySource,
    ring: RwLock<Ring>,
}

impl Vault {
    /// Gets the master keys that the database names from where they are.
    ///
    /// # Errors
    /// [`VaultError::Missing`] when the newest is not there: what this server sealed with another
    /// no other server could open.
    pub async fn of(store: &Store, source: KeySource) -> Result<Self, VaultError> {
        let known = store.master_keys().await?;
        let newest = known.first().ok_or(VaultError::None)?;
        let sealers = source.sealers(&known, &[]).await?;
        let ring = Ring::of(&known, sealers);
        match ring {
            Some(ring) if ring.seals_with() == newest.id => Ok(Self {
                source,
                ring: RwLock::new(ring),
            }),
            _ => Err(VaultError::Missing {
                id: newest.id.clone(),
                place: source.to_string(),
            }),
        }
    }

    /// Seals a text for the purpose `about`, without which it is not opened again.
    #[must_use]
    pub fn seal(&self, text: &str, about: &str, entropy: &Entropy) -> Sealed {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.seal(text, about, entropy)
    }

    /// Opens what was sealed for the purpose `about`. Looks for a master key that is not known yet
    /// where it may have come since.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub async fn open(
        &self,
        store: &Store,
        sealed: &[u8],
        about: &str,
    ) -> Result<Zeroizing<String>, VaultError> {
        match self.open_as_known(sealed, about) {
            Err(VaultError::OtherKey) => {
                self.refresh(store).await?;
                self.open_as_known(sealed, about)
            }
            opened => opened,
        }
    }

    fn open_as_known(&self, sealed: &[u8], about: &str) -> Result<Zeroizing<String>, VaultError> {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.open(sealed, about)
    }

    /// Gets the master keys that came since, and seals with the newest that is to be had.
    ///
    /// A key that went is kept in memory: it may be needed for what was read just before.
    ///
    /// # Errors
    /// As the database's, KMS's or the file's. Then all is as before.
    pub async fn refresh(&self, store: &Store) -> Result<(), VaultError> {
        let known = store.master_keys().await?;
        let held = self
            .ring
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .sealers();
        let sealers = self.source.sealers(&known, &held).await?;
        if let Some(ring) = Ring::of(&known, sealers) {
            *self.ring.write().unwrap_or_else(PoisonError::into_inner) = ring;
        }
        Ok(())
    }

    /// Returns the id of the master key that seals.
    #[must_use]
    pub fn seals_with(&self) -> String {
        let ring = self.ring.read().unwrap_or_else(PoisonError::into_inner);
        ring.seals_with().to_owned()
    }
}
