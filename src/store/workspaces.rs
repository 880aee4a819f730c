//! Workspaces: who owns APIs, keys and everything else.

use super::Store;
use super::audit::{Actor, Audited};
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::root_keys::{NewRootKey, insert_root_key};
use super::value::{Row, args};
use crate::keys::{IdKind, Rotation, new_id};

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
        let workspace = self.new_workspace(name, now);
        let made = workspace.clone();
        self.write(move |sql| Box::pin(async move { insert_workspace(sql, &made, now).await }))
            .await?;
        Ok(workspace)
    }

    /// Makes the first workspace and a root key of it, both or neither; none if there is a
    /// workspace already.
    ///
    /// # Errors
    /// As the database's. Then nothing is made.
    pub async fn create_first_workspace(
        &self,
        name: &str,
        root: NewRootKey,
        now: i64,
    ) -> Result<Option<Workspace>, StoreError> {
        let made = self.new_workspace(name, now);
        let by = Audited::new(&made.id, Actor::Operator, now, &self.entropy);
        self.write(move |sql| {
            Box::pin(async move {
                lock_beginning(sql).await?;
                if !workspaces(sql).await?.is_empty() {
                    return Ok(None);
                }
                insert_workspace(sql, &made, now).await?;
                insert_root_key(sql, &root, &Rotation::default(), &by).await?;
                let told = format!("Created root key {}", root.id);
                by.record(sql, "root_key.create", &told, &[&root.id])
                    .await?;
                Ok(Some(made))
            })
        })
        .await
    }

    pub(super) fn new_workspace(&self, name: &str, now: i64) -> Workspace {
        Workspace {
            id: new_id(IdKind::Workspace, now, &self.entropy),
            name: name.to_owned(),
            enabled: true,
            requests: None,
        }
    }

    /// Lists the workspaces but for the console's own, oldest first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn workspaces(&self) -> Result<Vec<Workspace>, StoreError> {
        self.read(|sql| Box::pin(workspaces(sql))).await
    }
}

const COLUMNS: &str = "id, name, enabled, requests_limit, requests_duration";

/// Keeps others from making what there is once, until the transaction ends.
///
/// There is nothing of its own to lock yet: this row is in every database.
pub(super) async fn lock_beginning(sql: &mut dyn Sql) -> Result<(), StoreError> {
    let lock = format!(
        "SELECT version FROM _sqlx_migrations ORDER BY version LIMIT 1{}",
        sql.for_update()
    );
    sql.row(lock, args![]).await.map(drop)
}

pub(super) async fn insert_workspace(
    sql: &mut dyn Sql,
    made: &Workspace,
    now: i64,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO workspaces (id, name, created_at) VALUES ($1, $2, $3)";
    let args = args![&made.id, &made.name, now];
    sql.run(insert.into(), args).await?;
    Ok(())
}

async fn workspaces(sql: &mut dyn Sql) -> Result<Vec<Workspace>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM workspaces \
         WHERE id NOT IN (SELECT workspace_id FROM console) ORDER BY created_at, id"
    );
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
