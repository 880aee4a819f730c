//! Deletes keys, and keeps in mind which key goes on in the place of one that is gone.

use super::Store;
use super::audit::Audited;
use super::credits::drop_pool;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::key_row::record_of;
use super::keys::lock_key;
use super::value::args;
use crate::keys::KeyRecord;

impl Store {
    /// Deletes a key: it opens nothing any more. `permanently` leaves nothing of it behind.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such key.
    pub async fn delete_key(
        &self,
        id: &str,
        permanently: bool,
        by: Audited,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                // Whoever takes back the reroll that made it locks the older one first, too.
                let key = record_of(sql, by.workspace(), &id).await?;
                if let Some(older) = &key.rotation.predecessor {
                    lock_if_there(sql, older).await?;
                }
                let key = lock_key(sql, by.workspace(), &id).await?;
                hand_on(sql, &key, permanently).await?;
                if permanently {
                    for delete in [
                        "DELETE FROM keys WHERE id = $1",
                        "DELETE FROM last_uses WHERE id = $1",
                    ] {
                        sql.run(delete.into(), args![&id]).await?;
                    }
                    if let Some(credits) = &key.credits {
                        drop_pool(sql, &credits.pool).await?;
                    }
                } else {
                    let delete = "UPDATE keys SET deleted_at = $2 WHERE id = $1";
                    sql.run(delete.into(), args![&id, by.at()]).await?;
                }
                sql.touch(Touched::key(key.hash));
                let told = format!("Deleted key {id}");
                by.record(sql, "key.delete", &told, &[&id, &key.api]).await
            })
        })
        .await
    }
}

async fn lock_if_there(sql: &mut dyn Sql, id: &str) -> Result<(), StoreError> {
    let lock = format!("SELECT id FROM keys WHERE id = $1{}", sql.for_update());
    sql.row(lock, args![id]).await.map(drop)
}

/// Has older keys whose successors are gone know the key that goes on in the place of `key`.
async fn hand_on(sql: &mut dyn Sql, key: &KeyRecord, permanently: bool) -> Result<(), StoreError> {
    let next = follower(sql, &key.id).await?;
    let told = "UPDATE keys SET next_id = $2 WHERE next_id = $1";
    sql.run(told.into(), args![&key.id, &next]).await?;
    if permanently {
        // Until now that key's own row said so.
        let tell = "UPDATE keys SET next_id = $2 WHERE successor_id = $1 AND id = $3";
        let older = key.rotation.predecessor.as_deref();
        sql.run(tell.into(), args![&key.id, &next, older]).await?;
    }
    Ok(())
}

/// Returns the first key that is still there of those that a key was rerolled to one after the
/// other, if there is one.
async fn follower(sql: &mut dyn Sql, id: &str) -> Result<Option<String>, StoreError> {
    let find = "SELECT k.successor_id, k.next_id, s.id, s.deleted_at FROM keys k \
                LEFT JOIN keys s ON s.id = k.successor_id WHERE k.id = $1";
    let mut id = id.to_owned();
    loop {
        let Some(mut row) = sql.row(find, args![&id]).await? else {
            return Ok(None);
        };
        let (successor, next) = (row.maybe_text()?, row.maybe_text()?);
        let Some(successor) = successor else {
            return Ok(None);
        };
        match (row.maybe_text()?, row.maybe_int()?) {
            (Some(there), None) => return Ok(Some(there)),
            (Some(_), Some(_)) => id = successor,
            (None, _) => return Ok(next),
        }
    }
}
