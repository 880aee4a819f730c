//! The keys that follow one another while a rotation is under way: they share one balance.

use super::database::{Sql, Touched};
use super::error::{StoreError, Thing};
use super::key_row::read_hash;
use super::value::args;
use crate::keys::Hash;

/// A key in a line of keys, each of which was rerolled to the next.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: String,
    hash: Hash,
    predecessor: Option<String>,
    successor: Option<String>,
    expires: Option<i64>,
}

impl Link {
    /// Returns the key that takes the place of this one while this one still works.
    fn next(&self, now: i64) -> Option<&String> {
        let is_past = self.expires.is_some_and(|expires| now >= expires);
        self.successor.as_ref().filter(|_| !is_past)
    }

    /// Notes that the key is verified differently from now on.
    pub(super) fn touch(&self, sql: &mut dyn Sql) {
        sql.touch(Touched::key(self.hash));
    }
}

/// Finds the key `id` and those that it replaces, or is replaced by, at `now`, and keeps others
/// from changing them until the transaction ends.
///
/// # Errors
/// [`StoreError::NotFound`] when the workspace has no such key.
pub(super) async fn lock_line(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
    now: i64,
) -> Result<Vec<Link>, StoreError> {
    let oldest = oldest(sql, workspace, id, now).await?;
    let line = lock_from(sql, workspace, &oldest, now).await?;
    if line.iter().any(|link| link.id == id) {
        return Ok(line);
    }
    // The rotation ended just before the keys were locked.
    let line = lock_from(sql, workspace, id, now).await?;
    if line.is_empty() {
        return Err(StoreError::NotFound(Thing::Key));
    }
    Ok(line)
}

/// Returns the id of the first key of the line.
async fn oldest(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
    now: i64,
) -> Result<String, StoreError> {
    let found = find(sql, workspace, id, "").await?;
    let mut first = found.ok_or(StoreError::NotFound(Thing::Key))?;
    while let Some(before) = &first.predecessor {
        match find(sql, workspace, before, "").await? {
            Some(older) if older.next(now) == Some(&first.id) => first = older,
            _ => break,
        }
    }
    Ok(first.id)
}

/// Locks a line from one key on: the oldest first, as those who reroll do.
async fn lock_from(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
    now: i64,
) -> Result<Vec<Link>, StoreError> {
    let lock = sql.for_update();
    let mut line = Vec::new();
    let mut next = Some(id.to_owned());
    while let Some(id) = next {
        let Some(link) = find(sql, workspace, &id, lock).await? else {
            break;
        };
        next = link.next(now).cloned();
        line.push(link);
    }
    Ok(line)
}

async fn find(
    sql: &mut dyn Sql,
    workspace: &str,
    id: &str,
    lock: &str,
) -> Result<Option<Link>, StoreError> {
    let query = format!(
        "SELECT id, hash, predecessor_id, successor_id, expires FROM keys \
         WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL{lock}"
    );
    let Some(mut row) = sql.row(query, args![workspace, id]).await? else {
        return Ok(None);
    };
    Ok(Some(Link {
        id: row.text()?,
        hash: read_hash(&mut row)?,
        predecessor: row.maybe_text()?,
        successor: row.maybe_text()?,
        expires: row.maybe_int()?,
    }))
}
