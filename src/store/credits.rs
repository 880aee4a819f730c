//! Balances of credits: exact, and on the disk before a verification is answered.

use super::Store;
use super::database::Sql;
use super::error::StoreError;
use super::key_row::read_refill;
use super::keys::NewCredits;
use super::value::args;
use crate::ids::Entropy;
use crate::keys::{Credits, IdKind, new_id, refilled};

impl Store {
    /// Takes `cost` from the balance `pool` at `now`, if that much is left.
    ///
    /// Returns what is left, none for no limit, and whether it was enough. A balance that is due
    /// to fill up is filled up first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn spend(
        &self,
        pool: &str,
        cost: i64,
        now: i64,
    ) -> Result<(Option<i64>, bool), StoreError> {
        let pool = pool.to_owned();
        self.write(move |sql| Box::pin(async move { spend(sql, &pool, cost, now).await }))
            .await
    }

    /// Returns what is left of the balance `pool` at `now`; none for no limit.
    ///
    /// # Errors
    /// As the database's.
    pub async fn left(&self, pool: &str, now: i64) -> Result<Option<i64>, StoreError> {
        let pool = pool.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let balance = find(sql, &pool, now, "").await?;
                Ok(balance.and_then(|balance| balance.remaining))
            })
        })
        .await
    }
}

async fn spend(
    sql: &mut dyn Sql,
    pool: &str,
    cost: i64,
    now: i64,
) -> Result<(Option<i64>, bool), StoreError> {
    let Some(balance) = balance(sql, pool, now).await? else {
        return Ok((None, true));
    };
    let Some(left) = balance.remaining else {
        return Ok((None, true));
    };
    let is_enough = cost <= left;
    let left = if is_enough { left - cost } else { left };
    if is_enough {
        let update = "UPDATE pools SET remaining = $2, refilled_at = $3 WHERE id = $1";
        sql.run(update.into(), args![pool, left, balance.refilled_at])
            .await?;
    }
    Ok((Some(left), is_enough))
}

/// Reads a balance, filled up if that is due, and keeps others from changing it meanwhile.
pub(super) async fn balance(
    sql: &mut dyn Sql,
    pool: &str,
    now: i64,
) -> Result<Option<Credits>, StoreError> {
    let lock = sql.for_update();
    find(sql, pool, now, lock).await
}

async fn find(
    sql: &mut dyn Sql,
    pool: &str,
    now: i64,
    lock: &str,
) -> Result<Option<Credits>, StoreError> {
    let query = format!(
        "SELECT remaining, refill_interval, refill_amount, refill_day, refilled_at \
         FROM pools WHERE id = $1{lock}"
    );
    let Some(mut row) = sql.row(query, args![pool]).await? else {
        return Ok(None);
    };
    let remaining = row.maybe_int()?;
    let (interval, amount, day) = (row.maybe_text()?, row.maybe_int()?, row.maybe_int()?);
    let credits = Credits {
        pool: pool.to_owned(),
        remaining,
        refill: read_refill(interval, amount, day)?,
        refilled_at: row.maybe_int()?,
    };
    Ok(Some(filled_up(credits, now)))
}

/// Returns how a balance stands at `now`, whether or not anybody has filled it up yet.
#[must_use]
pub fn filled_up(mut credits: Credits, now: i64) -> Credits {
    if let (Some(refill), Some(since)) = (&credits.refill, credits.refilled_at)
        && let Some(at) = refilled(refill, since, now)
    {
        credits.remaining = credits.remaining.map(|_| refill.amount);
        credits.refilled_at = Some(at);
    }
    credits
}

/// Makes a balance and returns its id.
pub(super) async fn insert_pool(
    sql: &mut dyn Sql,
    credits: &NewCredits,
    now: i64,
    entropy: &Entropy,
) -> Result<String, StoreError> {
    let id = new_id(IdKind::Pool, now, entropy);
    let refill = credits.refill.as_ref();
    let insert = "INSERT INTO pools (id, remaining, refill_interval, refill_amount, refill_day, \
                  refilled_at) VALUES ($1, $2, $3, $4, $5, $6)";
    let args = args![
        &id,
        credits.remaining,
        refill.map(|refill| refill.interval.as_str()),
        refill.map(|refill| refill.amount),
        refill.and_then(|refill| refill.day),
        now
    ];
    sql.run(insert.into(), args).await?;
    Ok(id)
}

/// Deletes a balance that no key has any more.
pub(super) async fn drop_pool(sql: &mut dyn Sql, pool: &str) -> Result<(), StoreError> {
    let delete = "DELETE FROM pools WHERE id = $1 \
                  AND NOT EXISTS (SELECT 1 FROM keys WHERE pool_id = $2)";
    sql.run(delete.into(), args![pool, pool]).await?;
    Ok(())
}
