//! What an operator does with a database: a copy, and a look at whether it is whole.

use std::path::Path;

use super::Store;
use super::counted::oldest_count;
use super::database::Sql;
use super::error::StoreError;
use super::sqlite;
use super::value::args;

/// How a database is, by its own account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What is wrong with it.
    pub wrong: Vec<String>,
    /// What time it is for the database, in Unix ms, if it has a clock of its own.
    pub now: Option<i64>,
}

/// How many things there are that should not be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strays {
    /// Keys whose API is not there.
    pub keys_without_api: i64,
    /// Balances that no key has.
    pub pools_without_key: i64,
    /// When anything was last changed, in Unix ms.
    pub last_change: Option<i64>,
    /// When the oldest verifications were counted that are in no view yet, in Unix ms.
    pub oldest_count: Option<i64>,
}

/// The id of a key, and its secret as it is sealed.
pub type SealedKey = (String, Vec<u8>);

impl Store {
    /// Writes a copy of the database, as it is at one moment, into the new file `path`.
    ///
    /// # Errors
    /// When the file is there already or cannot be written, and for PostgreSQL, which has
    /// programs of its own for that.
    pub async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        self.database.backup(path).await
    }

    /// Makes the database `path` of a copy; there must be none yet.
    ///
    /// Returns the version of its schema, and the newest known here.
    ///
    /// # Errors
    /// [`StoreError::Newer`] for a copy of a newer database, and when the copy is none or is
    /// broken. Then nothing is left behind.
    pub async fn restore(copy: &Path, path: &Path) -> Result<(i64, i64), StoreError> {
        sqlite::restore(copy, path).await
    }

    /// Asks the database how it is.
    ///
    /// # Errors
    /// As the database's.
    pub async fn health(&self) -> Result<Health, StoreError> {
        self.database.health().await
    }

    /// Counts what should not be.
    ///
    /// # Errors
    /// As the database's.
    pub async fn strays(&self) -> Result<Strays, StoreError> {
        self.read(|sql| Box::pin(strays(sql))).await
    }

    /// Returns at most `limit` sealed secrets by key, after the key `after`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn every_sealed_key(
        &self,
        after: &str,
        limit: i64,
    ) -> Result<Vec<SealedKey>, StoreError> {
        let after = after.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, sealed FROM keys WHERE sealed IS NOT NULL AND id > $1 \
                             ORDER BY id LIMIT $2";
                sql.all(query, args![after, limit], |row| {
                    Ok((row.text()?, row.bytes()?))
                })
                .await
            })
        })
        .await
    }
}

async fn strays(sql: &mut dyn Sql) -> Result<Strays, StoreError> {
    let without_api = "SELECT count(*) FROM keys k WHERE NOT EXISTS \
                       (SELECT 1 FROM apis a WHERE a.id = k.api_id)";
    let without_key = "SELECT count(*) FROM pools p WHERE NOT EXISTS \
                       (SELECT 1 FROM keys k WHERE k.pool_id = p.id)";
    let last = "SELECT max(at) FROM audit_events";
    let mut strays = Strays::default();
    if let Some(mut row) = sql.row(without_api, args![]).await? {
        strays.keys_without_api = row.int()?;
    }
    if let Some(mut row) = sql.row(without_key, args![]).await? {
        strays.pools_without_key = row.int()?;
    }
    if let Some(mut row) = sql.row(last, args![]).await? {
        strays.last_change = row.maybe_int()?;
    }
    strays.oldest_count = oldest_count(sql).await?;
    Ok(strays)
}
