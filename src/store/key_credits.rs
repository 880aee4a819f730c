//! Giving a key another balance, or none.

use super::Store;
use super::audit::Audited;
use super::credits::{balance, insert_pool};
use super::database::Sql;
use super::error::StoreError;
use super::key_row::record_of;
use super::keys::NewCredits;
use super::line::{Link, lock_line};
use super::links::touch_keys;
use super::value::args;
use crate::ids::Entropy;
use crate::keys::{Balance, Credits, CreditsChange, balance_after, still_counts};

impl Store {
    /// Changes the balance of a key, and of those that it shares it with; returns what it is now,
    /// none for no limit.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Unfit`] for a change that a key without a limit
    /// cannot have, and [`StoreError::Refused`] for a key whose place another one took: what they
    /// share is that one's.
    pub async fn update_credits(
        &self,
        key: &str,
        change: CreditsChange,
        by: Audited,
    ) -> Result<Option<Balance>, StoreError> {
        let (key, entropy) = (key.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let line = lock_line(sql, by.workspace(), &key, by.at()).await?;
                let after = change_credits(sql, &key, &line, &change, &by, &entropy).await?;
                let told = format!("Changed the credits of key {key}");
                by.record(sql, "key.update_credits", &told, &[&key]).await?;
                Ok(after)
            })
        })
        .await
    }
}

/// Changes the balance of the key `id`, whose line is locked.
pub(super) async fn change_credits(
    sql: &mut dyn Sql,
    id: &str,
    line: &[Link],
    change: &CreditsChange,
    by: &Audited,
    entropy: &Entropy,
) -> Result<Option<Balance>, StoreError> {
    let key = record_of(sql, by.workspace(), id).await?;
    still_counts(key.expires, &key.rotation, by.at())?;
    let before = match &key.credits {
        Some(credits) => balance(sql, &credits.pool, by.at()).await?,
        None => None,
    };
    let after = balance_after(before.as_ref(), change)
        .map_err(|refusal| StoreError::Unfit(refusal.to_string()))?;
    if let Some(before) = &before {
        touch_keys(sql, "k.pool_id = $1", args![&before.pool]).await?;
    }
    let pool = match (&before, &after) {
        (Some(before), Some(after)) => {
            set_pool(sql, before, after, by.at()).await?;
            Some(before.pool.clone())
        }
        (None, Some(after)) => {
            let new = NewCredits {
                remaining: Some(after.remaining),
                refill: after.refill.clone(),
            };
            Some(insert_pool(sql, &new, by.at(), entropy).await?)
        }
        (_, None) => None,
    };
    for link in line {
        let update = "UPDATE keys SET pool_id = $2, updated_at = $3 WHERE id = $1";
        sql.run(update.into(), args![&link.id, &pool, by.at()])
            .await?;
        link.touch(sql);
    }
    if let (Some(before), None) = (&before, &pool) {
        // Keys that are gone, or have had their time, may still have it.
        for forget in [
            "UPDATE keys SET pool_id = NULL WHERE pool_id = $1",
            "DELETE FROM pools WHERE id = $1",
        ] {
            sql.run(forget.into(), args![&before.pool]).await?;
        }
    }
    Ok(after)
}

async fn set_pool(
    sql: &mut dyn Sql,
    before: &Credits,
    after: &Balance,
    now: i64,
) -> Result<(), StoreError> {
    let refill = after.refill.as_ref();
    let update = "UPDATE pools SET remaining = $2, refill_interval = $3, refill_amount = $4, \
                  refill_day = $5, refilled_at = $6 WHERE id = $1";
    let args = args![
        &before.pool,
        after.remaining,
        refill.map(|refill| refill.interval.as_str()),
        refill.map(|refill| refill.amount),
        refill.and_then(|refill| refill.day),
        // What was due is done, and what begins now is not due for the time before.
        before.refilled_at.unwrap_or(now).max(now)
    ];
    sql.run(update.into(), args).await?;
    Ok(())
}
