//! Where master keys are: in a file, or in the database, wrapped by KMS.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::VaultError;
use super::file::KeyFile;
use super::ring::{Held, Sealer};
use crate::ids::Entropy;
use crate::rack::DataKeys;
use crate::store::{KnownMasterKey, Store, StoreError};

/// Where master keys are.
#[derive(Clone)]
pub struct KeySource {
    pub(super) file: KeyFile,
    kms: Option<Arc<dyn DataKeys>>,
    /// Whether KMS makes the next key.
    is_wrapped: bool,
}

impl KeySource {
    /// Keys in a file.
    #[must_use]
    pub fn file(path: PathBuf) -> Self {
        Self {
            file: KeyFile::new(path),
            kms: None,
            is_wrapped: false,
        }
    }

    /// Keys that KMS wraps; a file is where older ones may be, from before.
    #[must_use]
    pub fn kms(kms: Arc<dyn DataKeys>, file: PathBuf) -> Self {
        Self {
            file: KeyFile::new(file),
            kms: Some(kms),
            is_wrapped: true,
        }
    }

    /// The same, but that the next key is made in the file: KMS opens what it has wrapped, and wraps
    /// nothing more.
    #[must_use]
    pub fn back_to_file(self) -> Self {
        Self {
            is_wrapped: false,
            ..self
        }
    }

    /// Tells whether the next key is one that KMS wraps.
    pub(super) fn is_wrapped(&self) -> bool {
        self.is_wrapped
    }

    /// Returns the keys `held` and those of the keys `known` that are to be had besides.
    pub(super) async fn sealers(
        &self,
        known: &[KnownMasterKey],
        held: &[Arc<Sealer>],
    ) -> Result<Vec<Arc<Sealer>>, VaultError> {
        let mut all = held.to_vec();
        let is_held = |all: &[Arc<Sealer>], id: &str| all.iter().any(|sealer| sealer.id == id);
        for key in known {
            match (&key.wrapped, &self.kms) {
                _ if is_held(&all, &key.id) => {}
                (Some(wrapped), Some(kms)) => {
                    let sealer = Sealer::new(kms.unwrap(wrapped).await?.as_ref());
                    let sealer = sealer.filter(|sealer| sealer.id == key.id);
                    let sealer = sealer.ok_or_else(|| VaultError::Changed(key.id.clone()))?;
                    all.push(Arc::new(sealer));
                }
                (Some(_), None) => {}
                (None, _) => {
                    let found = self.file.read()?.into_iter();
                    all.extend(found.filter(|sealer| sealer.id == key.id));
                }
            }
        }
        Ok(all)
    }

    /// Returns those of the keys `known` that are to be had.
    ///
    /// # Errors
    /// As KMS's or the file's.
    pub(in crate::console) async fn held(
        &self,
        known: &[KnownMasterKey],
    ) -> Result<Held, VaultError> {
        Ok(Held(self.sealers(known, &[]).await?))
    }

    /// Makes a key that none of the ids `known` names, or finds one that was made before.
    pub(super) async fn new_key(
        &self,
        known: &[String],
        entropy: &Entropy,
    ) -> Result<KnownMasterKey, VaultError> {
        let Some(kms) = self.kms.as_ref().filter(|_| self.is_wrapped) else {
            let sealer = self.file.unnamed(known, entropy)?;
            return Ok(KnownMasterKey {
                id: sealer.id.clone(),
                wrapped: None,
            });
        };
        let made = kms.generate().await?;
        let sealer = Sealer::new(made.plain.as_ref());
        let sealer = sealer.ok_or_else(|| VaultError::Changed("that it made".to_owned()))?;
        Ok(KnownMasterKey {
            id: sealer.id,
            wrapped: Some(made.wrapped),
        })
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.file.path().display();
        match &self.kms {
            Some(kms) => write!(f, "{} or {path}", kms.describe()),
            None => write!(f, "{path}"),
        }
    }
}

impl fmt::Debug for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeySource").field(&self.to_string()).finish()
    }
}

/// Makes the first master key of a database, unless it has one.
///
/// A key that is in the file already is taken; a file is never written over.
///
/// # Errors
/// As the database's, KMS's or the file's.
pub async fn first_key(
    store: &Store,
    source: &KeySource,
    now: i64,
    entropy: &Entropy,
) -> Result<(), VaultError> {
    if store.master_keys().await?.is_empty() {
        let key = source.new_key(&[], entropy).await?;
        match store.add_master_key(key, None, now, Vec::new()).await {
            // Somebody else has just made the first one.
            Err(StoreError::Conflict) if !store.master_keys().await?.is_empty() => {}
            added => added?,
        }
    }
    Ok(())
}
