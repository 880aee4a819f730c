//! Freezes: spans in which nothing of an organization begins by itself.

use super::Store;
use super::audit::Audited;
use super::error::{StoreError, Thing};
use super::value::args;
use crate::keys::{IdKind, new_id};

/// A span in which nothing begins by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FreezeRow {
    /// Its id.
    pub id: String,
    /// When it begins, in Unix ms.
    pub starts_at: i64,
    /// When it is over, in Unix ms.
    pub ends_at: i64,
    /// Why.
    pub reason: String,
}

impl Store {
    /// Makes a freeze, of spans in Unix ms, in the organization in which this is audited.
    ///
    /// # Errors
    /// As the database's.
    pub async fn add_freeze(
        &self,
        starts_at: i64,
        ends_at: i64,
        reason: &str,
        by: Audited,
    ) -> Result<FreezeRow, StoreError> {
        let freeze = FreezeRow {
            id: new_id(IdKind::Freeze, by.at(), &self.entropy),
            starts_at,
            ends_at,
            reason: reason.to_owned(),
        };
        let made = freeze.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO freezes (id, workspace_id, starts_at, ends_at, reason, \
                              created_at) VALUES ($1, $2, $3, $4, $5, $6)";
                let args = args![
                    &made.id,
                    by.workspace(),
                    made.starts_at,
                    made.ends_at,
                    &made.reason,
                    by.at()
                ];
                sql.run(insert.into(), args).await?;
                let told = format!("Nothing begins by itself: {}", made.reason);
                by.record(sql, "freeze.create", &told, &[&made.id]).await
            })
        })
        .await?;
        Ok(freeze)
    }

    /// Lists the freezes of an organization that are not over at `now`, in Unix ms, by their
    /// beginnings.
    ///
    /// # Errors
    /// As the database's.
    pub async fn freezes(&self, workspace: &str, now: i64) -> Result<Vec<FreezeRow>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, starts_at, ends_at, reason FROM freezes \
                             WHERE workspace_id = $1 AND ends_at > $2 ORDER BY starts_at, id";
                sql.all(query, args![workspace, now], |row| {
                    Ok(FreezeRow {
                        id: row.text()?,
                        starts_at: row.int()?,
                        ends_at: row.int()?,
                        reason: row.text()?,
                    })
                })
                .await
            })
        })
        .await
    }

    /// Removes a freeze of the organization in which this is audited.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none of that id.
    pub async fn remove_freeze(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let delete = "DELETE FROM freezes WHERE id = $1 AND workspace_id = $2";
                if sql.run(delete.into(), args![&id, by.workspace()]).await? == 0 {
                    return Err(StoreError::NotFound(Thing::Freeze));
                }
                by.record(sql, "freeze.delete", "Removed a freeze", &[&id])
                    .await
            })
        })
        .await
    }
}
