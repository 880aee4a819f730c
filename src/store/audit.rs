//! The audit log: who changed what, written in the transaction of the change itself.

use serde_json::{Value as Json, json};

use super::database::{Sql, Statement};
use super::error::StoreError;
use super::value::{Value, args};
use crate::ids::Entropy;
use crate::keys::{IdKind, new_id};

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of a root key.
    RootKey(String),
    /// Somebody on the server's own machine.
    Operator,
    /// The server by itself.
    System,
}

impl Actor {
    fn to_text(&self) -> String {
        match self {
            Self::RootKey(id) => format!("root_key:{id}"),
            Self::Operator => "operator".to_owned(),
            Self::System => "system".to_owned(),
        }
    }
}

/// By whom, in which workspace and when something is changed.
#[derive(Debug, Clone)]
pub struct Audited {
    workspace: String,
    actor: Actor,
    at: i64,
    id: String,
    meta: Json,
}

impl Audited {
    /// A change by `actor` at `at`, in Unix ms.
    #[must_use]
    pub fn new(workspace: &str, actor: Actor, at: i64, entropy: &Entropy) -> Self {
        Self {
            workspace: workspace.to_owned(),
            actor,
            at,
            id: new_id(IdKind::Event, at, entropy),
            meta: json!({}),
        }
    }

    /// Returns the workspace in which something is changed.
    #[must_use]
    pub fn workspace(&self) -> &str {
        &self.workspace
    }

    /// Returns when, in Unix ms.
    #[must_use]
    pub fn at(&self) -> i64 {
        self.at
    }

    /// Adds a detail; never a secret.
    pub(super) fn detail(&mut self, name: &str, value: impl Into<Json>) {
        self.meta[name] = value.into();
    }

    /// Writes the line.
    pub(super) async fn record(
        &self,
        sql: &mut dyn Sql,
        event: &str,
        description: &str,
        targets: &[&str],
    ) -> Result<(), StoreError> {
        let (insert, args) = self.line(event, description, targets);
        sql.run(insert, args).await?;
        Ok(())
    }

    /// Returns the statement that writes the line, and its arguments.
    pub(super) fn line(
        &self,
        event: &str,
        description: &str,
        targets: &[&str],
    ) -> (Statement, Vec<Value>) {
        let insert = "INSERT INTO audit_events (id, workspace_id, at, actor, event, description, \
                      targets, meta) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let args = args![
            &self.id,
            &self.workspace,
            self.at,
            self.actor.to_text(),
            event,
            description,
            json!(targets).to_string(),
            self.meta.to_string()
        ];
        (insert.into(), args)
    }
}
