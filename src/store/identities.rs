//! Identities: customers of an API's owner, whom keys are issued to.

use serde_json::Value as Json;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::key_row::{find_identity, ratelimits, read_identity};
use super::keys::{NewRateLimit, insert_ratelimit};
use super::limits::replace_ratelimits;
use super::links::touch_keys;
use super::many::complete_identities;
use super::page::{Page, Paged};
use super::value::args;
use crate::keys::{IdKind, Identity, new_id};

/// An identity to be made.
#[derive(Debug, Clone)]
pub struct NewIdentity {
    /// What the API's owner calls it.
    pub external_id: String,
    /// Whatever the owner keeps with it.
    pub meta: Option<Json>,
    /// Limits that all its keys share.
    pub ratelimits: Vec<NewRateLimit>,
}

/// What is to change of an identity. What is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct IdentityUpdate {
    /// Whatever the owner keeps with it.
    pub meta: Option<Json>,
    /// All its limits.
    pub ratelimits: Option<Vec<NewRateLimit>>,
}

impl Store {
    /// Makes an identity and returns its id.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of that external id.
    pub async fn create_identity(
        &self,
        new: NewIdentity,
        by: Audited,
    ) -> Result<String, StoreError> {
        let entropy = self.entropy.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let id = new_id(IdKind::Identity, by.at(), &entropy);
                let insert = "INSERT INTO identities (id, workspace_id, external_id, meta, \
                              created_at) VALUES ($1, $2, $3, $4, $5) \
                              ON CONFLICT (workspace_id, external_id) DO NOTHING";
                let args = args![
                    &id,
                    by.workspace(),
                    &new.external_id,
                    new.meta.map(|meta| meta.to_string()),
                    by.at()
                ];
                if sql.run(insert.into(), args).await? == 0 {
                    return Err(StoreError::Exists(Thing::Identity));
                }
                for limit in &new.ratelimits {
                    insert_ratelimit(sql, "identity_id", &id, limit, by.at(), &entropy).await?;
                }
                let told = format!("Created identity {id}");
                by.record(sql, "identity.create", &told, &[&id]).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Returns the identity of a workspace that has the id or the external id `which`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn identity(&self, workspace: &str, which: &str) -> Result<Identity, StoreError> {
        let (workspace, which) = (workspace.to_owned(), which.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                // By the id, or else by what its owner calls it.
                let condition = "i.workspace_id = $1 AND (i.id = $2 OR i.external_id = $2) \
                                 ORDER BY CASE WHEN i.id = $2 THEN 0 ELSE 1 END";
                let found = find_identity(sql, condition, args![workspace, which]).await?;
                found.ok_or(StoreError::NotFound(Thing::Identity))
            })
        })
        .await
    }

    /// Lists the identities of a workspace, by id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn identities(
        &self,
        workspace: &str,
        page: Page,
    ) -> Result<Paged<Identity>, StoreError> {
        let workspace = workspace.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, external_id, meta FROM identities \
                             WHERE workspace_id = $1 AND id >= $2 \
                             AND (LOWER(external_id) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(id) LIKE LOWER($3) ESCAPE '!') \
                             ORDER BY id LIMIT $4";
                let args = args![workspace, page.first(), page.pattern(), page.rows()];
                let found = sql.all(query, args, read_identity).await?;
                let mut paged = page.cut(found, |identity| &identity.id);
                complete_identities(sql, &mut paged.items).await?;
                Ok(paged)
            })
        })
        .await
    }

    /// Changes the identity `id`, and returns it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such identity.
    pub async fn update_identity(
        &self,
        id: &str,
        update: IdentityUpdate,
        by: Audited,
    ) -> Result<Identity, StoreError> {
        let (id, entropy) = (id.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let mut identity = lock_identity(sql, by.workspace(), &id).await?;
                identity.meta = update.meta.or(identity.meta);
                let meta = identity.meta.as_ref().map(ToString::to_string);
                let change = "UPDATE identities SET meta = $2, updated_at = $3 WHERE id = $1";
                sql.run(change.into(), args![&id, meta, by.at()]).await?;
                if let Some(limits) = &update.ratelimits {
                    replace_ratelimits(sql, "identity_id", &id, limits, by.at(), &entropy).await?;
                }
                let told = format!("Updated identity {id}");
                by.record(sql, "identity.update", &told, &[&id]).await?;
                identity.ratelimits = ratelimits(sql, "identity_id", &id).await?;
                Ok(identity)
            })
        })
        .await
    }

    /// Deletes the identity `id`; its keys stay, and are nobody's.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such identity.
    pub async fn delete_identity(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                lock_identity(sql, by.workspace(), &id).await?;
                let delete = "DELETE FROM identities WHERE id = $1";
                sql.run(delete.into(), args![&id]).await?;
                let told = format!("Deleted identity {id}");
                by.record(sql, "identity.delete", &told, &[&id]).await
            })
        })
        .await
    }
}

/// Keeps others from issuing keys to an identity, and notes that those that it has are verified
/// differently from now on.
async fn lock_identity(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<Identity, StoreError> {
    let query = format!(
        "SELECT id, external_id, meta FROM identities WHERE workspace_id = $1 AND id = $2{}",
        sql.for_update()
    );
    let row = sql.row(query, args![workspace, id]).await?;
    let identity = read_identity(&mut row.ok_or(StoreError::NotFound(Thing::Identity))?)?;
    touch_keys(sql, "k.identity_id = $1", args![id]).await?;
    Ok(identity)
}
