//! What keys and roles have: rows that say that one thing has another.

use super::database::{Sql, Touched};
use super::error::StoreError;
use super::key_row::read_hash;
use super::value::{Value, args};

/// A table of pairs.
pub(super) struct Links {
    table: &'static str,
    owner: &'static str,
    thing: &'static str,
    things: &'static str,
}

impl Links {
    /// Returns the table, and its column that says who has something.
    pub(super) fn owners(&self) -> (&'static str, &'static str) {
        (self.table, self.owner)
    }
}

/// The permissions that keys were given directly.
pub(super) const KEY_PERMISSIONS: Links = Links {
    table: "keys_permissions",
    owner: "key_id",
    thing: "permission_id",
    things: "permissions",
};

/// The roles of keys.
pub(super) const KEY_ROLES: Links = Links {
    table: "keys_roles",
    owner: "key_id",
    thing: "role_id",
    things: "roles",
};

/// The permissions of roles.
pub(super) const ROLE_PERMISSIONS: Links = Links {
    table: "roles_permissions",
    owner: "role_id",
    thing: "permission_id",
    things: "permissions",
};

/// How a list changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListChange {
    /// It has these too.
    Add,
    /// It has these and no others.
    Set,
    /// It has these no more.
    Remove,
}

impl ListChange {
    /// Returns the word for it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Set => "set",
            Self::Remove => "remove",
        }
    }
}

impl Links {
    /// Changes what `owner` has by the things with the ids `ids`.
    pub(super) async fn change(
        &self,
        sql: &mut dyn Sql,
        change: ListChange,
        owner: &str,
        ids: &[String],
    ) -> Result<(), StoreError> {
        match change {
            ListChange::Add => self.add(sql, owner, ids).await,
            ListChange::Remove => self.remove(sql, owner, ids).await,
            ListChange::Set => {
                self.keep(sql, owner, ids).await?;
                self.add(sql, owner, ids).await
            }
        }
    }

    /// Takes away whatever is not among `ids`, and leaves the rest alone.
    async fn keep(&self, sql: &mut dyn Sql, owner: &str, ids: &[String]) -> Result<(), StoreError> {
        let mut delete = format!("DELETE FROM {} WHERE {} = $1", self.table, self.owner);
        if !ids.is_empty() {
            let places = places(2, ids.len());
            delete.push_str(&format!(" AND {} NOT IN ({places})", self.thing));
        }
        sql.run(delete.into(), with(args![owner], ids)).await?;
        Ok(())
    }

    async fn add(&self, sql: &mut dyn Sql, owner: &str, ids: &[String]) -> Result<(), StoreError> {
        if ids.is_empty() {
            return Ok(());
        }
        // Always in the same order, so that no two transactions wait for each other.
        let insert = format!(
            "INSERT INTO {} ({}, {}) SELECT $1, id FROM {} WHERE id IN ({}) ORDER BY id \
             ON CONFLICT DO NOTHING",
            self.table,
            self.owner,
            self.thing,
            self.things,
            places(2, ids.len())
        );
        sql.run(insert.into(), with(args![owner], ids)).await?;
        Ok(())
    }

    async fn remove(
        &self,
        sql: &mut dyn Sql,
        owner: &str,
        ids: &[String],
    ) -> Result<(), StoreError> {
        let delete = format!(
            "DELETE FROM {} WHERE {} = $1 AND {} IN ({})",
            self.table,
            self.owner,
            self.thing,
            places(2, ids.len())
        );
        sql.run(delete.into(), with(args![owner], ids)).await?;
        Ok(())
    }
}

/// Writes the places of `count` arguments, the first of which is the `first`th: `$2, $3, $4`.
/// Without any it is a list that nothing is in.
pub(super) fn places(first: usize, count: usize) -> String {
    if count == 0 {
        return "NULL".to_owned();
    }
    let places: Vec<_> = (first..first + count).map(|at| format!("${at}")).collect();
    places.join(", ")
}

/// Adds texts to the arguments of a statement.
pub(super) fn with<'a>(
    mut args: Vec<Value>,
    more: impl IntoIterator<Item = &'a String>,
) -> Vec<Value> {
    args.extend(more.into_iter().map(Value::from));
    args
}

/// Notes that the keys that satisfy `condition` on `k` are verified differently from now on.
///
/// Whatever they have in common must be locked, so that no other key comes to have it unseen.
pub(super) async fn touch_keys(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<(), StoreError> {
    // One more than are told one by one stands for all.
    let most = Touched::MOST + 1;
    let query = format!(
        "SELECT k.hash FROM keys k WHERE k.deleted_at IS NULL AND ({condition}) LIMIT {most}"
    );
    let hashes = sql.all(query, args, read_hash).await?;
    sql.touch(Touched::Keys(hashes.into_iter().collect()));
    Ok(())
}
