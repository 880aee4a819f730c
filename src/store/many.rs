//! What hangs on many things at once: one query for all of them, in place of one for each.

use std::collections::BTreeMap;

use super::database::Sql;
use super::error::StoreError;
use super::key_row::{read_identity, read_permission, read_ratelimit, read_role};
use super::links::{KEY_PERMISSIONS, Links, ROLE_PERMISSIONS, places, with};
use super::value::Row;
use crate::keys::{Identity, Key, KeyRecord, Permission, RateLimit, Role};

/// Several things for each of several owners, by the owners' ids.
type Of<T> = BTreeMap<String, Vec<T>>;

/// Runs a query whose rows begin with the id of their owner, and for whose arguments the owners'
/// ids stand.
async fn of<T: Send>(
    sql: &mut dyn Sql,
    query: String,
    owners: &[String],
    read: impl Fn(&mut Row) -> Result<T, StoreError> + Send,
) -> Result<Of<T>, StoreError> {
    let mut of = Of::new();
    if owners.is_empty() {
        return Ok(of);
    }
    let rows = sql
        .all(query, with(Vec::new(), owners), move |row| {
            Ok((row.text()?, read(row)?))
        })
        .await?;
    for (owner, thing) in rows {
        of.entry(owner).or_default().push(thing);
    }
    Ok(of)
}

/// Lists the limits of keys (`key_id`) or identities (`identity_id`), by name.
pub(super) async fn ratelimits_of(
    sql: &mut dyn Sql,
    owner: &'static str,
    owners: &[String],
) -> Result<Of<RateLimit>, StoreError> {
    let query = format!(
        "SELECT {owner}, id, window_id, name, max_uses, duration, auto_apply FROM ratelimits \
         WHERE {owner} IN ({}) ORDER BY name",
        places(1, owners.len())
    );
    of(sql, query, owners, read_ratelimit).await
}

/// Lists the permissions of keys or roles, by slug.
pub(super) async fn permissions_of(
    sql: &mut dyn Sql,
    links: &Links,
    owners: &[String],
) -> Result<Of<Permission>, StoreError> {
    let (table, owner) = links.owners();
    let query = format!(
        "SELECT l.{owner}, p.id, p.name, p.slug, p.description FROM permissions p \
         JOIN {table} l ON l.permission_id = p.id WHERE l.{owner} IN ({}) ORDER BY p.slug",
        places(1, owners.len())
    );
    of(sql, query, owners, read_permission).await
}

/// Lists the roles of keys, by name, with their permissions.
async fn roles_of(sql: &mut dyn Sql, keys: &[String]) -> Result<Of<Role>, StoreError> {
    let query = format!(
        "SELECT l.key_id, r.id, r.name, r.description FROM roles r \
         JOIN keys_roles l ON l.role_id = r.id WHERE l.key_id IN ({}) ORDER BY r.name",
        places(1, keys.len())
    );
    let mut roles = of(sql, query, keys, read_role).await?;
    let mut ids: Vec<_> = roles
        .values()
        .flatten()
        .map(|role| role.id.clone())
        .collect();
    ids.sort();
    ids.dedup();
    let permissions = permissions_of(sql, &ROLE_PERMISSIONS, &ids).await?;
    for role in roles.values_mut().flatten() {
        role.permissions = permissions.get(&role.id).cloned().unwrap_or_default();
    }
    Ok(roles)
}

/// Puts their limits on identities.
pub(super) async fn complete_identities(
    sql: &mut dyn Sql,
    identities: &mut [Identity],
) -> Result<(), StoreError> {
    let ids: Vec<_> = identities
        .iter()
        .map(|identity| identity.id.clone())
        .collect();
    let mut limits = ratelimits_of(sql, "identity_id", &ids).await?;
    for identity in identities {
        identity.ratelimits = limits.remove(&identity.id).unwrap_or_default();
    }
    Ok(())
}

/// Finds identities by their ids.
async fn identities(
    sql: &mut dyn Sql,
    mut ids: Vec<String>,
) -> Result<BTreeMap<String, Identity>, StoreError> {
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    ids.sort();
    ids.dedup();
    let query = format!(
        "SELECT i.id, i.external_id, i.meta FROM identities i WHERE i.id IN ({})",
        places(1, ids.len())
    );
    let mut found = sql
        .all(query, with(Vec::new(), &ids), read_identity)
        .await?;
    complete_identities(sql, &mut found).await?;
    let by_id = found.into_iter().map(|found| (found.id.clone(), found));
    Ok(by_id.collect())
}

/// Puts on keys everything that hangs on them.
pub(super) async fn complete_keys(
    sql: &mut dyn Sql,
    keys: Vec<KeyRecord>,
) -> Result<Vec<Key>, StoreError> {
    let ids: Vec<_> = keys.iter().map(|key| key.id.clone()).collect();
    let whose = keys.iter().filter_map(|key| key.identity_id.clone());
    let identities = identities(sql, whose.collect()).await?;
    let mut limits = ratelimits_of(sql, "key_id", &ids).await?;
    let mut permissions = permissions_of(sql, &KEY_PERMISSIONS, &ids).await?;
    let mut roles = roles_of(sql, &ids).await?;
    let complete = keys.into_iter().map(|record| Key {
        identity: record
            .identity_id
            .as_ref()
            .and_then(|id| identities.get(id).cloned()),
        ratelimits: limits.remove(&record.id).unwrap_or_default(),
        permissions: permissions.remove(&record.id).unwrap_or_default(),
        roles: roles.remove(&record.id).unwrap_or_default(),
        record,
    });
    Ok(complete.collect())
}
