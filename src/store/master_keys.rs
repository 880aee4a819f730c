//! Which master keys there are, and what is sealed with each.
//!
//! Whatever is sealed refers to the key that it is sealed with, so that the database itself does
//! not let a key go that anything needs, nor anything in that was sealed with a key that is gone.

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::StoreError;
use super::value::args;

/// A sealed text, and the master key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key.
    pub with: String,
    /// The text, as it was sealed.
    pub bytes: Vec<u8>,
}

/// A master key, as far as the database knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownMasterKey {
    /// Its id.
    pub id: String,
    /// The key itself as KMS has wrapped it, unless it is in a file.
    pub wrapped: Option<Vec<u8>>,
}

/// What is sealed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealedThing {
    /// The secret of the key of that id.
    Secret(String),
    /// The answer to the request of a root key that carried an `Idempotency-Key`.
    Answer(String, String),
}

/// How much is sealed with a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedCount {
    /// The id of the master key.
    pub with: String,
    /// How many secrets.
    pub secrets: i64,
    /// How many answers.
    pub answers: i64,
}

impl Store {
    /// Lists the master keys that are not gone, the newest first: it is the one that seals.
    ///
    /// # Errors
    /// As the database's.
    pub async fn master_keys(&self) -> Result<Vec<KnownMasterKey>, StoreError> {
        self.read(|sql| Box::pin(master_keys(sql))).await
    }

    /// Lists the ids of the master keys that are gone.
    ///
    /// # Errors
    /// As the database's.
    pub async fn retired_master_keys(&self) -> Result<Vec<String>, StoreError> {
        self.read(|sql| {
            Box::pin(async move {
                let query = "SELECT id FROM retired_master_keys ORDER BY id";
                sql.all(query, args![], |row| row.text()).await
            })
        })
        .await
    }

