//! The permissions and roles of a key.

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::keys::{key_of, lock_key};
use super::links::{KEY_PERMISSIONS, KEY_ROLES, ListChange};
use super::permissions::{permissions_for, permissions_known};
use super::roles::roles_called;
use super::value::args;
use crate::keys::{KeyRecord, Permission, Role};

impl Store {
    /// Changes the permissions that a key has directly; returns all of them.
    ///
    /// Permissions that are not there are made, if `may_create` says that they may be. Of those
    /// that are taken away, ids will do, and what is not there changes nothing.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::NotFoundCalled`] for a permission that may not
    /// be made.
    pub async fn change_key_permissions(
        &self,
        key: &str,
        change: ListChange,
        slugs: Vec<String>,
        may_create: bool,
        mut by: Audited,
    ) -> Result<Vec<Permission>, StoreError> {
        let (id, entropy) = (key.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let key = lock_key(sql, by.workspace(), &id).await?;
                let permissions = if change == ListChange::Remove {
                    permissions_known(sql, by.workspace(), &slugs).await?
                } else {
                    permissions_for(sql, &slugs, may_create, &by, &entropy).await?
                };
                KEY_PERMISSIONS
                    .change(sql, change, &id, &permissions)
                    .await?;
                by.detail(change.as_str(), slugs);
                changed(sql, &key, "key.permissions.update", &by).await?;
                Ok(key_of(sql, by.workspace(), &id).await?.permissions)
            })
        })
        .await
    }

    /// Changes the roles of a key; returns all of them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::NotFoundCalled`] for a role that is not there.
    pub async fn change_key_roles(
        &self,
        key: &str,
        change: ListChange,
        names: Vec<String>,
        mut by: Audited,
    ) -> Result<Vec<Role>, StoreError> {
        let id = key.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let key = lock_key(sql, by.workspace(), &id).await?;
                let roles = roles_called(sql, by.workspace(), &names).await?;
                KEY_ROLES.change(sql, change, &id, &roles).await?;
                by.detail(change.as_str(), names);
                changed(sql, &key, "key.roles.update", &by).await?;
                Ok(key_of(sql, by.workspace(), &id).await?.roles)
            })
        })
        .await
    }
}

async fn changed(
    sql: &mut dyn Sql,
    key: &KeyRecord,
    event: &str,
    by: &Audited,
) -> Result<(), StoreError> {
    let update = "UPDATE keys SET updated_at = $2 WHERE id = $1";
    sql.run(update.into(), args![&key.id, by.at()]).await?;
    sql.touch(Touched::key(key.hash));
    let told = format!("Changed what key {} may do", key.id);
    by.record(sql, event, &told, &[&key.id]).await
}
