//! Putting other rate limits in the place of those that a key or an identity has.

use super::database::Sql;
use super::error::StoreError;
use super::key_row::ratelimits;
use super::keys::{NewRateLimit, insert_ratelimit};
use super::value::args;
use crate::ids::Entropy;

/// Leaves `id` with the limits `limits` and no others; `owner` is `key_id` or `identity_id`.
///
/// A limit that keeps its name stays the same one: what was used of it counts on, unless its
/// duration is another one.
pub(super) async fn replace_ratelimits(
    sql: &mut dyn Sql,
    owner: &'static str,
    id: &str,
    limits: &[NewRateLimit],
    now: i64,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let before = ratelimits(sql, owner, id).await?;
    for old in &before {
        if !limits.iter().any(|limit| limit.name == old.name) {
            let delete = "DELETE FROM ratelimits WHERE id = $1";
            sql.run(delete.into(), args![&old.id]).await?;
        }
    }
    for limit in limits {
        match before.iter().find(|old| old.name == limit.name) {
            None => insert_ratelimit(sql, owner, id, limit, now, entropy).await?,
            Some(old) => {
                let update = "UPDATE ratelimits SET max_uses = $2, duration = $3, \
                              auto_apply = $4 WHERE id = $1";
                let args = args![&old.id, limit.limit, limit.duration, limit.auto_apply];
                sql.run(update.into(), args).await?;
            }
        }
    }
    Ok(())
}
