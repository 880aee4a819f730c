//! Reads keys as verifications need them.

use super::Store;
use super::database::Sql;
use super::error::StoreError;
use super::key_row::{COLUMNS, KEYS, read_record};
use super::many::complete_keys;
use super::value::{Value, args};
use crate::keys::{Hash, Key, KeyFacts};

impl Store {
    /// Returns what there is to know of the key whose secret has this hash, whoever's it is.
    ///
    /// # Errors
    /// As the database's.
    pub async fn facts(&self, hash: Hash) -> Result<Option<KeyFacts>, StoreError> {
        self.read(move |sql| {
            Box::pin(async move {
                let args = args![hash.as_bytes()];
                let found = find_facts(sql, "AND k.hash = $1", args).await?;
                Ok(found.into_iter().next().map(|(_, facts)| facts))
            })
        })
        .await
    }

    /// Returns the first `most` keys whose ids come after `after`, in order; whoever's they are.
    ///
    /// # Errors
    /// As the database's.
    pub async fn facts_after(
        &self,
        after: &str,
        most: i64,
    ) -> Result<Vec<(Hash, KeyFacts)>, StoreError> {
        let args = args![after, most];
        self.read(move |sql| {
            Box::pin(
                async move { find_facts(sql, "AND k.id > $1 ORDER BY k.id LIMIT $2", args).await },
            )
        })
        .await
    }
}

async fn find_facts(
    sql: &mut dyn Sql,
    which: &str,
    args: Vec<Value>,
) -> Result<Vec<(Hash, KeyFacts)>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS}, (SELECT enabled FROM workspaces WHERE id = k.workspace_id) \
         {KEYS} {which}"
    );
    let rows = sql.all(query, args, |row| Ok((read_record(row)?, row.flag()?)));
    let (keys, enabled): (Vec<_>, Vec<_>) = rows.await?.into_iter().unzip();
    let keys = complete_keys(sql, keys).await?.into_iter();
    let facts = |(key, enabled): (Key, bool)| (key.hash, KeyFacts::of(key, enabled));
    Ok(keys.zip(enabled).map(facts).collect())
}
