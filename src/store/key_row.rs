//! Reads a key with everything that hangs on it.

use super::apis::{API_COLUMNS, read_api};
use super::bulk::Bulk;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::many::complete_keys;
use super::value::{Row, Value, args};
use crate::keys::{
    Api, Credits, Hash, Identity, Key, KeyRecord, Permission, RateLimit, Refill, RefillInterval,
    Role, Rotation,
};

pub(super) const COLUMNS: &str = "k.id, k.hash, k.start, k.workspace_id, k.api_id, a.key_space_id, k.name, k.meta, k.enabled, \
     k.expires, k.prefix, k.bytes, CASE WHEN k.sealed IS NULL THEN 0 ELSE 1 END, k.created_at, \
     k.updated_at, (SELECT at FROM last_uses WHERE id = k.id), k.predecessor_id, k.successor_id, k.rerolled_at, \
     k.expires_before, k.cancelled_at, k.finished_at, p.id, p.remaining, p.refill_interval, p.refill_amount, \
     p.refill_day, p.refilled_at, k.identity_id";

/// Where keys are, with what `COLUMNS` names: those that are not deleted, nor their APIs.
///
/// A key that is made while its API is being deleted may be left behind; it is gone all the same.
pub(super) const KEYS: &str = "FROM keys k JOIN apis a ON a.id = k.api_id \
     LEFT JOIN pools p ON p.id = k.pool_id WHERE k.deleted_at IS NULL AND a.deleted_at IS NULL";

