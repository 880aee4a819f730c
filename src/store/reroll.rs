//! Rerolling a key: one transaction, in which nobody else can change it.

use super::Store;
use super::audit::Audited;
use super::database::{Sql, Statement, Touched};
use super::error::StoreError;
use super::idempotency::{Answered, Idempotency};
use super::key_row::record_of;
use super::keys::{KeyRow, lock_key, lock_key_and_share_api};
use super::master_keys::Sealed;
use super::value::{Value, args};
use crate::ids::Entropy;
use crate::keys::{
    Grace, IdKind, KeyRecord, NewSecret, Reroll, Rotation, SecretFormat, cancel, finish, new_id,
    reroll,
};

/// A reroll to be done.
#[derive(Debug, Clone)]
pub struct RerollRequest {
    /// The key whose place is taken.
    pub key: String,
    /// For how long it goes on working.
    pub grace: Grace,
    /// The new key's id.
    pub successor: String,
    /// The new secret.
    pub secret: NewSecret,
    /// How it was made.
    pub format: SecretFormat,
    /// The new secret, sealed, for a key whose secret may be read back.
    pub sealed: Option<Sealed>,
}

/// What became of the old key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerolled {
    /// From when on it opens nothing.
    pub old_expires: Option<i64>,
}

impl Store {
    /// Has a new key take the place of an old one, with everything that the old one has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a key that has expired or was
    /// rerolled before. Then nothing is changed.
    pub async fn reroll_key(
        &self,
        request: RerollRequest,
        by: Audited,
        once: Option<Idempotency>,
    ) -> Result<Answered<Rerolled>, StoreError> {
        let entropy = self.entropy.clone();
        self.write_together(move |sql| {
            Box::pin(async move {
                // Now, so that of two equal requests at once the second sees the first's answer.
                let old = lock_key_and_share_api(sql, by.workspace(), &request.key).await?;
                if let Some(once) = &once
                    && let Some(sealed) = once.before(sql, by.at()).await?
                {
                    return Ok(Answered::Before(sealed));
                }
                let done = replace(sql, &old, &request, by, &entropy).await?;
                Ok(Answered::Now(done))
            })
        })
        .await
    }

    /// Ends the grace period of a rerolled key now; returns its expiry.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a key that is not being rotated.
    pub async fn finish_rotation(&self, key: &str, by: Audited) -> Result<i64, StoreError> {
        let key = key.to_owned();
        self.write_together(move |sql| {
            Box::pin(async move {
                let old = lock_key(sql, by.workspace(), &key).await?;
                let (expires, finished) = finish(old.expires, &old.rotation, by.at())?;
                set_rotation(sql, &old, expires, &finished, by.at()).await?;
                let told = format!("Ended the grace period of key {key}");
                by.record(sql, "key.rotation.finish", &told, &[&key])
                    .await?;
                Ok(expires.unwrap_or(by.at()))
            })
        })
        .await
    }

    /// Makes a rerolled key whole again, and expires the one that was to take its place; returns
    /// that one's id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a key that is not being rotated
    /// or has expired, or whose successor was rerolled in its turn.
    pub async fn cancel_rotation(&self, key: &str, by: Audited) -> Result<String, StoreError> {
        let key = key.to_owned();
        self.write_together(move |sql| {
            Box::pin(async move {
                let old = lock_key(sql, by.workspace(), &key).await?;
                let successor = old.rotation.successor.clone().unwrap_or_default();
                let next = lock_next(sql, by.workspace(), &key, &successor).await?;
                let (expires, whole) = cancel(old.expires, &old.rotation, next, by.at())?;
                set_rotation(sql, &old, expires, &whole, by.at()).await?;
                match record_of(sql, by.workspace(), &successor).await {
                    Ok(new) => expire_cancelled(sql, &new, by.at()).await?,
                    // Deleted meanwhile, it opens nothing as it is.
                    Err(StoreError::NotFound(_)) => {}
                    Err(error) => return Err(error),
                }
                let told = format!("Took back the reroll of key {key} to {successor}");
                by.record(sql, "key.rotation.cancel", &told, &[&key, &successor])
                    .await?;
                Ok(successor)
            })
        })
        .await
    }
}

