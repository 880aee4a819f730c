//! Changing a key: what is given, and nothing else.

use serde_json::Value as Json;

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::key_credits::change_credits;
use super::keys::{NewRateLimit, identity_for, lock_key};
use super::limits::replace_ratelimits;
use super::line::lock_line;
use super::links::{KEY_PERMISSIONS, KEY_ROLES, ListChange};
use super::permissions::permissions_for;
use super::roles::roles_called;
use super::value::args;
use crate::ids::Entropy;
use crate::keys::{CreditsChange, KeyRecord, set_expiry};

/// What is to change of a key. What is `None` stays; `Some(None)` takes away.
#[derive(Debug, Clone, Default)]
pub struct KeyUpdate {
    /// What its owner calls it.
    pub name: Option<Option<String>>,
    /// Whom it is issued to, by the name that the API's owner gives.
    pub external_id: Option<Option<String>>,
    /// Whatever its owner keeps with it.
    pub meta: Option<Option<Json>>,
    /// From when on it opens nothing.
    pub expires: Option<Option<i64>>,
    /// What it may be used up by.
    pub credits: Option<CreditsChange>,
    /// All the limits of its own.
    pub ratelimits: Option<Vec<NewRateLimit>>,
    /// Whether it opens anything.
    pub enabled: Option<bool>,
    /// Names of all its roles, which must be there.
    pub roles: Option<Vec<String>>,
    /// Slugs of all the permissions that it has directly, which are made if need be.
    pub permissions: Option<Vec<String>>,
}

impl KeyUpdate {
    /// Names what changes.
    fn fields(&self) -> Vec<&'static str> {
        let fields = [
            ("name", self.name.is_some()),
            ("externalId", self.external_id.is_some()),
            ("meta", self.meta.is_some()),
            ("expires", self.expires.is_some()),
            ("credits", self.credits.is_some()),
            ("ratelimits", self.ratelimits.is_some()),
            ("enabled", self.enabled.is_some()),
            ("roles", self.roles.is_some()),
            ("permissions", self.permissions.is_some()),
        ];
        let changed = fields.into_iter().filter(|(_, changes)| *changes);
        changed.map(|(name, _)| name).collect()
    }
}

impl Store {
    /// Changes a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for a key or a role that is not there, [`StoreError::Unfit`] for
    /// credits that the key cannot have, and [`StoreError::Refused`] for an expiry or credits of a
    /// key whose place another one took.
    pub async fn update_key(
        &self,
        id: &str,
        update: KeyUpdate,
        mut by: Audited,
    ) -> Result<(), StoreError> {
        let (id, entropy) = (id.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                if let Some(change) = &update.credits {
                    let line = lock_line(sql, by.workspace(), &id, by.at()).await?;
                    change_credits(sql, &id, &line, change, &by, &entropy).await?;
                }
                let key = lock_key(sql, by.workspace(), &id).await?;
                update_row(sql, &key, &update, &by, &entropy).await?;
                update_lists(sql, &key, &update, &by, &entropy).await?;
                sql.touch(Touched::key(key.hash));
                by.detail("fields", update.fields());
                let told = format!("Updated key {id}");
                by.record(sql, "key.update", &told, &[&id, &key.api]).await
            })
        })
        .await
    }
}

async fn update_row(
    sql: &mut dyn Sql,
    key: &KeyRecord,
    update: &KeyUpdate,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let identity = match &update.external_id {
        None => key.identity_id.clone(),
        Some(None) => None,
        Some(Some(external)) => Some(identity_for(sql, external, by, entropy).await?),
    };
    let name = update.name.as_ref().unwrap_or(&key.name);
    let meta = update.meta.as_ref().unwrap_or(&key.meta);
    let to = update.expires.unwrap_or(key.expires);
    let (expires, rotation) = set_expiry(key.expires, &key.rotation, to, by.at())?;
    let statement = "UPDATE keys SET name = $2, identity_id = $3, meta = $4, expires = $5, \
                     enabled = $6, expires_before = $7, updated_at = $8 WHERE id = $1";
    let args = args![
        &key.id,
        name,
        identity,
        meta.as_ref().map(ToString::to_string),
        expires,
        update.enabled.unwrap_or(key.enabled),
        rotation.expires_before,
        by.at()
    ];
    sql.run(statement.into(), args).await?;
    Ok(())
}

async fn update_lists(
    sql: &mut dyn Sql,
    key: &KeyRecord,
    update: &KeyUpdate,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    if let Some(limits) = &update.ratelimits {
        replace_ratelimits(sql, "key_id", &key.id, limits, by.at(), entropy).await?;
    }
    if let Some(names) = &update.roles {
        let roles = roles_called(sql, by.workspace(), names).await?;
        KEY_ROLES
            .change(sql, ListChange::Set, &key.id, &roles)
            .await?;
    }
    if let Some(slugs) = &update.permissions {
        let permissions = permissions_for(sql, slugs, true, by, entropy).await?;
        KEY_PERMISSIONS
            .change(sql, ListChange::Set, &key.id, &permissions)
            .await?;
    }
    Ok(())
}
