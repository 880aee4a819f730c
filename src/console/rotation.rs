//! Both sides of a reroll: the key that was, and the one that takes its place.

use super::service::Service;
use crate::keys::KeyRecord;
use crate::store::StoreError;

impl Service {
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
