//! Requests that may be made twice and are carried out once.
//!
//! The answer of a request that carries an `Idempotency-Key` is kept for a day in the transaction
//! that it reports, sealed, since it may hold a new secret.

use super::Store;
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

impl<T> Answered<T> {
    /// Says in other words what was carried out just now.
    #[must_use]
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Answered<U> {
        match self {
            Self::Now(done) => Answered::Now(with(done)),
            Self::Before(sealed) => Answered::Before(sealed),
        }
    }
}

impl Idempotency {
    /// Keeps the answer, unless the same request was made before; then returns the sealed answer
    /// of then.
    ///
    /// Of two at once the second waits here until the first is done.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when another request had the same key.
    pub(super) async fn before(
        &self,
        sql: &mut dyn Sql,
        now: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        // One that is too old is not there any more, whether or not it was removed yet.
        let insert = "INSERT INTO idempotent_answers (root_key_id, idempotency_key, \
                      request_hash, sealed, sealed_with, expires_at) \
                      VALUES ($1, $2, $3, $4, $5, $6) \
                      ON CONFLICT (root_key_id, idempotency_key) DO UPDATE \
                      SET request_hash = excluded.request_hash, sealed = excluded.sealed, \
                      sealed_with = excluded.sealed_with, expires_at = excluded.expires_at \
                      WHERE idempotent_answers.expires_at <= $7";
        let args = args![
            &self.root_key,
            &self.key,
            self.request.as_bytes(),
            self.sealed.bytes.as_slice(),
            &self.sealed.with,
            now + KEPT,
            now
        ];
        if sql.run(insert.into(), args).await? > 0 {
            return Ok(None);
        }
        // Removed since then, it is to be tried again.
        let found = find(sql, &self.root_key, &self.key, now).await?;
        let (request, sealed) = found.ok_or(StoreError::Conflict)?;
        if request != self.request.as_bytes() {
            return Err(StoreError::Unfit(
                "the Idempotency-Key was used for another request".to_owned(),
            ));
        }
        Ok(Some(sealed))
    }
}

impl Store {
    /// Returns the sealed answer that a request of `root_key` had at most a day before `now`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn answer_of(
        &self,
        root_key: &str,
        key: &str,
        request: Hash,
        now: i64,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let (root_key, key) = (root_key.to_owned(), key.to_owned());
        self.read(move |sql| {
            Box::pin(async move {
                let found = find(sql, &root_key, &key, now).await?;
                let same = found.filter(|(hash, _)| hash == request.as_bytes());
                Ok(same.map(|(_, sealed)| sealed))
            })
        })
        .await
    }
}

/// Returns the hash of the request that had this key, and its sealed answer.
async fn find(
    sql: &mut dyn Sql,
    root_key: &str,
    key: &str,
    now: i64,
) -> Result<Option<(Vec<u8>, Vec<u8>)>, StoreError> {
    let query = "SELECT request_hash, sealed FROM idempotent_answers \
                 WHERE root_key_id = $1 AND idempotency_key = $2 AND expires_at > $3";
    match sql.row(query, args![root_key, key, now]).await? {
        Some(mut row) => Ok(Some((row.bytes()?, row.bytes()?))),
        None => Ok(None),
    }
}
