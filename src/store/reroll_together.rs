//! Rerolls of many keys in one transaction: each statement is about all of them.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Store;
use super::audit::Audited;
use super::bulk::Bulk;
use super::database::{Sql, Touched};
use super::error::StoreError;
use super::gather::Question;
use super::idempotency::Answered;
use super::keys::{KeyRow, lock_free_keys_and_share_apis};
use super::reroll::{RerollRequest, Rerolled, SuccessorSecret, rotation_changes, rotation_values};
use super::value::{Value, args};
use crate::ids::Entropy;
use crate::keys::{IdKind, KeyRecord, Reroll, new_id, reroll};

/// A reroll, and who asks for it.
#[derive(Clone)]
pub(super) struct Rerolling {
    pub(super) request: RerollRequest,
    pub(super) by: Audited,
}

#[async_trait]
impl Question for Rerolling {
    type Answer = Answered<Rerolled>;

    fn about(&self) -> &str {
        &self.request.key
    }

    async fn together(
        store: &Store,
        questions: Vec<Self>,
    ) -> Result<Vec<Option<Result<Answered<Rerolled>, StoreError>>>, StoreError> {
        let entropy = store.entropy.clone();
        let work = store.write(move |sql| {
            Box::pin(async move { reroll_the_free(sql, &questions, &entropy).await })
        });
        work.await
    }

    async fn alone(self, store: &Store) -> Result<Answered<Rerolled>, StoreError> {
        store.reroll_alone(self).await
    }
}

/// Rerolls those keys that nobody else is changing just now; the others have no answer.
async fn reroll_the_free(
    sql: &mut dyn Sql,
    rerollings: &[Rerolling],
    entropy: &Entropy,
) -> Result<Vec<Option<Result<Answered<Rerolled>, StoreError>>>, StoreError> {
    let wanted = rerollings
        .iter()
        .map(|it| args![it.by.workspace(), &it.request.key]);
    let locked = lock_free_keys_and_share_apis(sql, wanted.collect()).await?;
    let locked: BTreeMap<_, _> = locked.iter().map(|it| (it.0.id.as_str(), it)).collect();
    let (mut answers, mut changes) = (Vec::new(), Vec::new());
    for rerolling in rerollings {
        let key = locked.get(rerolling.request.key.as_str());
        answers.push(key.map(|(old, api)| {
            let made = (rerolling.request.make)(old, api)?;
            let change = Change::decide(old, made, rerolling)?;
            let done = change.done();
            changes.push(change);
            Ok(Answered::Now(done))
        }));
    }
    write(sql, &changes, entropy).await?;
    Ok(answers)
}

/// A reroll that is to be written.
pub(super) struct Change<'a> {
    old: &'a KeyRecord,
    made: SuccessorSecret,
    rerolling: &'a Rerolling,
    becomes: Reroll,
}

impl<'a> Change<'a> {
    /// Decides whether a key that is locked is rerolled to a new secret, and how.
    ///
    /// # Errors
    /// [`StoreError::Refused`].
    pub(super) fn decide(
        old: &'a KeyRecord,
        made: SuccessorSecret,
        rerolling: &'a Rerolling,
    ) -> Result<Self, StoreError> {
        let Rerolling { request, by } = rerolling;
        let becomes = reroll(
            &old.id,
            old.expires,
            &old.rotation,
            &request.successor,
            request.grace,
            by.at(),
        )?;
        Ok(Self {
            old,
            made,
            rerolling,
            becomes,
        })
    }

    /// Returns what will have become of the keys.
    pub(super) fn done(&self) -> Rerolled {
        Rerolled {
            old_expires: self.becomes.old_expires,
            secret: self.made.secret.text.clone(),
        }
    }

    fn new_key(&self) -> Vec<Value> {
        let (old, made) = (self.old, &self.made);
        let row = KeyRow {
            id: &self.rerolling.request.successor,
            secret: &made.secret,
            api: &old.api,
            name: old.name.as_deref(),
            identity: old.identity_id.as_deref(),
            meta: old.meta.as_ref(),
            enabled: old.enabled,
            expires: self.becomes.new_expires,
            format: &made.format,
            pool: old.credits.as_ref().map(|credits| credits.pool.as_str()),
            sealed: made.sealed.as_ref(),
            rotation: &self.becomes.new,
        };
        row.values(&self.rerolling.by)
    }

    /// The line of the audit log.
    fn line(&self) -> Vec<Value> {
        let (old, new) = (self.old, &self.rerolling.request.successor);
        let mut by = self.rerolling.by.clone();
        by.detail("grace_end", self.becomes.old_expires);
        let told = format!("Rerolled key {} to {new}", old.id);
        by.values("key.reroll", &told, &[new, &old.id, &old.api])
    }
}

/// Writes rerolls of keys that are locked.
pub(super) async fn write(
    sql: &mut dyn Sql,
    changes: &[Change<'_>],
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let pairs = changes
        .iter()
        .map(|it| args![&it.rerolling.request.successor, &it.old.id]);
    let limits = changes.iter().map(|it| {
        let id = new_id(IdKind::RateLimit, it.rerolling.by.at(), entropy);
        args![id, &it.rerolling.request.successor, &it.old.id]
    });
    let rotations = changes.iter().map(|it| {
        let Reroll {
            old_expires, old, ..
        } = &it.becomes;
        rotation_values(&it.old.id, *old_expires, old, it.rerolling.by.at())
    });
    let pairs: Vec<_> = pairs.collect();
    let copy = |text: &'static str| Bulk::new(text, &["new", "old"], pairs.clone());
    let statements = vec![
        KeyRow::inserts(changes.iter().map(Change::new_key).collect()),
        // The same window: what the old key has used counts for the new one.
        Bulk::new(
            "INSERT INTO ratelimits (id, key_id, window_id, name, max_uses, duration, auto_apply) \
             SELECT given.id || CAST(row_number() OVER (PARTITION BY given.id ORDER BY l.name) \
             AS TEXT), given.new, l.window_id, l.name, l.max_uses, l.duration, l.auto_apply \
             FROM {given} JOIN ratelimits l ON l.key_id = given.old",
            &["id", "new", "old"],
            limits.collect(),
        ),
        copy(
            "INSERT INTO keys_permissions (key_id, permission_id) \
             SELECT given.new, l.permission_id \
             FROM {given} JOIN keys_permissions l ON l.key_id = given.old",
        ),
        copy(
            "INSERT INTO keys_roles (key_id, role_id) SELECT given.new, l.role_id \
             FROM {given} JOIN keys_roles l ON l.key_id = given.old",
        ),
        Audited::inserts(changes.iter().map(Change::line).collect()),
        rotation_changes(rotations.collect()),
    ];
    sql.run_bulk(statements).await?;
    for change in changes {
        sql.touch(Touched::key(change.old.hash));
        // Somebody may have asked for this secret before it was made.
        sql.touch(Touched::key(change.made.secret.hash));
    }
    Ok(())
}
