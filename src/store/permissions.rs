//! Permissions: what keys may be allowed to do.

use std::collections::{BTreeMap, BTreeSet};

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::key_row::read_permission;
use super::links::{places, touch_keys, with};
use super::page::{Page, Paged};
use super::value::args;
use crate::ids::Entropy;
use crate::keys::{IdKind, Permission, new_id};

/// A permission to be made.
#[derive(Debug, Clone)]
pub struct NewPermission {
    /// What people call it.
    pub name: String,
    /// What programs call it.
    pub slug: String,
    /// What it is for.
    pub description: Option<String>,
}

impl Store {
    /// Makes a permission and returns its id.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when there is one of that slug.
    pub async fn create_permission(
        &self,
        new: NewPermission,
        by: Audited,
    ) -> Result<String, StoreError> {
        let id = new_id(IdKind::Permission, by.at(), &self.entropy);
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO permissions (id, workspace_id, name, slug, \
                              description, created_at) VALUES ($1, $2, $3, $4, $5, $6) \
                              ON CONFLICT (workspace_id, slug) DO NOTHING";
                let args = args![
                    &id,
                    by.workspace(),
                    &new.name,
                    &new.slug,
                    &new.description,
                    by.at()
                ];
                if sql.run(insert.into(), args).await? == 0 {
                    return Err(StoreError::Exists(Thing::Permission));
                }
                let told = format!("Created permission {}", new.slug);
                by.record(sql, "permission.create", &told, &[&id]).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Returns the permission of a workspace that has the id or the slug `which`.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn permission(&self, workspace: &str, which: &str) -> Result<Permission, StoreError> {
        let (workspace, which) = (workspace.to_owned(), which.to_owned());
        self.read(move |sql| {
            Box::pin(async move { find_permission(sql, &workspace, &which, "").await })
        })
        .await
    }

    /// Lists the permissions of a workspace, by id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn permissions(
        &self,
        workspace: &str,
        page: Page,
    ) -> Result<Paged<Permission>, StoreError> {
        let workspace = workspace.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, name, slug, description FROM permissions \
                             WHERE workspace_id = $1 AND id >= $2 \
                             AND (LOWER(name) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(slug) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(description) LIKE LOWER($3) ESCAPE '!' \
                             OR LOWER(id) LIKE LOWER($3) ESCAPE '!') \
                             ORDER BY id LIMIT $4";
                let args = args![workspace, page.first(), page.pattern(), page.rows()];
                let found = sql.all(query, args, read_permission).await?;
                Ok(page.cut(found, |permission| &permission.id))
            })
        })
        .await
    }

    /// Deletes a permission, which no key and no role has any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the workspace has no such permission.
    pub async fn delete_permission(&self, which: &str, by: Audited) -> Result<(), StoreError> {
        let which = which.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let permission = lock_permission(sql, by.workspace(), &which).await?;
                let id = &permission.id;
                let have_it = "k.id IN (SELECT key_id FROM keys_permissions \
                               WHERE permission_id = $1) \
                               OR k.id IN (SELECT kr.key_id FROM keys_roles kr \
                               JOIN roles_permissions rp ON rp.role_id = kr.role_id \
                               WHERE rp.permission_id = $1)";
                touch_keys(sql, have_it, args![id]).await?;
                let delete = "DELETE FROM permissions WHERE id = $1";
                sql.run(delete.into(), args![id]).await?;
                let told = format!("Deleted permission {}", permission.slug);
                by.record(sql, "permission.delete", &told, &[id]).await
            })
        })
        .await
    }
}

/// Keeps others from giving a permission, or a role that has it, to anybody.
///
/// The roles first, as those do who change the permissions of a role. A role that came to have
/// the permission before that was locked too is found the second time.
async fn lock_permission(
    sql: &mut dyn Sql,
    workspace: &str,
    which: &str,
) -> Result<Permission, StoreError> {
    let lock = sql.for_update();
    let roles = format!(
        "SELECT id FROM roles WHERE id IN (SELECT role_id FROM roles_permissions \
         WHERE permission_id = $1) ORDER BY id{lock}"
    );
    let found = find_permission(sql, workspace, which, "").await?;
    sql.row(roles.clone(), args![&found.id]).await?;
    let found = find_permission(sql, workspace, &found.id, lock).await?;
    sql.row(roles, args![&found.id]).await?;
    Ok(found)
}

