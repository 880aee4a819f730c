//! Rerolling a key: one transaction, in which nobody else can change it.

use std::sync::Arc;

use secrecy::SecretString;

use super::Store;
use super::audit::Audited;
use super::bulk::Bulk;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::idempotency::{Answered, Idempotency};
use super::key_row::record_of;
use super::keys::{lock_key, lock_key_and_share_api};
use super::master_keys::Sealed;
use super::reroll_together::{Change, Rerolling, write};
use super::value::{Value, args};
use crate::keys::{Api, Grace, KeyRecord, NewSecret, Rotation, SecretFormat, cancel, finish};

/// A reroll to be done.
#[derive(Clone)]
pub struct RerollRequest {
    /// The key whose place is taken.
    pub key: String,
    /// For how long it goes on working.
    pub grace: Grace,
    /// The new key's id.
    pub successor: String,
    /// Makes the new secret.
    pub make: MakeSecret,
    /// Whether the request may be repeated, and `make` says what is answered then.
    pub is_repeatable: bool,
}

/// Makes the secret that takes the place of a key's, whose API is given too. Nobody else changes
/// them meanwhile. It may be asked more than once, and what it made last counts.
pub type MakeSecret =
    Arc<dyn Fn(&KeyRecord, &Api) -> Result<SuccessorSecret, StoreError> + Send + Sync>;

/// The secret that takes the place of another one.
#[derive(Debug, Clone)]
pub struct SuccessorSecret {
    /// The secret.
    pub secret: NewSecret,
    /// How it was made.
    pub format: SecretFormat,
    /// The secret once more, sealed, for a key whose secret may be read back.
    pub sealed: Option<Sealed>,
    /// What is answered if the request is repeated.
    pub once: Option<Idempotency>,
}

/// What became of the old key, and of the new one.
#[derive(Debug, Clone)]
pub struct Rerolled {
    /// From when on the old key opens nothing.
    pub old_expires: Option<i64>,
    /// The new secret. It is kept nowhere.
    pub secret: SecretString,
}

impl Store {
    /// Has a new key take the place of an old one, with everything that the old one has.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], and [`StoreError::Refused`] for a key that has expired or was
    /// rerolled before; what `make` fails with. Then nothing is changed.
    pub async fn reroll_key(
        &self,
        request: RerollRequest,
        by: Audited,
    ) -> Result<Answered<Rerolled>, StoreError> {
        let is_repeatable = request.is_repeatable;
        let rerolling = Rerolling { request, by };
        match &self.rerolls {
            Some(rerolls) if !is_repeatable => rerolls.ask(self, rerolling).await,
            _ => self.reroll_alone(rerolling).await,
        }
    }

    /// Rerolls one key, unless the same request was answered before; waits for whoever is changing
    /// it just now.
    pub(super) async fn reroll_alone(
        &self,
        rerolling: Rerolling,
    ) -> Result<Answered<Rerolled>, StoreError> {
        let entropy = self.entropy.clone();
        self.write_together(move |sql| {
            Box::pin(async move {
                let (request, by) = (&rerolling.request, &rerolling.by);
                // Now, so that of two equal requests at once the second sees the first's answer.
                let locked = lock_key_and_share_api(sql, by.workspace(), &request.key).await?;
                let made = (request.make)(&locked.0, &locked.1)?;
                if let Some(once) = &made.once
                    && let Some(sealed) = once.before(sql, by.at()).await?
                {
                    return Ok(Answered::Before(sealed));
                }
                let change = Change::decide(&locked.0, made, &rerolling)?;
                let done = change.done();
                write(sql, &[change], &entropy).await?;
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

async fn set_rotation(
    sql: &mut dyn Sql,
    key: &KeyRecord,
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Result<(), StoreError> {
    let values = rotation_values(&key.id, expires, rotation, now);
    sql.run_bulk(vec![rotation_changes(vec![values])]).await?;
    sql.touch(Touched::key(key.hash));
    Ok(())
}

/// Returns what says how a key stands now, for [`rotation_changes`].
pub(super) fn rotation_values(
    key: &str,
    expires: Option<i64>,
    rotation: &Rotation,
    now: i64,
) -> Vec<Value> {
    args![
        key,
        expires,
        &rotation.successor,
        rotation.rerolled_at,
        rotation.expires_before,
        rotation.cancelled_at,
        rotation.finished_at,
        now
    ]
}

/// Returns the statement that says how keys stand now.
pub(super) fn rotation_changes(keys: Vec<Vec<Value>>) -> Bulk {
    Bulk::new(
        "UPDATE keys SET expires = given.expires, successor_id = given.successor, \
         rerolled_at = given.rerolled, expires_before = given.before, \
         cancelled_at = given.cancelled, finished_at = given.finished, \
         updated_at = given.now, next_id = NULL FROM {given} WHERE keys.id = given.id",
        &[
            "id",
            "expires",
            "successor",
            "rerolled",
            "before",
            "cancelled",
            "finished",
            "now",
        ],
        keys,
    )
}