    /// Makes a master key the newest one, in the place of `after`, which was that until now; none
    /// for the first of all. Each of `by` says so in its workspace's audit log.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when somebody else has made one meanwhile, or it was there before.
    pub async fn add_master_key(
        &self,
        new: KnownMasterKey,
        after: Option<String>,
        now: i64,
        by: Vec<Audited>,
    ) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let newest = master_keys(sql).await?.into_iter().next();
                let gone = "SELECT id FROM retired_master_keys WHERE id = $1";
                let is_gone = sql.row(gone, args![&new.id]).await?.is_some();
                if is_gone || newest.map(|key| key.id) != after {
                    return Err(StoreError::Conflict);
                }
                let insert = "INSERT INTO master_keys (id, place, wrapped, created_at) \
                              SELECT $1, COALESCE(MAX(place), 0) + 1, $2, $3 FROM master_keys";
                let args = args![&new.id, new.wrapped, now];
                sql.run(insert.into(), args).await?;
                let told = format!("Master key {} seals secrets from now on", new.id);
                for by in &by {
                    by.record(sql, "master_key.create", &told, &[&new.id])
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Returns at most `limit` things that are sealed with the master key `id`: secrets first, in
    /// order of their ids, then answers. So many secrets and answers of each are left out first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sealed_with(
        &self,
        id: &str,
        (secrets, answers): (i64, i64),
        limit: i64,
    ) -> Result<Vec<(SealedThing, Vec<u8>)>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, sealed FROM keys WHERE sealed_with = $1 \
                             ORDER BY id LIMIT $2 OFFSET $3";
                let args = args![&id, limit, secrets];
                let found = sql.all(query, args, |row| {
                    Ok((SealedThing::Secret(row.text()?), row.bytes()?))
                });
                let found = found.await?;
                if !found.is_empty() {
                    return Ok(found);
                }
                let query = "SELECT root_key_id, idempotency_key, sealed FROM idempotent_answers \
                             WHERE sealed_with = $1 ORDER BY root_key_id, idempotency_key \
                             LIMIT $2 OFFSET $3";
                sql.all(query, args![&id, limit, answers], |row| {
                    let thing = SealedThing::Answer(row.text()?, row.text()?);
                    Ok((thing, row.bytes()?))
                })
                .await
            })
        })
        .await
    }

    /// Puts things that were sealed anew in the place of what they were, each unless somebody has
    /// changed it meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Dangling`] when the master key is gone.
    pub async fn seal_anew(
        &self,
        things: Vec<(SealedThing, Vec<u8>, Sealed)>,
    ) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                for (thing, old, new) in things {
                    put(sql, thing, old, new).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Lets the master key `id` go if nothing is sealed with it, and returns how much still is.
    ///
    /// # Errors
    /// As the database's.
    pub async fn retire_master_key(
        &self,
        id: &str,
        now: i64,
        by: Vec<Audited>,
    ) -> Result<i64, StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                // Whoever is about to commit something that is sealed with it is waited for.
                let lock = format!(
                    "SELECT id FROM master_keys WHERE id = $1{}",
                    sql.for_update()
                );
                if sql.row(lock, args![&id]).await?.is_none() {
                    return Ok(0);
                }
                let left = "SELECT (SELECT COUNT(*) FROM keys WHERE sealed_with = $1) + \
                            (SELECT COUNT(*) FROM idempotent_answers WHERE sealed_with = $1)";
                let mut left = sql.row(left, args![&id]).await?;
                let left = left.as_mut().map_or(Ok(0), |row| row.int())?;
                if left > 0 {
                    return Ok(left);
                }
                let gone = "INSERT INTO retired_master_keys (id, retired_at) VALUES ($1, $2)";
                sql.run(gone.into(), args![&id, now]).await?;
                let delete = "DELETE FROM master_keys WHERE id = $1";
                sql.run(delete.into(), args![&id]).await?;
                let told = format!("Nothing is sealed with master key {id}, which is gone");
                for by in &by {
                    by.record(sql, "master_key.delete", &told, &[&id]).await?;
                }
                Ok(0)
            })
        })
        .await
    }

    /// Counts what is sealed with each master key, the newest first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sealed_counts(&self) -> Result<Vec<SealedCount>, StoreError> {
        self.read(|sql| {
            Box::pin(async move {
                let query = "SELECT m.id, \
                             (SELECT COUNT(*) FROM keys k WHERE k.sealed_with = m.id), \
                             (SELECT COUNT(*) FROM idempotent_answers a WHERE a.sealed_with = m.id) \
                             FROM master_keys m ORDER BY m.place DESC";
                sql.all(query, args![], |row| {
                    Ok(SealedCount {
                        with: row.text()?,
                        secrets: row.int()?,
                        answers: row.int()?,
                    })
                })
                .await
            })
        })
        .await
    }
}

async fn master_keys(sql: &mut dyn Sql) -> Result<Vec<KnownMasterKey>, StoreError> {
    let query = "SELECT id, wrapped FROM master_keys ORDER BY place DESC";
    sql.all(query, args![], |row| {
        Ok(KnownMasterKey {
            id: row.text()?,
            wrapped: row.maybe_bytes()?,
        })
    })
    .await
}

async fn put(
    sql: &mut dyn Sql,
    thing: SealedThing,
    old: Vec<u8>,
    new: Sealed,
) -> Result<(), StoreError> {
    let (statement, args) = match thing {
        SealedThing::Secret(id) => (
            "UPDATE keys SET sealed = $1, sealed_with = $2 WHERE id = $3 AND sealed = $4",
            args![new.bytes, new.with, id, old],
        ),
        SealedThing::Answer(root, key) => (
            "UPDATE idempotent_answers SET sealed = $1, sealed_with = $2 \
             WHERE root_key_id = $3 AND idempotency_key = $4 AND sealed = $5",
            args![new.bytes, new.with, root, key, old],
        ),
    };
    sql.run(statement.into(), args).await?;
    Ok(())
}