/// Finds a permission by its id, or else by its slug.
async fn find_permission(
    sql: &mut dyn Sql,
    workspace: &str,
    which: &str,
    lock: &str,
) -> Result<Permission, StoreError> {
    let query = format!(
        "SELECT id, name, slug, description FROM permissions \
         WHERE workspace_id = $1 AND (id = $2 OR slug = $2) \
         ORDER BY CASE WHEN id = $2 THEN 0 ELSE 1 END LIMIT 1{lock}"
    );
    let row = sql.row(query, args![workspace, which]).await?;
    read_permission(&mut row.ok_or(StoreError::NotFound(Thing::Permission))?)
}

/// Returns the ids of the permissions `slugs`; those that are not there are made.
///
/// # Errors
/// [`StoreError::NotFoundCalled`] where they may not be made.
pub(super) async fn permissions_for(
    sql: &mut dyn Sql,
    slugs: &[String],
    may_create: bool,
    by: &Audited,
    entropy: &Entropy,
) -> Result<Vec<String>, StoreError> {
    let wanted: BTreeSet<&String> = slugs.iter().collect();
    let mut known = with_slugs(sql, by.workspace(), &wanted).await?;
    let is_missing = |slug: &&&String| !known.contains_key(**slug);
    let missing: BTreeSet<&String> = wanted.iter().filter(is_missing).copied().collect();
    if let Some(first) = missing.first() {
        if !may_create {
            let slug = (*first).clone();
            return Err(StoreError::NotFoundCalled(Thing::Permission, slug));
        }
        make_permissions(sql, &missing, by, entropy).await?;
        known.extend(with_slugs(sql, by.workspace(), &missing).await?);
    }
    if known.len() < wanted.len() {
        // Made or found, one was deleted since.
        return Err(StoreError::Conflict);
    }
    Ok(known.into_values().collect())
}

/// Finds permissions, and returns their ids by their slugs.
async fn with_slugs(
    sql: &mut dyn Sql,
    workspace: &str,
    slugs: &BTreeSet<&String>,
) -> Result<BTreeMap<String, String>, StoreError> {
    if slugs.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query = format!(
        "SELECT slug, id FROM permissions WHERE workspace_id = $1 AND slug IN ({})",
        places(2, slugs.len())
    );
    let args = with(args![workspace], slugs.iter().copied());
    let found = sql
        .all(query, args, |row| Ok((row.text()?, row.text()?)))
        .await?;
    Ok(found.into_iter().collect())
}

/// Makes permissions that nobody described; those that somebody else makes meanwhile are left.
async fn make_permissions(
    sql: &mut dyn Sql,
    slugs: &BTreeSet<&String>,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(slugs.len());
    let mut args = args![by.workspace(), by.at()];
    // Ordered, so that no two transactions that make the same wait for each other.
    for slug in slugs {
        let (id, name) = (args.len() + 1, args.len() + 2);
        rows.push(format!("(${id}, $1, ${name}, ${name}, $2)"));
        args.extend(args![new_id(IdKind::Permission, by.at(), entropy), *slug]);
    }
    let insert = format!(
        "INSERT INTO permissions (id, workspace_id, name, slug, created_at) VALUES {} \
         ON CONFLICT (workspace_id, slug) DO NOTHING",
        rows.join(", ")
    );
    sql.run(insert.into(), args).await?;
    Ok(())
}

/// Returns the ids of those of the permissions `which`, by slug or by id, that are there.
pub(super) async fn permissions_known(
    sql: &mut dyn Sql,
    workspace: &str,
    which: &[String],
) -> Result<Vec<String>, StoreError> {
    let places = places(2, which.len());
    let query = format!(
        "SELECT id FROM permissions WHERE workspace_id = $1 \
         AND (slug IN ({places}) OR id IN ({places}))"
    );
    let args = with(args![workspace], which);
    sql.all(query, args, |row| row.text()).await
}
