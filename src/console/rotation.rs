//! Rerolls, and both sides of one: the key that was, and the one that takes its place.

use std::sync::Arc;

use secrecy::ExposeSecret as _;

use super::service::Service;
use crate::keys::{Api, Grace, KeyRecord, SecretFormat};
use crate::store::{Answered, Audited, RerollRequest, Rerolled, StoreError, SuccessorSecret};

impl Service {
    /// Makes the secret that takes the place of a key's, for the key with the id `successor`.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when the key was made as none is made any more.
    pub(super) fn successor_secret(
        &self,
        key: &KeyRecord,
        api: &Api,
        successor: &str,
    ) -> Result<SuccessorSecret, StoreError> {
        let prefix = key.prefix.as_ref().or(api.default_prefix.as_ref());
        let format = SecretFormat::new(prefix.map(String::as_str), key.bytes)
            .map_err(|error| StoreError::Unfit(error.to_string()))?;
        let secret = format.mint(self.entropy());
        let sealed = key
            .recoverable
            .then(|| self.seal(secret.text.expose_secret(), successor));
        Ok(SuccessorSecret {
            secret,
            format,
            sealed,
            once: None,
        })
    }

    /// Words a request to have a new key take the place of another, by somebody who may do so.
    pub(super) fn reroll(&self, key: &str, grace: Grace, successor: &str) -> RerollRequest {
        let (service, id) = (self.clone(), successor.to_owned());
        let make = move |key: &KeyRecord, api: &Api| service.successor_secret(key, api, &id);
        RerollRequest {
            key: key.to_owned(),
            grace,
            successor: successor.to_owned(),
            make: Arc::new(make),
            is_repeatable: false,
        }
    }

    /// Carries out such a request.
    ///
    /// # Errors
    /// As [`crate::store::Store::reroll_key`]'s.
    pub(super) async fn rerolled(
        &self,
        request: RerollRequest,
        by: Audited,
    ) -> Result<Rerolled, StoreError> {
        match self.store().reroll_key(request, by).await? {
            Answered::Now(done) => Ok(done),
            Answered::Before(_) => Err(StoreError::Shape("an answer that nobody kept")),
        }
    }

    /// Finds the key that was rerolled and, unless it is deleted, the one that took its place;
    /// `key` is either. None if it is of no reroll.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn both_sides(
        &self,
        key: &KeyRecord,
    ) -> Result<Option<(KeyRecord, Option<KeyRecord>)>, StoreError> {
        let workspace = &key.workspace;
        match (&key.rotation.successor, &key.rotation.predecessor) {
            (Some(new), _) => Ok(Some((key.clone(), self.there(workspace, new).await?))),
            (None, Some(old)) => {
                let old = self.there(workspace, old).await?;
                // Its reroll may have been taken back.
                let old = old.filter(|old| old.rotation.successor.as_ref() == Some(&key.id));
                Ok(old.map(|old| (old, Some(key.clone()))))
            }
            (None, None) => Ok(None),
        }
    }

    /// Finds a key, if it is there.
    async fn there(&self, workspace: &str, id: &str) -> Result<Option<KeyRecord>, StoreError> {
        match self.store().key_record(workspace, id).await {
            Ok((key, _)) => Ok(Some(key)),
            Err(StoreError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
