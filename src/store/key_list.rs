//! Lists the keys of an API.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Store;
use super::error::StoreError;
use super::key_row::{COLUMNS, KEYS, read_record};
use super::links::{places, with};
use super::many::complete_keys;
use super::page::{Page, Paged};
use super::value::args;
use crate::keys::Key;

impl Store {
    /// Looks for keys of the API `api`, by id, for at most `span`: those whose id, name, beginning
    /// or identity has the text that is searched for in it.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] when it takes longer.
    pub async fn search_keys(
        &self,
        workspace: &str,
        api: &str,
        page: Page,
        span: Duration,
    ) -> Result<Paged<Key>, StoreError> {
        let (workspace, api) = (workspace.to_owned(), api.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                sql.stop_after(span).await?;
                let query = format!(
                    "SELECT {COLUMNS} {KEYS} AND k.workspace_id = $1 AND k.api_id = $2 \
                     AND k.id >= $3 AND (lower(k.id) LIKE lower($5) ESCAPE '!' \
                     OR lower(k.name) LIKE lower($5) ESCAPE '!' \
                     OR lower(k.start) LIKE lower($5) ESCAPE '!' \
                     OR k.identity_id IN (SELECT i.id FROM identities i WHERE \
                     i.workspace_id = $1 AND lower(i.external_id) LIKE lower($5) ESCAPE '!')) \
                     ORDER BY k.id LIMIT $4"
                );
                let args = args![workspace, api, page.first(), page.rows(), page.pattern()];
                let rows = sql.all(query, args, read_record).await?;
                let paged = page.cut(rows, |key| &key.id);
                Ok(Paged {
                    items: complete_keys(sql, paged.items).await?,
                    next: paged.next,
                })
            })
        })
        .await
    }

    /// Lists the keys of the API `api`, by id: all of them, or those that were issued to
    /// `external_id`. Nothing is searched for.
    ///
    /// # Errors
    /// As the database's.
    pub async fn keys_of_api(
        &self,
        workspace: &str,
        api: &str,
        external_id: Option<String>,
        page: Page,
    ) -> Result<Paged<Key>, StoreError> {
        let (workspace, api) = (workspace.to_owned(), api.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                let whose = match external_id {
                    None => "",
                    Some(_) => {
                        "AND k.identity_id = (SELECT i.id FROM identities i \
                         WHERE i.workspace_id = $1 AND i.external_id = $5)"
                    }
                };
                let query = format!(
                    "SELECT {COLUMNS} {KEYS} AND k.workspace_id = $1 AND k.api_id = $2 \
                     AND k.id >= $3 {whose} \
                     ORDER BY k.id LIMIT $4"
                );
                let args = args![workspace, api, page.first(), page.rows()];
                let rows = sql
                    .all(query, with(args, &external_id), read_record)
                    .await?;
                let paged = page.cut(rows, |key| &key.id);
                Ok(Paged {
                    items: complete_keys(sql, paged.items).await?,
                    next: paged.next,
                })
            })
        })
        .await
    }

    /// Returns the sealed secrets of those of the keys `ids` whose secret is kept.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sealed_keys(
        &self,
        workspace: &str,
        ids: Vec<String>,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let workspace = workspace.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT id, sealed FROM keys WHERE workspace_id = $1 \
                     AND deleted_at IS NULL AND sealed IS NOT NULL AND id IN ({})",
                    places(2, ids.len())
                );
                let args = with(args![workspace], &ids);
                let sealed = sql
                    .all(query, args, |row| Ok((row.text()?, row.bytes()?)))
                    .await?;
                Ok(sealed.into_iter().collect())
            })
        })
        .await
    }
}
