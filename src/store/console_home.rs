//! The console's own workspace, and the API in it whose keys people have.

use super::Store;
use super::apis::insert_api;
use super::database::Sql;
use super::error::StoreError;
use super::value::args;
use super::workspaces::{insert_workspace, lock_beginning};
use crate::keys::{Api, IdKind, new_id};

/// What the workspace and the API are called.
const WORKSPACE: &str = "console";
const API: &str = "accounts";
/// What people's keys begin with.
const PREFIX: &str = "convox";
/// How many random bytes they have.
const BYTES: u8 = 32;

/// Where the keys of people are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsoleHome {
    /// The workspace; no organization is in it.
    pub workspace: String,
    /// The API.
    pub api: String,
}

impl Store {
    /// Returns where the keys of people are, which is made at `now`, in Unix ms, if need be.
    ///
    /// # Errors
    /// As the database's.
    pub async fn console_home(&self, now: i64) -> Result<ConsoleHome, StoreError> {
        let found = self.read_once(|sql| Box::pin(find_home(sql)));
        if let Some(home) = found.await? {
            return Ok(home);
        }
        let workspace = self.new_workspace(WORKSPACE, now);
        let api = Api {
            id: new_id(IdKind::Api, now, &self.entropy),
            workspace: workspace.id.clone(),
            key_space: new_id(IdKind::KeySpace, now, &self.entropy),
            name: API.to_owned(),
            default_prefix: Some(PREFIX.to_owned()),
            default_bytes: BYTES,
            stores_sealed_keys: false,
            delete_protection: true,
        };
        self.write(move |sql| {
            Box::pin(async move {
                lock_beginning(sql).await?;
                if let Some(home) = find_home(sql).await? {
                    return Ok(home);
                }
                insert_workspace(sql, &workspace, now).await?;
                insert_api(sql, &api, now).await?;
                let home = ConsoleHome {
                    workspace: workspace.id,
                    api: api.id,
                };
                let insert = "INSERT INTO console (one, workspace_id, api_id) VALUES (1, $1, $2)";
                sql.run(insert.into(), args![&home.workspace, &home.api])
                    .await?;
                Ok(home)
            })
        })
        .await
    }
}

async fn find_home(sql: &mut dyn Sql) -> Result<Option<ConsoleHome>, StoreError> {
    let query = "SELECT workspace_id, api_id FROM console WHERE one = 1";
    let Some(mut row) = sql.row(query, args![]).await? else {
        return Ok(None);
    };
    Ok(Some(ConsoleHome {
        workspace: row.text()?,
        api: row.text()?,
    }))
}