/// Keeps others from changing the key `id`, to which `old` was rerolled, and returns the key that
/// it was rerolled to in its turn, if it was.
async fn lock_next(
    sql: &mut dyn Sql,
    workspace: &str,
    old: &str,
    id: &str,
) -> Result<Option<String>, StoreError> {
    let lock = format!(
        "SELECT successor_id FROM keys WHERE workspace_id = $1 AND id = $2{}",
        sql.for_update()
    );
    let row = match sql.row(lock, args![workspace, id]).await? {
        Some(row) => Some(row),
        // Nothing of it is left, but whoever deleted it has told the key itself.
        None => {
            let query = "SELECT next_id FROM keys WHERE workspace_id = $1 AND id = $2";
            sql.row(query, args![workspace, old]).await?
        }
    };
    row.map_or(Ok(None), |mut row| row.maybe_text())
}

/// Expires the key that was to take the place of another one.
async fn expire_cancelled(sql: &mut dyn Sql, new: &KeyRecord, now: i64) -> Result<(), StoreError> {
    let cancelled = Rotation {
        cancelled_at: Some(now),
        ..new.rotation.clone()
    };
    let at_once = Grace::For(0).end(now, new.expires);
    set_rotation(sql, new, at_once, &cancelled, now).await
}

async fn replace(
    sql: &mut dyn Sql,
    old: &KeyRecord,
    request: &RerollRequest,
    mut by: Audited,
    entropy: &Entropy,
) -> Result<Rerolled, StoreError> {
    let Reroll {
        old_expires,
        old: replaced,
        new_expires,
        new: rotation,
    } = reroll(
        &old.id,
        old.expires,
        &old.rotation,
        &request.successor,
        request.grace,
        by.at(),
    )?;
    if old.recoverable != request.sealed.is_some() {
        return Err(StoreError::Unfit(
            "whether the key is recoverable has just changed".to_owned(),
        ));
    }
    let row = KeyRow {
        id: &request.successor,
        secret: &request.secret,
        api: &old.api,
        name: old.name.as_deref(),
        identity: old.identity_id.as_deref(),
        meta: old.meta.as_ref(),
        enabled: old.enabled,
        expires: new_expires,
        format: &request.format,
        pool: old.credits.as_ref().map(|credits| credits.pool.as_str()),
        sealed: request.sealed.as_ref(),
        rotation: &rotation,
    };
    let new = &request.successor;
    let mut changes = vec![row.insert(&by)];
    // The same window: what the old key has used counts for the new one.
    let copy = "INSERT INTO ratelimits (id, key_id, window_id, name, max_uses, duration, auto_apply) \
                SELECT CAST($1 AS TEXT) || CAST(row_number() OVER (ORDER BY name) AS TEXT), $2, \
                window_id, name, max_uses, duration, auto_apply FROM ratelimits WHERE key_id = $3";
    let id = new_id(IdKind::RateLimit, by.at(), entropy);
    changes.push((copy.into(), args![id, new, &old.id]));
    for copy in [
        "INSERT INTO keys_permissions (key_id, permission_id) \
         SELECT $1, permission_id FROM keys_permissions WHERE key_id = $2",
        "INSERT INTO keys_roles (key_id, role_id) \
         SELECT $1, role_id FROM keys_roles WHERE key_id = $2",
    ] {
        changes.push((copy.into(), args![new, &old.id]));
    }
    changes.push(rotation_change(old, old_expires, &replaced, by.at()));
    let told = format!("Rerolled key {} to {new}", old.id);
    by.detail("grace_end", old_expires);
    changes.push(by.line("key.reroll", &told, &[new, &old.id, &old.api]));
    sql.run_together(changes).await?;
    sql.touch(Touched::key(old.hash));
    // Somebody may have asked for this secret before it was made.
    sql.touch(Touched::key(request.secret.hash));
    Ok(Rerolled { old_expires })
}

async fn set_rotation(
    sql: &mut dyn Sql,
    key: &KeyRecord,
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<(), StoreError> {
    let (update, args) = rotation_change(key, expires, rotation, now);
    sql.run(update, args).await?;
    sql.touch(Touched::key(key.hash));
    Ok(())
}

/// Returns the statement that says how a key stands now, and its arguments.
fn rotation_change(
    key: &KeyRecord,
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> (Statement, Vec<Value>) {
    let update = "UPDATE keys SET expires = $2, successor_id = $3, rerolled_at = $4, \
                  expires_before = $5, cancelled_at = $6, finished_at = $7, updated_at = $8, \
                  next_id = NULL WHERE id = $1";
    let args = args![
        &key.id,
        expires,
        &rotation.successor,
        rotation.rerolled_at,
        rotation.expires_before,
        rotation.cancelled_at,
        rotation.finished_at,
        now
    ];
    (update.into(), args)
}
