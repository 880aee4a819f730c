//! Namespaces of rate limits: what `ratelimit.limit` counts in.

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::StoreError;
use super::value::args;
use crate::keys::{IdKind, new_id};

impl Store {
    /// Returns the id of the namespace `name` of a workspace, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn namespace(
        &self,
        workspace: &str,
        name: &str,
    ) -> Result<Option<String>, StoreError> {
        let (workspace, name) = (workspace.to_owned(), name.to_owned());
        self.read(move |sql| Box::pin(async move { find(sql, &workspace, &name).await }))
            .await
    }

    /// Makes the namespace `name`, unless somebody else just did, and returns its id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn create_namespace(&self, name: &str, by: Audited) -> Result<String, StoreError> {
        let id = new_id(IdKind::Namespace, by.at(), &self.entropy);
        let name = name.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO ratelimit_namespaces (id, workspace_id, name, \
                              created_at) VALUES ($1, $2, $3, $4) \
                              ON CONFLICT (workspace_id, name) DO NOTHING";
                let args = args![&id, by.workspace(), &name, by.at()];
                if sql.run(insert.into(), args).await? > 0 {
                    let told = format!("Created namespace {id}");
                    by.record(sql, "ratelimit_namespace.create", &told, &[&id])
                        .await?;
                }
                let found = find(sql, by.workspace(), &name).await?;
                found.ok_or(StoreError::Conflict)
            })
        })
        .await
    }
}

async fn find(
    sql: &mut dyn Sql,
    workspace: &str,
    name: &str,
) -> Result<Option<String>, StoreError> {
    let query = "SELECT id FROM ratelimit_namespaces WHERE workspace_id = $1 AND name = $2";
    match sql.row(query, args![workspace, name]).await? {
        Some(mut row) => Ok(Some(row.text()?)),
        None => Ok(None),
    }
}
