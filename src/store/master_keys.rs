//! Which master keys there are, and what is sealed with each.
//!
//! Whatever is sealed refers to the key that it is sealed with, so that the database itself does
//! not let a key go that anything needs, nor anything in that was sealed with a key that is gone.

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::StoreError;
use super::value::{Row, args};

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
    /// The key of the API of the rack of that id.
    RackKey(String),
    /// The key that a roll is about to set there.
    NextRackKey(String),
    /// The secret that the notices to the webhook of that id are signed with.
    WebhookSecret(String),
}

/// The kinds of what is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealedKind {
    /// Secrets of keys.
    Secret,
    /// Answers to requests that carried an `Idempotency-Key`.
    Answer,
    /// Keys of racks' APIs.
    RackKey,
    /// Those that rolls are about to set.
    NextRackKey,
    /// Secrets of webhooks.
    WebhookSecret,
}

/// Where things of one kind are: the columns of their ids, of what is sealed, and of the master
/// key.
struct Place {
    table: &'static str,
    id: &'static str,
    sealed: &'static str,
    with: &'static str,
}

impl SealedKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::Secret,
        Self::Answer,
        Self::RackKey,
        Self::NextRackKey,
        Self::WebhookSecret,
    ];

    fn place(self) -> Place {
        let (table, id, sealed, with) = match self {
            Self::Secret => ("keys", "id", "sealed", "sealed_with"),
            Self::Answer => (
                "idempotent_answers",
                "root_key_id, idempotency_key",
                "sealed",
                "sealed_with",
            ),
            Self::RackKey => ("racks", "id", "password", "password_sealed_with"),
            Self::NextRackKey => ("racks", "id", "next_password", "next_sealed_with"),
            Self::WebhookSecret => ("webhooks", "id", "secret", "secret_sealed_with"),
        };
        Place {
            table,
            id,
            sealed,
            with,
        }
    }

    fn read(self, row: &mut Row) -> Result<SealedThing, StoreError> {
        Ok(match self {
            Self::Secret => SealedThing::Secret(row.text()?),
            Self::Answer => SealedThing::Answer(row.text()?, row.text()?),
            Self::RackKey => SealedThing::RackKey(row.text()?),
            Self::NextRackKey => SealedThing::NextRackKey(row.text()?),
            Self::WebhookSecret => SealedThing::WebhookSecret(row.text()?),
        })
    }
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
    /// How many keys of racks.
    pub rack_keys: i64,
    /// How many secrets of webhooks.
    pub webhook_secrets: i64,
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

    /// Returns at most `limit` things of one kind that are sealed with the master key `id`, in
    /// order of their ids, leaving out the first `skipped`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sealed_with(
        &self,
        id: &str,
        kind: SealedKind,
        skipped: i64,
        limit: i64,
    ) -> Result<Vec<(SealedThing, Vec<u8>)>, StoreError> {
        let id = id.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let Place {
                    table,
                    id: column,
                    sealed,
                    with,
                } = kind.place();
                let query = format!(
                    "SELECT {column}, {sealed} FROM {table} WHERE {with} = $1 \
                     ORDER BY {column} LIMIT $2 OFFSET $3"
                );
                let args = args![id, limit, skipped];
                sql.all(query, args, |row| Ok((kind.read(row)?, row.bytes()?)))
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
                let left = SealedKind::ALL.map(|kind| {
                    let Place { table, with, .. } = kind.place();
                    format!("(SELECT COUNT(*) FROM {table} WHERE {with} = $1)")
                });
                let left = format!("SELECT {}", left.join(" + "));
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
                let counts = SealedKind::ALL.map(|kind| {
                    let Place { table, with, .. } = kind.place();
                    format!("(SELECT COUNT(*) FROM {table} s WHERE s.{with} = m.id)")
                });
                let query = format!(
                    "SELECT m.id, {} FROM master_keys m ORDER BY m.place DESC",
                    counts.join(", ")
                );
                sql.all(query, args![], |row| {
                    Ok(SealedCount {
                        with: row.text()?,
                        secrets: row.int()?,
                        answers: row.int()?,
                        rack_keys: row.int()? + row.int()?,
                        webhook_secrets: row.int()?,
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
    let (kind, ids) = match thing {
        SealedThing::Secret(id) => (SealedKind::Secret, args![id]),
        SealedThing::Answer(root, key) => (SealedKind::Answer, args![root, key]),
        SealedThing::RackKey(id) => (SealedKind::RackKey, args![id]),
        SealedThing::NextRackKey(id) => (SealedKind::NextRackKey, args![id]),
        SealedThing::WebhookSecret(id) => (SealedKind::WebhookSecret, args![id]),
    };
    let Place {
        table,
        id,
        sealed,
        with,
    } = kind.place();
    let columns = id.split(", ").zip(4..);
    let which: Vec<_> = columns
        .map(|(column, number)| format!("{column} = ${number}"))
        .collect();
    let update = format!(
        "UPDATE {table} SET {sealed} = $1, {with} = $2 WHERE {sealed} = $3 AND {}",
        which.join(" AND ")
    );
    let mut args = args![new.bytes, new.with, old];
    args.extend(ids);
    sql.run(update.into(), args).await.map(drop)
}
