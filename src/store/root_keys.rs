//! Root keys: keys to the key service itself.

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Touched};
use super::error::{StoreError, Thing};
use super::key_row::{read_hash, read_rotation};
use super::value::{Row, Value, args};
use super::workspaces::{Workspace, find_workspace};
use crate::keys::{Hash, NewSecret, RootKey};

/// A root key to be made.
#[derive(Debug, Clone)]
pub struct NewRootKey {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: NewSecret,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
}

const COLUMNS: &str = "r.id, r.hash, r.start, r.workspace_id, r.name, r.permissions, r.enabled, \
     r.expires, r.created_at, (SELECT at FROM last_uses WHERE id = r.id), r.predecessor_id, \
     r.successor_id, r.rerolled_at, r.expires_before, r.cancelled_at";

impl Store {
    /// Makes a root key.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_root_key(&self, new: NewRootKey, by: Audited) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO root_keys (id, hash, start, workspace_id, name, \
                              permissions, expires, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
                let args = args![
                    &new.id,
                    new.secret.hash.as_bytes(),
                    &new.secret.start,
                    by.workspace(),
                    &new.name,
                    serde_json::json!(new.permissions).to_string(),
                    new.expires,
                    by.at()
                ];
                sql.run(insert.into(), args).await?;
                sql.touch(Touched::key(new.secret.hash));
                let told = format!("Created root key {}", new.id);
                by.record(sql, "root_key.create", &told, &[&new.id]).await
            })
        })
        .await
    }

    /// Returns the root key whose secret has this hash, and its workspace.
    ///
    /// # Errors
    /// As the database's.
    pub async fn root_key_by_hash(
        &self,
        hash: Hash,
    ) -> Result<Option<(RootKey, Workspace)>, StoreError> {
        self.read(move |sql| {
            Box::pin(async move {
                let found = find_root_keys(sql, "r.hash = $1", args![hash.as_bytes()]).await?;
                let Some(root) = found.into_iter().next() else {
                    return Ok(None);
                };
                let workspace = find_workspace(sql, &root.workspace).await?;
                Ok(Some((root, workspace)))
            })
        })
        .await
    }

    /// Deletes a root key: it opens nothing any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such root key.
    pub async fn delete_root_key(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let condition = "r.workspace_id = $1 AND r.id = $2";
                let args = args![by.workspace(), &id];
                let found = find_root_keys(sql, condition, args).await?;
                let root = found
                    .first()
                    .ok_or(StoreError::NotFound(Thing::RootKey))?;
                let delete = "UPDATE root_keys SET deleted_at = $2 WHERE id = $1";
                sql.run(delete.into(), args![&id, by.at()]).await?;
                sql.touch(Touched::key(root.hash));
                let told = format!("Deleted root key {id}");
                by.record(sql, "root_key.delete", &told, &[&id]).await
            })
        })
        .await
    }
}

/// Finds root keys that satisfy `condition` on `r`.
async fn find_root_keys(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Vec<RootKey>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM root_keys r WHERE r.deleted_at IS NULL AND {condition}"
    );
    sql.all(query, args, read_root_key).await
}

fn read_root_key(row: &mut Row) -> Result<RootKey, StoreError> {
    Ok(RootKey {
        id: row.text()?,
        hash: read_hash(row)?,
        start: row.text()?,
        workspace: row.text()?,
        name: row.maybe_text()?,
        permissions: serde_json::from_str(&row.text()?)
            .map_err(|_| StoreError::Shape("permissions"))?,
        enabled: row.flag()?,
        expires: row.maybe_int()?,
        created_at: row.int()?,
        last_used_at: row.maybe_int()?,
        rotation: read_rotation(row)?,
    })
}
