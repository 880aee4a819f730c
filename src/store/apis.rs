//! APIs: sets of keys that are issued and verified together.

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Touched};
use super::error::{StoreError, Thing};
use super::value::{Row, args};
use crate::keys::{Api, IdKind, new_id};

/// An API to be made.
#[derive(Debug, Clone, Default)]
pub struct NewApi {
    /// What its owner calls it.
    pub name: String,
    /// The prefix of keys that name none.
    pub default_prefix: Option<String>,
    /// The random bytes of keys that name no number.
    pub default_bytes: Option<u8>,
    /// Whether its keys may be kept so that they can be read back.
    pub stores_sealed_keys: bool,
}

/// What there is to read of the API `a`.
pub(super) const API_COLUMNS: &str = "a.id, a.workspace_id, a.key_space_id, a.name, \
     a.default_prefix, a.default_bytes, a.stores_sealed_keys, a.delete_protection";

impl Store {
    /// Makes an API.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_api(&self, new: NewApi, by: Audited) -> Result<Api, StoreError> {
        let api = Api {
            id: new_id(IdKind::Api, by.at(), &self.entropy),
            workspace: by.workspace().to_owned(),
            key_space: new_id(IdKind::KeySpace, by.at(), &self.entropy),
            name: new.name,
            default_prefix: new.default_prefix,
            default_bytes: new.default_bytes.unwrap_or(16),
            stores_sealed_keys: new.stores_sealed_keys,
            delete_protection: false,
        };
        let made = api.clone();
        self.write(move |sql| {
            Box::pin(async move {
                insert_api(sql, &made, by.at()).await?;
                let told = format!("Created API {}", made.id);
                by.record(sql, "api.create", &told, &[&made.id]).await
            })
        })
        .await?;
        Ok(api)
    }

    /// Returns the API `id` of a workspace.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn api(&self, workspace: &str, id: &str) -> Result<Api, StoreError> {
        let (workspace, id) = (workspace.to_owned(), id.to_owned());
        self.read(move |sql| Box::pin(async move { find_api(sql, &workspace, &id).await }))
            .await
    }

    /// Lists the APIs of a workspace, by name.
    ///
    /// # Errors
    /// As the database's.
    pub async fn apis(&self, workspace: &str) -> Result<Vec<Api>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT {API_COLUMNS} FROM apis a WHERE a.workspace_id = $1 \
                     AND a.deleted_at IS NULL ORDER BY a.name, a.id"
                );
                sql.all(query, args![workspace], read_api).await
            })
        })
        .await
    }

    /// Deletes an API and all its keys.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Protected`] when it must not be deleted.
    pub async fn delete_api(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let api = find_api(sql, by.workspace(), &id).await?;
                if api.delete_protection {
                    return Err(StoreError::Protected(Thing::Api));
                }
                for delete in [
                    "UPDATE apis SET deleted_at = $2 WHERE id = $1",
                    "UPDATE keys SET deleted_at = $2 WHERE api_id = $1 AND deleted_at IS NULL",
                ] {
                    sql.run(delete.into(), args![&id, by.at()]).await?;
                }
                sql.touch(Touched::All);
                let told = format!("Deleted API {id}");
                by.record(sql, "api.delete", &told, &[&id]).await
            })
        })
        .await
    }
}

pub(super) async fn insert_api(sql: &mut dyn Sql, made: &Api, now: i64) -> Result<(), StoreError> {
    let insert = "INSERT INTO apis (id, workspace_id, key_space_id, name, default_prefix, \
                  default_bytes, stores_sealed_keys, delete_protection, created_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = args![
        &made.id,
        &made.workspace,
        &made.key_space,
        &made.name,
        &made.default_prefix,
        made.default_bytes,
        made.stores_sealed_keys,
        made.delete_protection,
        now
    ];
    sql.run(insert.into(), args).await.map(drop)
}

/// Finds an API that is not deleted.
pub(super) async fn find_api(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<Api, StoreError> {
    let query = format!(
        "SELECT {API_COLUMNS} FROM apis a \
         WHERE a.workspace_id = $1 AND a.id = $2 AND a.deleted_at IS NULL"
    );
    let row = sql.row(query, args![workspace, id]).await?;
    read_api(&mut row.ok_or(StoreError::NotFound(Thing::Api))?)
}

/// Finds an API that is not deleted, and keeps others from deleting it until the transaction ends;
/// returns its id.
pub(super) async fn share_api(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<String, StoreError> {
    let query = format!(
        "SELECT id FROM apis WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL{}",
        sql.for_share()
    );
    let row = sql.row(query, args![workspace, id]).await?;
    row.ok_or(StoreError::NotFound(Thing::Api))?.text()
}

pub(super) fn read_api(row: &mut Row) -> Result<Api, StoreError> {
    Ok(Api {
        id: row.text()?,
        workspace: row.text()?,
        key_space: row.text()?,
        name: row.text()?,
        default_prefix: row.maybe_text()?,
        default_bytes: u8::try_from(row.int()?)
            .map_err(|_| StoreError::Shape("a number of bytes"))?,
        stores_sealed_keys: row.flag()?,
        delete_protection: row.flag()?,
    })
}
