//! Workspaces: who owns APIs, keys and everything else.

use super::Store;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::value::{Row, args};
use crate::keys::{IdKind, new_id};

/// An owner of APIs and keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Whether its keys open anything.
    pub enabled: bool,
    /// How many requests its root keys may make together, in how many milliseconds.
    pub requests: Option<(i64, i64)>,
}

impl Store {
    /// Makes a workspace.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_workspace(&self, name: &str, now: i64) -> Result<Workspace, StoreError> {
        let workspace = Workspace {
            id: new_id(IdKind::Workspace, &self.entropy),
            name: name.to_owned(),
            enabled: true,
            requests: None,
        };
        let made = workspace.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let args = args![&made.id, &made.name, now];
                let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3)";
                sql.run(insert.into(), args).await?;
                Ok(())
            })
        })
        .await?;
        Ok(workspace)
    }

    /// Lists the workspaces, oldest first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.read(|sql| Box::pin(workspaces(sql))).await
    }
}

const COLUMNS: &str = "id, name, enabled, requests_limit, requests_duration";

async fn workspaces(sql: &mut dyn Sql) -> Result<Vec<Workspace>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM workspaces ORDER BY created_at, id");
    sql.all(query, args![], read_workspace).await
}

/// Finds the workspace `id`.
pub(super) async fn find_workspace(sql: &mut dyn Sql, id: &str) -> Result<Workspace, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM workspaces WHERE id = $1");
    let row = sql.row(query, args![id]).await?;
    read_workspace(&mut row.ok_or(StoreError::NotFound(Thing::Workspace))?)
}

fn read_workspace(row: &mut Row) -> Result<Workspace, StoreError> {
    Ok(Workspace {
        id: row.text()?,
        name: row.text()?,
        enabled: row.flag()?,
        requests: row.maybe_int()?.zip(row.maybe_int()?),
    })
}
