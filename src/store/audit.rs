//! The audit log: who changed what, written in the transaction of the change itself.

use jiff::Timestamp;
use serde_json::{Value as Json, json};

use super::Store;
use super::bulk::Bulk;
use super::database::Sql;
use super::error::StoreError;
use super::page::pattern_of;
use super::value::{Row, Value, args};
use crate::ids::Entropy;
use crate::keys::{IdKind, new_id};

const COLUMNS: &str = "id, at, actor, event, description, targets, meta";

fn read_event(row: &mut Row) -> Result<AuditEvent, StoreError> {
    Ok(AuditEvent {
        id: row.text()?,
        at: row.int()?,
        actor: row.text()?,
        event: row.text()?,
        description: row.text()?,
        targets: row.maybe_json()?.unwrap_or_default(),
        meta: row.maybe_json()?.unwrap_or_default(),
    })
}

impl Store {
    /// Returns at most `limit` lines of the audit log of a workspace, the oldest first, after the
    /// line of this time and id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn audit_events(
        &self,
        workspace: &str,
        after: Option<(i64, String)>,
        limit: i64,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let workspace = workspace.to_owned();
        let (at, id) = after.unwrap_or((i64::MIN, String::new()));
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT {COLUMNS} FROM audit_events WHERE workspace_id = $1 \
                     AND (at > $2 OR (at = $2 AND id > $3)) ORDER BY at, id LIMIT $4"
                );
                let args = args![workspace, at, id, limit];
                sql.all(query, args, read_event).await
            })
        })
        .await
    }

    /// Returns at most `limit` lines of the audit log of a workspace that a filter keeps, the newest
    /// first, before the line of this time and id.
    ///
    /// # Errors
    /// As the database's.
    pub async fn newest_audit_events(
        &self,
        workspace: &str,
        filter: AuditFilter,
        before: Option<(i64, String)>,
        limit: i64,
    ) -> Result<Vec<AuditEvent>, StoreError> {
        let workspace = workspace.to_owned();
        let (at, id) = before.unwrap_or((i64::MAX, String::new()));
        let [who, what] = [filter.who, filter.what].map(|text| pattern_of(&text));
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT {COLUMNS} FROM audit_events WHERE workspace_id = $1 \
                     AND (at < $2 OR (at = $2 AND id < $3)) \
                     AND lower(actor) LIKE lower($4) ESCAPE '!' \
                     AND (lower(event) LIKE lower($5) ESCAPE '!' \
                     OR lower(description) LIKE lower($5) ESCAPE '!') \
                     ORDER BY at DESC, id DESC LIMIT $6"
                );
                let args = args![workspace, at, id, who, what, limit];
                sql.all(query, args, read_event).await
            })
        })
        .await
    }

    /// Writes a line about something that is not changed in the database.
    ///
    /// # Errors
    /// As the database's.
    pub async fn note(
        &self,
        event: &str,
        description: &str,
        targets: &[&str],
        by: Audited,
    ) -> Result<(), StoreError> {
        let line = by.values(event, description, targets);
        let insert = vec![Audited::inserts(vec![line])];
        self.write(move |sql| Box::pin(async move { sql.run_bulk(insert).await }))
            .await
    }
}

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEvent {
    /// Its id.
    pub id: String,
    /// When, in Unix ms.
    pub at: i64,
    /// Who, such as `root_key:key_1`, `person:person_1:key_2`, `operator` or `system`.
    pub actor: String,
    /// What kind of change, such as `key.reroll`.
    pub event: String,
    /// What happened, in words.
    pub description: String,
    /// The ids of what it is about.
    pub targets: Json,
    /// Details by name, such as `request`.
    pub meta: Json,
}

impl AuditEvent {
    /// Writes it as a line of JSON.
    #[must_use]
    pub fn to_json_line(&self) -> String {
        let at = Timestamp::from_millisecond(self.at).unwrap_or_default();
        let line = json!({
            "id": self.id,
            "at": format!("{at:.3}"),
            "actor": self.actor,
            "event": self.event,
            "description": self.description,
            "targets": self.targets,
            "meta": self.meta,
        });
        format!("{line}\n")
    }
}

/// Which lines of an audit log are wanted: those that have these texts in them, whatever the case
/// of their letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// In who did it.
    pub who: String,
    /// In what was done: the kind of change, or its words.
    pub what: String,
}

impl AuditFilter {
    /// Tells whether a line is wanted.
    #[must_use]
    pub fn keeps(&self, event: &AuditEvent) -> bool {
        let has = |text: &str, part: &str| text.to_lowercase().contains(&part.to_lowercase());
        let is_what = has(&event.event, &self.what) || has(&event.description, &self.what);
        has(&event.actor, &self.who) && is_what
    }
}

/// Who changes something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The holder of a root key.
    RootKey(String),
    /// A person, by one of their keys.
    Person {
        /// Who.
        id: String,
        /// Which key; none for whoever signed in with a password.
        key: Option<String>,
    },
    /// Somebody on the server's own machine.
    Operator,
    /// The server by itself.
    System,
}

impl Actor {
    fn to_text(&self) -> String {
        match self {
            Self::RootKey(id) => format!("root_key:{id}"),
            Self::Person { id, key: None } => format!("person:{id}"),
            Self::Person { id, key: Some(key) } => format!("person:{id}:{key}"),
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

    /// Says by which request it is changed.
    #[must_use]
    pub fn request(mut self, id: &str) -> Self {
        self.detail("request", id);
        self
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
        let line = self.values(event, description, targets);
        sql.run_bulk(vec![Self::inserts(vec![line])]).await
    }

    /// Returns the values of the line, for [`Audited::inserts`].
    pub(super) fn values(&self, event: &str, description: &str, targets: &[&str]) -> Vec<Value> {
        args![
            &self.id,
            &self.workspace,
            self.at,
            self.actor.to_text(),
            event,
            description,
            json!(targets).to_string(),
            self.meta.to_string()
        ]
    }

    /// Returns the statement that writes lines.
    pub(super) fn inserts(lines: Vec<Vec<Value>>) -> Bulk {
        const COLUMNS: &[&str] = &[
            "id",
            "workspace_id",
            "at",
            "actor",
            "event",
            "description",
            "targets",
            "meta",
        ];
        Bulk::insert("audit_events", COLUMNS, lines)
    }
}
