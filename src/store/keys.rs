//! Keys: making them, finding them.

use serde_json::Value as Json;

use super::Store;
use super::apis::share_api;
use super::audit::Audited;
use super::bulk::Bulk;
use super::credits::insert_pool;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::idempotency::{Answered, Idempotency};
use super::key_row::{complete_key, record_and_api, record_of, records_and_apis};
use super::links::{KEY_PERMISSIONS, KEY_ROLES, ListChange};
use super::master_keys::Sealed;
use super::permissions::permissions_for;
use super::roles::roles_called;
use super::value::{Value, args};
use crate::ids::Entropy;
use crate::keys::{Api, IdKind, Key, KeyRecord, NewSecret, Refill, Rotation, SecretFormat, new_id};

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its id.
    pub id: String,
    /// The API that it is a key of.
    pub api: String,
    /// Its secret, of which only the hash and the beginning are kept.
    pub secret: NewSecret,
    /// How the secret was made.
    pub format: SecretFormat,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Whom it is issued to, by the name that the API's owner gives.
    pub external_id: Option<String>,
    /// Whatever its owner keeps with it.
    pub meta: Option<Json>,
    /// Names of roles, which must be there.
    pub roles: Vec<String>,
    /// Slugs of permissions, which are made if need be.
    pub permissions: Vec<String>,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
    /// What it may be used up by.
    pub credits: Option<NewCredits>,
    /// Limits of its own.
    pub ratelimits: Vec<NewRateLimit>,
    /// Whether it opens anything.
    pub enabled: bool,
    /// The whole secret, sealed, where it may be read back.
    pub sealed: Option<Sealed>,
}

/// A balance to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCredits {
    /// What is left; none for no limit.
    pub remaining: Option<i64>,
    /// How it fills up again.
    pub refill: Option<Refill>,
}

/// A rate limit to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRateLimit {
    /// What it is called.
    pub name: String,
    /// How often.
    pub limit: i64,
    /// In how many milliseconds.
    pub duration: i64,
    /// Whether every verification counts.
    pub auto_apply: bool,
}

impl Store {
    /// Makes a key.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] for an API or a role that is not there.
    pub async fn create_key(
        &self,
        new: NewKey,
        by: Audited,
        once: Option<Idempotency>,
    ) -> Result<Answered<()>, StoreError> {
        let entropy = self.entropy.clone();
        self.write_together(move |sql| {
            Box::pin(async move {
                if let Some(once) = &once
                    && let Some(sealed) = once.before(sql, by.at()).await?
                {
                    return Ok(Answered::Before(sealed));
                }
                insert_key(sql, &new, &by, &entropy).await?;
                let told = format!("Created key {}", new.id);
                by.record(sql, "key.create", &told, &[&new.id, &new.api])
                    .await?;
                Ok(Answered::Now(()))
            })
        })
        .await
    }

    /// Returns the key `id` of a workspace, and its API.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn key(&self, workspace: &str, id: &str) -> Result<(Key, Api), StoreError> {
        let (workspace, id) = (workspace.to_owned(), id.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                let (record, api) = record_and_api(sql, &workspace, &id).await?;
                Ok((complete_key(sql, record).await?, api))
            })
        })
        .await
    }

    /// Returns the record of the key `id` of a workspace, and its API.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none such.
    pub async fn key_record(
        &self,
        workspace: &str,
        id: &str,
    ) -> Result<(KeyRecord, Api), StoreError> {
        let (workspace, id) = (workspace.to_owned(), id.to_owned());
        self.read_once(move |sql| {
            Box::pin(async move { record_and_api(sql, &workspace, &id).await })
        })
        .await
    }

    /// Returns the sealed secret of a key, if it is kept.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sealed_key(
        &self,
        workspace: &str,
        id: &str,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (workspace, id) = (workspace.to_owned(), id.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT sealed FROM keys \
                             WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL";
                match sql.row(query, args![workspace, id]).await? {
                    Some(mut row) => row.maybe_bytes(),
                    None => Ok(None),
                }
            })
        })
        .await
    }
}

