//! Roles: several permissions under one name.

use std::collections::{BTreeMap, BTreeSet};

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::key_row::{permissions_of_role, read_role};
use super::links::{ListChange, ROLE_PERMISSIONS, places, touch_keys, with};
use super::many::permissions_of;
use super::page::{Page, Paged};
use super::permissions::permissions_for;
use super::value::args;
use crate::keys::{IdKind, Permission, Role, new_id};

/// A role to be made.
#[derive(Debug, Clone)]
pub struct NewRole {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// Slugs of the permissions that it has.
    pub permissions: Vec<String>,
}

impl Store {
    /// Makes a role and returns its id. Permissions that are not there are made, if `may_create`
    /// says that they may be.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of that name, [`StoreError::NotFoundCalled`] for
    /// a permission that may not be made.
    pub async fn create_role(
        &self,
        new: NewRole,
        may_create: bool,
        by: Audited,
    ) -> Result<String, StoreError> {
        let entropy = self.entropy.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let id = new_id(IdKind::Role, by.at(), &entropy);
                let insert = "INSERT INTO roles (id, workspace_id, name, description, \
                              created_at) VALUES ($1, $2, $3, $4, $5) \
                              ON CONFLICT (workspace_id, name) DO NOTHING";
                let args = args![&id, by.workspace(), &new.name, &new.description, by.at()];
                if sql.run(insert.into(), args).await? == 0 {
                    return Err(StoreError::Exists(Thing::Role));
                }
                let ids = permissions_for(sql, &new.permissions, may_create, &by, &entropy).await?;
                ROLE_PERMISSIONS
                    .change(sql, ListChange::Add, &id, &ids)
                    .await?;
                let told = format!("Created role {}", new.name);
                by.record(sql, "role.create", &told, &[&id]).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Returns the role of a workspace that has the id or the name `which`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn role(&self, workspace: &str, which: &str) -> Result<Role, StoreError> {
        let (workspace, which) = (workspace.to_owned(), which.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                let mut role = find_role(sql, &workspace, &which, "").await?;
                role.permissions = permissions_of_role(sql, &role.id).await?;
                Ok(role)
            })
        })
        .await
    }

    /// Lists the roles of a workspace, by id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn roles(&self, workspace: &str, page: Page) -> Result<Paged<Role>, StoreError> {
        let workspace = workspace.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, name, description FROM roles \
                             WHERE workspace_id = $1 AND id >= $2 \
                             AND (LOWER(name) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(description) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(id) LIKE LOWER($3) ESCAPE '!') \
                             ORDER BY id LIMIT $4";
                let args = args![workspace, page.first(), page.pattern(), page.rows()];
                let found = sql.all(query, args, read_role).await?;
                let mut paged = page.cut(found, |role| &role.id);
                let ids: Vec<_> = paged.items.iter().map(|role| role.id.clone()).collect();
                let mut permissions = permissions_of(sql, &ROLE_PERMISSIONS, &ids).await?;
                for role in &mut paged.items {
                    role.permissions = permissions.remove(&role.id).unwrap_or_default();
                }
                Ok(paged)
            })
        })
        .await
    }

    /// Deletes a role, which no key has any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such role.
    pub async fn delete_role(&self, which: &str, by: Audited) -> Result<(), StoreError> {
        let which = which.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let role = lock_role(sql, by.workspace(), &which).await?;
                let delete = "DELETE FROM roles WHERE id = $1";
                sql.run(delete.into(), args![&role.id]).await?;
                let told = format!("Deleted role {}", role.name);
                by.record(sql, "role.delete", &told, &[&role.id]).await
            })
        })
        .await
    }

    /// Leaves a role with the permissions `slugs` and no others; returns them. Permissions that
    /// are not there are made, if `may_create` says that they may be.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::NotFoundCalled`] for a permission that may not
    /// be made.
    pub async fn set_role_permissions(
        &self,
        which: &str,
        slugs: Vec<String>,
        may_create: bool,
        mut by: Audited,
    ) -> Result<Vec<Permission>, StoreError> {
        let (which, entropy) = (which.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let role = lock_role(sql, by.workspace(), &which).await?;
                let ids = permissions_for(sql, &slugs, may_create, &by, &entropy).await?;
                ROLE_PERMISSIONS
                    .change(sql, ListChange::Set, &role.id, &ids)
                    .await?;
                by.detail("permissions", slugs);
                let told = format!("Set the permissions of role {}", role.name);
                by.record(sql, "role.permissions.set", &told, &[&role.id])
                    .await?;
                permissions_of_role(sql, &role.id).await
            })
        })
        .await
    }
}

/// Keeps others from giving a role to a key, and notes that those who have it are verified
/// differently from now on.
async fn lock_role(sql: &mut dyn Sql, workspace: &str, which: &str) -> Result<Role, StoreError> {
    let lock = sql.for_update();
    let role = find_role(sql, workspace, which, lock).await?;
    let have_it = "k.id IN (SELECT key_id FROM keys_roles WHERE role_id = $1)";
    touch_keys(sql, have_it, args![&role.id]).await?;
    Ok(role)
}

/// Finds a role by its id, or else by its name; without its permissions.
async fn find_role(
    sql: &mut dyn Sql,
    workspace: &str,
    which: &str,
    lock: &str,
) -> Result<Role, StoreError> {
    let query = format!(
        "SELECT id, name, description FROM roles \
         WHERE workspace_id = $1 AND (id = $2 OR name = $2) \
         ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END LIMIT 1{lock}"
    );
    let row = sql.row(query, args![workspace, which]).await?;
    read_role(&mut row.ok_or(StoreError::NotFound(Thing::Role))?)
}

/// Returns the ids of the roles called `names`.
///
/// # Errors
/// [`StoreError::NotFoundCalled`] with the first that is not there.
pub(super) async fn roles_called(
    sql: &mut dyn Sql,
    workspace: &str,
    names: &[String],
) -> Result<Vec<String>, StoreError> {
    let query = format!(
        "SELECT name, id FROM roles WHERE workspace_id = $1 AND name IN ({})",
        places(2, names.len())
    );
    let args = with(args![workspace], names);
    let found = sql
        .all(query, args, |row| Ok((row.text()?, row.text()?)))
        .await?;
    let found: BTreeMap<_, _> = found.into_iter().collect();
    let ids: Result<BTreeSet<_>, _> = names
        .iter()
        .map(|name| {
            let missing = || StoreError::NotFoundCalled(Thing::Role, name.clone());
            found.get(name).cloned().ok_or_else(missing)
        })
        .collect();
    Ok(ids?.into_iter().collect())
}
