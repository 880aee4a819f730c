//! Root keys: keys to the key service itself.

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Touched};
use super::error::{StoreError, Thing};
use super::idempotency::{Answered, Idempotency};
use super::key_row::{read_hash, read_rotation};
use super::value::{Row, Value, args};
use super::workspaces::{Workspace, find_workspace};
use crate::keys::{Grace, Hash, NewSecret, RootKey, Rotation, reroll};

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
     r.successor_id, r.rerolled_at, r.expires_before, r.cancelled_at, r.finished_at";

/// A reroll of a root key to be done.
#[derive(Debug, Clone)]
pub struct RootReroll {
    /// The root key whose place is taken.
    pub key: String,
    /// For how long it goes on working.
    pub grace: Grace,
    /// The new root key's id.
    pub successor: String,
    /// The new secret.
    pub secret: NewSecret,
}

impl Store {
    /// Makes a root key.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_root_key(&self, new: NewRootKey, by: Audited) -> Result<(), StoreError> {
        self.create_root_key_once(new, by, None).await?;
        Ok(())
    }

    /// Makes a root key, unless the same request did so before.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_root_key_once(
        &self,
        new: NewRootKey,
        by: Audited,
        once: Option<Idempotency>,
    ) -> Result<Answered<()>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                if let Some(once) = &once
                    && let Some(sealed) = once.before(sql, by.at()).await?
                {
                    return Ok(Answered::Before(sealed));
                }
                insert_root_key(sql, &new, &Rotation::default(), &by).await?;
                let told = format!("Created root key {}", new.id);
                by.record(sql, "root_key.create", &told, &[&new.id]).await?;
                Ok(Answered::Now(()))
            })
        })
        .await
    }

    /// Lists at most `limit` root keys of a workspace by id, from the id `from` on.
    ///
    /// # Errors
    /// As the database's.
    pub async fn root_keys(
        &self,
        workspace: &str,
        from: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RootKey>, StoreError> {
        let workspace = workspace.to_owned();
        let from = from.unwrap_or_default().to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let condition = "r.workspace_id = $1 AND r.id >= $2 ORDER BY r.id LIMIT $3";
                find_root_keys(sql, condition, args![workspace, from, limit]).await
            })
        })
        .await
    }

    /// Returns the root key `id` of a workspace.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn root_key(&self, workspace: &str, id: &str) -> Result<RootKey, StoreError> {
        let (workspace, id) = (workspace.to_owned(), id.to_owned());
        self.read(move |sql| Box::pin(async move { root_key_of(sql, &workspace, &id).await }))
            .await
    }

    /// Has a new root key take the place of an old one, with everything that the old one has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a root key that has expired or
    /// was rerolled before. Then nothing is changed.
    pub async fn reroll_root_key(
        &self,
        request: RootReroll,
        by: Audited,
        once: Option<Idempotency>,
    ) -> Result<Answered<()>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let lock = format!(
                    "SELECT id FROM root_keys WHERE workspace_id = $1 AND id = $2{}",
                    sql.for_update()
                );
                sql.row(lock, args![by.workspace(), &request.key]).await?;
                let old = root_key_of(sql, by.workspace(), &request.key).await?;
                if let Some(once) = &once
                    && let Some(sealed) = once.before(sql, by.at()).await?
                {
                    return Ok(Answered::Before(sealed));
                }
                replace(sql, &old, request, by).await?;
                Ok(Answered::Now(()))
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
                let root = root_key_of(sql, by.workspace(), &id).await?;
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

pub(super) async fn insert_root_key(
    sql: &mut dyn Sql,
    new: &NewRootKey,
    rotation: &Rotation,
    by: &Audited,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO root_keys (id, hash, start, workspace_id, name, permissions, \
                  expires, predecessor_id, created_at) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let args = args![
        &new.id,
        new.secret.hash.as_bytes(),
        &new.secret.start,
        by.workspace(),
        &new.name,
        serde_json::json!(new.permissions).to_string(),
        new.expires,
        &rotation.predecessor,
        by.at()
    ];
    sql.run(insert.into(), args).await?;
    sql.touch(Touched::key(new.secret.hash));
    Ok(())
}

async fn replace(
    sql: &mut dyn Sql,
    old: &RootKey,
    request: RootReroll,
    mut by: Audited,
) -> Result<(), StoreError> {
    let id = request.successor.clone();
    let done = reroll(
        &old.id,
        old.expires,
        &old.rotation,
        &id,
        request.grace,
        by.at(),
    )?;
    let new = NewRootKey {
        id: request.successor,
        secret: request.secret,
        name: old.name.clone(),
        permissions: old.permissions.clone(),
        expires: done.new_expires,
    };
    insert_root_key(sql, &new, &done.new, &by).await?;
    let enable = "UPDATE root_keys SET enabled = $2 WHERE id = $1";
    sql.run(enable.into(), args![&id, old.enabled]).await?;
    let update = "UPDATE root_keys SET expires = $2, successor_id = $3, rerolled_at = $4, \
                  expires_before = $5 WHERE id = $1";
    let args = args![
        &old.id,
        done.old_expires,
        &done.old.successor,
        done.old.rerolled_at,
        done.old.expires_before
    ];
    sql.run(update.into(), args).await?;
    sql.touch(Touched::key(old.hash));
    by.detail("grace_end", done.old_expires);
    let told = format!("Rerolled root key {} to {id}", old.id);
    by.record(sql, "root_key.reroll", &told, &[&id, &old.id])
        .await
}

async fn root_key_of(sql: &mut dyn Sql, workspace: &str, id: &str) -> Result<RootKey, StoreError> {
    let condition = "r.workspace_id = $1 AND r.id = $2";
    let found = find_root_keys(sql, condition, args![workspace, id]).await?;
    let root = found.into_iter().next();
    root.ok_or(StoreError::NotFound(Thing::RootKey))
}

/// Finds root keys that satisfy `condition` on `r`.
async fn find_root_keys(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Vec<RootKey>, StoreError> {
    let query =
        format!("SELECT {COLUMNS} FROM root_keys r WHERE r.deleted_at IS NULL AND {condition}");
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