/// Finds a key of a workspace.
pub(super) async fn key_of(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<Key, StoreError> {
    let record = record_of(sql, workspace, id).await?;
    complete_key(sql, record).await
}

/// Keeps others from changing a key until the transaction ends.
pub(super) async fn lock_key(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<KeyRecord, StoreError> {
    if sql.locks() {
        let lock = format!(
            "SELECT id FROM keys WHERE workspace_id = $1 AND id = $2{}",
            sql.for_update()
        );
        sql.row(lock, args![workspace, id]).await?;
    }
    record_of(sql, workspace, id).await
}

/// Does the same, and keeps others from deleting its API, which is returned too.
pub(super) async fn lock_key_and_share_api(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
) -> Result<(KeyRecord, Api), StoreError> {
    if sql.locks() {
        // The API before the key, as whoever deletes the API does. What is joined is read anew
        // afterwards: of a row that was waited for only that row itself is the newest.
        let lock = "SELECT k.id FROM keys k JOIN apis a ON a.id = k.api_id \
                    WHERE k.workspace_id = $1 AND k.id = $2 AND a.deleted_at IS NULL \
                    FOR SHARE OF a FOR UPDATE OF k";
        sql.row(lock, args![workspace, id]).await?;
    }
    record_and_api(sql, workspace, id).await
}

/// Does so with those keys of which nobody is changing anything just now, nor of their APIs; of
/// each its workspace and its id are given.
pub(super) async fn lock_free_keys_and_share_apis(
    sql: &mut dyn Sql,
    keys: Vec<Vec<Value>>,
) -> Result<Vec<(KeyRecord, Api)>, StoreError> {
    let lock = "SELECT k.id FROM {given} \
                JOIN keys k ON k.id = given.id AND k.workspace_id = given.workspace \
                JOIN apis a ON a.id = k.api_id WHERE a.deleted_at IS NULL \
                FOR SHARE OF a SKIP LOCKED FOR UPDATE OF k SKIP LOCKED";
    let locked = Bulk::new(lock, &["workspace", "id"], keys);
    let mut locked = sql.rows_of_bulk(locked).await?;
    let ids = locked.iter_mut().map(|row| Ok(args![row.text()?]));
    let ids = ids.collect::<Result<_, StoreError>>()?;
    records_and_apis(sql, ids).await
}

async fn insert_key(
    sql: &mut dyn Sql,
    new: &NewKey,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let api = share_api(sql, by.workspace(), &new.api).await?;
    let identity = match &new.external_id {
        Some(external) => Some(identity_for(sql, external, by, entropy).await?),
        None => None,
    };
    let pool = match &new.credits {
        Some(credits) => Some(insert_pool(sql, credits, by.at(), entropy).await?),
        None => None,
    };
    let row = KeyRow {
        id: &new.id,
        secret: &new.secret,
        api: &api,
        name: new.name.as_deref(),
        identity: identity.as_deref(),
        meta: new.meta.as_ref(),
        enabled: new.enabled,
        expires: new.expires,
        format: &new.format,
        pool: pool.as_deref(),
        sealed: new.sealed.as_ref(),
        rotation: &Rotation::default(),
    };
    let insert = KeyRow::inserts(vec![row.values(by)]);
    sql.run_bulk(vec![insert]).await?;
    // Somebody may have asked for this secret before it was made.
    sql.touch(Touched::key(new.secret.hash));
    for limit in &new.ratelimits {
        insert_ratelimit(sql, "key_id", &new.id, limit, by.at(), entropy).await?;
    }
    let permissions = permissions_for(sql, &new.permissions, true, by, entropy).await?;
    KEY_PERMISSIONS
        .change(sql, ListChange::Add, &new.id, &permissions)
        .await?;
    let roles = roles_called(sql, by.workspace(), &new.roles).await?;
    KEY_ROLES
        .change(sql, ListChange::Add, &new.id, &roles)
        .await
}

/// The row of a new key.
pub(super) struct KeyRow<'a> {
    pub(super) id: &'a str,
    pub(super) secret: &'a NewSecret,
    pub(super) api: &'a str,
    pub(super) name: Option<&'a str>,
    pub(super) identity: Option<&'a str>,
    pub(super) meta: Option<&'a Json>,
    pub(super) enabled: bool,
    pub(super) expires: Option<i64>,
    pub(super) format: &'a SecretFormat,
    pub(super) pool: Option<&'a str>,
    pub(super) sealed: Option<&'a Sealed>,
    pub(super) rotation: &'a Rotation,
}

impl KeyRow<'_> {
    /// Returns the values of its columns, for [`KeyRow::inserts`].
    pub(super) fn values(&self, by: &Audited) -> Vec<Value> {
        args![
            self.id,
            self.secret.hash.as_bytes(),
            &self.secret.start,
            by.workspace(),
            self.api,
            self.name,
            self.identity,
            self.meta.map(ToString::to_string),
            self.enabled,
            self.expires,
            self.format.prefix(),
            self.format.bytes(),
            self.pool,
            self.sealed.map(|sealed| sealed.bytes.clone()),
            self.sealed.map(|sealed| sealed.with.as_str()),
            &self.rotation.predecessor,
            by.at()
        ]
    }

    /// Returns the statement that inserts rows.
    pub(super) fn inserts(rows: Vec<Vec<Value>>) -> Bulk {
        const COLUMNS: &[&str] = &[
            "id",
            "hash",
            "start",
            "workspace_id",
            "api_id",
            "name",
            "identity_id",
            "meta",
            "enabled",
            "expires",
            "prefix",
            "bytes",
            "pool_id",
            "sealed",
            "sealed_with",
            "predecessor_id",
            "created_at",
        ];
        Bulk::insert("keys", COLUMNS, rows)
    }
}

pub(super) async fn insert_ratelimit(
    sql: &mut dyn Sql,
    owner: &'static str,
    id: &str,
    limit: &NewRateLimit,
    now: i64,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let made = new_id(IdKind::RateLimit, now, entropy);
    let insert = format!(
        "INSERT INTO ratelimits (id, {owner}, window_id, name, max_uses, duration, auto_apply) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    );
    let args = args![
        &made,
        id,
        &made,
        &limit.name,
        limit.limit,
        limit.duration,
        limit.auto_apply
    ];
    sql.run(insert.into(), args).await?;
    Ok(())
}

/// Returns the id of the identity called `external`, which is made if need be.
pub(super) async fn identity_for(
    sql: &mut dyn Sql,
    external: &str,
    by: &Audited,
    entropy: &Entropy,
) -> Result<String, StoreError> {
    let insert = "INSERT INTO identities (id, workspace_id, external_id, created_at) \
                  VALUES ($1, $2, $3, $4) ON CONFLICT (workspace_id, external_id) DO NOTHING";
    let id = new_id(IdKind::Identity, by.at(), entropy);
    let args = args![&id, by.workspace(), external, by.at()];
    sql.run(insert.into(), args).await?;
    let query = "SELECT id FROM identities WHERE workspace_id = $1 AND external_id = $2";
    let row = sql.row(query, args![by.workspace(), external]).await?;
    // Made or found, it was deleted since.
    row.ok_or(StoreError::Conflict)?.text()
}
