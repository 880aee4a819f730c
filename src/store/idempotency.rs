//! Requests that may be made twice and are carried out once.
//!
//! The answer of a request that carries an `Idempotency-Key` is kept for a day in the transaction
//! that it reports, sealed, since it may hold a new secret.

use super::database::Sql;
use super::error::StoreError;
use super::master_keys::Sealed;
use super::value::args;
use crate::keys::Hash;

/// For how long an answer is kept, in ms.
const KEPT: i64 = 24 * 60 * 60 * 1000;

/// What a request says about itself so that it is known again.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// Who asks.
    pub root_key: String,
    /// The `Idempotency-Key` header.
    pub key: String,
    /// The hash of the operation and its body.
    pub request: Hash,
    /// The sealed answer, if this is the first time.
    pub sealed: Sealed,
}

/// How an operation that may be repeated was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered<T> {
    /// It was carried out just now.
    Now(T),
    /// It was carried out before; this is the answer of then, sealed.
    Before(Vec<u8>),
}

impl Idempotency {
    /// Returns the sealed answer of the same request, if it was made before.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when another request had the same key.
    pub(super) async fn before(
        &self,
        sql: &mut dyn Sql,
        now: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let query = "SELECT request_hash, sealed FROM idempotent_answers \
                     WHERE root_key_id = $1 AND idempotency_key = $2 AND expires_at > $3";
        let args = args![&self.root_key, &self.key, now];
        let Some(mut row) = sql.row(query, args).await? else {
            return Ok(None);
        };
        if row.bytes()? != self.request.as_bytes() {
            return Err(StoreError::Unfit(
                "the Idempotency-Key was used for another request".to_owned(),
            ));
        }
        Ok(Some(row.bytes()?))
    }

    /// Keeps the answer.
    pub(super) async fn keep(&self, sql: &mut dyn Sql, now: i64) -> Result<(), StoreError> {
        let forget = "DELETE FROM idempotent_answers WHERE expires_at <= $1";
        sql.run(forget.into(), args![now]).await?;
        let insert = "INSERT INTO idempotent_answers (root_key_id, idempotency_key, \
                      request_hash, sealed, sealed_with, expires_at) \
                      VALUES ($1, $2, $3, $4, $5, $6)";
        let args = args![
            &self.root_key,
            &self.key,
            self.request.as_bytes(),
            self.sealed.bytes.as_slice(),
            &self.sealed.with,
            now + KEPT
        ];
        sql.run(insert.into(), args).await?;
        Ok(())
    }
}