/// Finds the record of a key of a workspace.
pub(super) async fn record_of(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<KeyRecord, StoreError> {
    let query = format!("SELECT {COLUMNS} {KEYS} AND k.workspace_id = $1 AND k.id = $2");
    let row = sql.row(query, args![workspace, id]).await?;
    read_record(&mut row.ok_or(StoreError::NotFound(Thing::Key))?)
}

/// Finds the record of a key of a workspace, and its API, in one query.
pub(super) async fn record_and_api(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<(KeyRecord, Api), StoreError> {
    let query =
        format!("SELECT {COLUMNS}, {API_COLUMNS} {KEYS} AND k.workspace_id = $1 AND k.id = $2");
    let row = sql.row(query, args![workspace, id]).await?;
    let mut row = row.ok_or(StoreError::NotFound(Thing::Key))?;
    Ok((read_record(&mut row)?, read_api(&mut row)?))
}

/// Finds the records of keys whose ids are given, and their APIs, in one query.
pub(super) async fn records_and_apis(
    sql: &mut dyn Sql,
    ids: Vec<Vec<Value>>,
) -> Result<Vec<(KeyRecord, Api)>, StoreError> {
    let query =
        format!("SELECT {COLUMNS}, {API_COLUMNS} {KEYS} AND k.id IN (SELECT id FROM {{given}})");
    let mut rows = sql.rows_of_bulk(Bulk::new(query, &["id"], ids)).await?;
    rows.iter_mut()
        .map(|row| Ok((read_record(row)?, read_api(row)?)))
        .collect()
}

/// Puts what hangs on it on a key.
pub(super) async fn complete_key(sql: &mut dyn Sql, record: KeyRecord) -> Result<Key, StoreError> {
    let complete = complete_keys(sql, vec![record]).await?.pop();
    complete.ok_or(StoreError::Shape("a key is missing"))
}

pub(super) fn read_record(row: &mut Row) -> Result<KeyRecord, StoreError> {
    Ok(KeyRecord {
        id: row.text()?,
        hash: read_hash(row)?,
        start: row.text()?,
        workspace: row.text()?,
        api: row.text()?,
        key_space: row.text()?,
        name: row.maybe_text()?,
        meta: row.maybe_json()?,
        enabled: row.flag()?,
        expires: row.maybe_int()?,
        prefix: row.maybe_text()?,
        bytes: u8::try_from(row.int()?).map_err(|_| StoreError::Shape("a number of bytes"))?,
        recoverable: row.flag()?,
        created_at: row.int()?,
        updated_at: row.maybe_int()?,
        last_used_at: row.maybe_int()?,
        rotation: read_rotation(row)?,
        credits: read_credits(row)?,
        identity_id: row.maybe_text()?,
    })
}

pub(super) fn read_hash(row: &mut Row) -> Result<Hash, StoreError> {
    Hash::from_bytes(&row.bytes()?).ok_or(StoreError::Shape("a hash of another length"))
}

pub(super) fn read_rotation(row: &mut Row) -> Result<Rotation, StoreError> {
    Ok(Rotation {
        predecessor: row.maybe_text()?,
        successor: row.maybe_text()?,
        rerolled_at: row.maybe_int()?,
        expires_before: row.maybe_int()?,
        cancelled_at: row.maybe_int()?,
        finished_at: row.maybe_int()?,
    })
}

fn read_credits(row: &mut Row) -> Result<Option<Credits>, StoreError> {
    let pool = row.maybe_text()?;
    let remaining = row.maybe_int()?;
    let interval = row.maybe_text()?;
    let amount = row.maybe_int()?;
    let day = row.maybe_int()?;
    let refilled_at = row.maybe_int()?;
    let refill = read_refill(interval, amount, day)?;
    Ok(pool.map(|pool| Credits {
        pool,
        remaining,
        refill,
        refilled_at,
    }))
}

pub(super) fn read_refill(
    interval: Option<String>,
    amount: Option<i64>,
    day: Option<i64>,
) -> Result<Option<Refill>, StoreError> {
    let Some((interval, amount)) = interval.zip(amount) else {
        return Ok(None);
    };
    let interval =
        RefillInterval::parse(&interval).ok_or(StoreError::Shape("an unknown interval"))?;
    let day = day.map(u8::try_from).transpose();
    Ok(Some(Refill {
        interval,
        amount,
        day: day.map_err(|_| StoreError::Shape("a day of the month"))?,
    }))
}

/// Lists the limits of a key (`key_id`) or an identity (`identity_id`), by name.
pub(super) async fn ratelimits(
    sql: &mut dyn Sql,
    owner: &'static str,
    id: &str,
) -> Result<Vec<RateLimit>, StoreError> {
    let query = format!(
        "SELECT id, window_id, name, max_uses, duration, auto_apply FROM ratelimits \
         WHERE {owner} = $1 ORDER BY name"
    );
    sql.all(query, args![id], read_ratelimit).await
}

pub(super) fn read_ratelimit(row: &mut Row) -> Result<RateLimit, StoreError> {
    Ok(RateLimit {
        id: row.text()?,
        window: row.text()?,
        name: row.text()?,
        limit: row.int()?,
        duration: row.int()?,
        auto_apply: row.flag()?,
    })
}

/// Finds an identity that satisfies `condition` on `i`.
pub(super) async fn find_identity(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Option<Identity>, StoreError> {
    let query = format!("SELECT i.id, i.external_id, i.meta FROM identities i WHERE {condition}");
    let Some(mut row) = sql.row(query, args).await? else {
        return Ok(None);
    };
    let mut identity = read_identity(&mut row)?;
    identity.ratelimits = ratelimits(sql, "identity_id", &identity.id).await?;
    Ok(Some(identity))
}

/// Reads an identity, without its limits.
pub(super) fn read_identity(row: &mut Row) -> Result<Identity, StoreError> {
    Ok(Identity {
        id: row.text()?,
        external_id: row.text()?,
        meta: row.maybe_json()?,
        ratelimits: Vec::new(),
    })
}

pub(super) fn read_permission(row: &mut Row) -> Result<Permission, StoreError> {
    Ok(Permission {
        id: row.text()?,
        name: row.text()?,
        slug: row.text()?,
        description: row.maybe_text()?,
    })
}

/// Reads a role, without its permissions.
pub(super) fn read_role(row: &mut Row) -> Result<Role, StoreError> {
    Ok(Role {
        id: row.text()?,
        name: row.text()?,
        description: row.maybe_text()?,
        permissions: Vec::new(),
    })
}

pub(super) async fn permissions_of_role(
    sql: &mut dyn Sql,
    role: &str,
) -> Result<Vec<Permission>, StoreError> {
    let query = "SELECT p.id, p.name, p.slug, p.description FROM permissions p \
                 JOIN roles_permissions rp ON rp.permission_id = p.id \
                 WHERE rp.role_id = $1 ORDER BY p.slug";
    sql.all(query, args![role], read_permission).await
}
