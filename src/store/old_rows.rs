//! Removes what is not kept any longer, a little at a time so that nobody waits for it.

use super::Store;
use super::error::StoreError;
use super::value::args;
use crate::keys::analytics::EVENTS_KEPT;

/// How many rows are removed in one transaction, unless more are of the same millisecond.
const AT_ONCE: i64 = 1000;

impl Store {
    /// Removes single verifications that are older than 30 days at `now`, in Unix ms.
    ///
    /// # Errors
    /// As the database's. What was removed until then stays removed.
    pub async fn remove_old_verifications(&self, now: i64) -> Result<(), StoreError> {
        while self
            .remove_before(&VERIFICATIONS, now - EVENTS_KEPT)
            .await?
        {}
        Ok(())
    }

    /// Removes the answers of requests that are too old to be repeated at `now`, in Unix ms.
    ///
    /// # Errors
    /// As the database's. What was removed until then stays removed.
    pub async fn remove_old_answers(&self, now: i64) -> Result<(), StoreError> {
        while self.remove_before(&ANSWERS, now + 1).await? {}
        Ok(())
    }

    /// Removes the oldest rows of a table that are older than `end`; tells whether there are more.
    async fn remove_before(&self, of: &'static Ageing, end: i64) -> Result<bool, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let last = sql.row(of.last, args![end, AT_ONCE - 1]).await?;
                let last = last.map(|mut row| row.int()).transpose()?;
                let until = last.unwrap_or(end - 1);
                sql.run(of.remove.into(), args![until]).await?;
                Ok(last.is_some())
            })
        })
        .await
    }
}

/// A table whose rows grow old.
struct Ageing {
    /// Finds the time of the last one to remove, if there are more than a few.
    last: &'static str,
    remove: &'static str,
}

static VERIFICATIONS: Ageing = Ageing {
    last: "SELECT time FROM verifications WHERE time < $1 ORDER BY time LIMIT 1 OFFSET $2",
    remove: "DELETE FROM verifications WHERE time <= $1",
};

static ANSWERS: Ageing = Ageing {
    last: "SELECT expires_at FROM idempotent_answers WHERE expires_at < $1 \
           ORDER BY expires_at LIMIT 1 OFFSET $2",
    remove: "DELETE FROM idempotent_answers WHERE expires_at <= $1",
};
