//! The racks that the console knows, by organization and name.

use std::fmt;
use std::str::FromStr;

use serde_json::Value as Json;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::master_keys::Sealed;
use super::schedules;
use super::value::{Row, Value, args};
use crate::keys::{IdKind, new_id};

/// How the console reaches a rack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RackKind {
    /// In its AWS account.
    Aws,
    /// In the account of this machine's sandbox.
    Sandbox,
    /// Over its own HTTP API, with its password.
    Api,
}

impl RackKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Aws, Self::Sandbox, Self::Api];

    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::Sandbox => "sandbox",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for RackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no kind of rack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of rack (aws, sandbox, api)")]
pub struct BadRackKind(String);

impl FromStr for RackKind {
    type Err = BadRackKind;

    fn from_str(text: &str) -> Result<Self, BadRackKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| BadRackKind(text.to_owned()))
    }
}

/// A rack to be known from now on.
#[derive(Debug, Clone)]
pub struct NewRack {
    /// Its id.
    pub id: String,
    /// Its name within the organization.
    pub name: String,
    /// How it is reached.
    pub kind: RackKind,
    /// What else has to be known to reach it; no secret.
    pub settings: Json,
    /// The key of its API, sealed.
    pub password: Option<Sealed>,
}

/// A rack that the console knows.
#[derive(Debug, Clone, PartialEq)]
pub struct RackRecord {
    /// Its id.
    pub id: String,
    /// The organization's workspace.
    pub workspace: String,
    /// What the organization is called.
    pub organization: String,
    /// Its name within the organization.
    pub name: String,
    /// How it is reached.
    pub kind: RackKind,
    /// What else has to be known to reach it.
    pub settings: Json,
    /// The key of its API, sealed.
    pub password: Option<Vec<u8>>,
    /// The key that a roll is about to set, sealed, and the roll.
    pub next: Option<(Vec<u8>, String)>,
    /// When it came, in Unix ms.
    pub created_at: i64,
}

impl RackRecord {
    /// Returns the name by which clients choose it, such as `acme/prod`.
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.organization, self.name)
    }
}

const COLUMNS: &str = "r.id, r.workspace_id, w.name, r.name, r.kind, r.settings, r.password, \
     r.next_password, r.next_roll, r.created_at";

impl Store {
    /// Makes a rack known in the organization in which this is audited.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the organization has a rack of that name.
    pub async fn create_rack(&self, new: NewRack, by: Audited) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let insert = "INSERT INTO racks (id, workspace_id, name, kind, settings, \
                              password, password_sealed_with, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                              ON CONFLICT (workspace_id, name) WHERE deleted_at IS NULL DO NOTHING";
                let password = new.password.clone();
                let args = args![
                    &new.id,
                    by.workspace(),
                    &new.name,
                    new.kind.as_str(),
                    new.settings.to_string(),
                    password.as_ref().map(|sealed| sealed.bytes.clone()),
                    password.map(|sealed| sealed.with),
                    by.at()
                ];
                if sql.run(insert.into(), args).await? == 0 {
                    return Err(StoreError::Exists(Thing::Rack));
                }
                let told = format!("Added rack {} ({})", new.name, new.kind);
                by.record(sql, "rack.create", &told, &[&new.id]).await
            })
        })
        .await
    }

    /// Makes an id for a rack at `now`, in Unix ms.
    #[must_use]
    pub fn new_rack_id(&self, now: i64) -> String {
        new_id(IdKind::Rack, now, &self.entropy)
    }

    /// Lists the racks of an organization, by name.
    ///
    /// # Errors
    /// As the database's.
    pub async fn racks(&self, workspace: &str) -> Result<Vec<RackRecord>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let condition = "r.workspace_id = $1 ORDER BY r.name";
                find_racks(sql, condition, args![workspace]).await
            })
        })
        .await
    }

    /// Returns the rack of that name of an organization.
    ///
    /// # Errors
    /// [`StoreError::NotFoundCalled`] when it has none such.
    pub async fn rack_called(&self, workspace: &str, name: &str) -> Result<RackRecord, StoreError> {
        let (workspace, name) = (workspace.to_owned(), name.to_owned());
        self.read_once(move |sql| {
            Box::pin(async move {
                let condition = "r.workspace_id = $1 AND r.name = $2";
                let found = find_racks(sql, condition, args![workspace, &name]).await?;
                let found = found.into_iter().next();
                found.ok_or(StoreError::NotFoundCalled(Thing::Rack, name))
            })
        })
        .await
    }

    /// Returns the rack of that id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none such.
    pub async fn rack(&self, id: &str) -> Result<RackRecord, StoreError> {
        let id = id.to_owned();
        self.read_once(move |sql| Box::pin(async move { rack_of(sql, &id).await }))
            .await
    }

    /// Says anew how a rack is reached, and with which key of its API if that is another.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such rack, [`StoreError::Unfit`] while one of its
    /// keys is being rolled.
    pub async fn change_rack(
        &self,
        id: &str,
        settings: Json,
        password: Option<Sealed>,
        by: Audited,
    ) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let rack = lock_at_rest(sql, &id).await?;
                let update = "UPDATE racks SET settings = $2 WHERE id = $1";
                sql.run(update.into(), args![&id, settings.to_string()])
                    .await?;
                if let Some(sealed) = password {
                    // What a roll has left staged was for the one before.
                    let update = "UPDATE racks SET password = $2, password_sealed_with = $3, \
                                  next_password = NULL, next_sealed_with = NULL, \
                                  next_roll = NULL WHERE id = $1";
                    sql.run(update.into(), args![&id, sealed.bytes, sealed.with])
                        .await?;
                }
                let told = format!("Changed how rack {} is reached", rack.name);
                by.record(sql, "rack.change", &told, &[&id]).await
            })
        })
        .await
    }

    /// Forgets a rack; the rack itself stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such rack, [`StoreError::Unfit`] while one of its
    /// keys is being rolled.
    pub async fn forget_rack(&self, id: &str, by: Audited) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let rack = lock_at_rest(sql, &id).await?;
                let delete = "UPDATE racks SET deleted_at = $2, password = NULL, \
                              password_sealed_with = NULL, next_password = NULL, \
                              next_sealed_with = NULL, next_roll = NULL WHERE id = $1";
                sql.run(delete.into(), args![&id, by.at()]).await?;
                schedules::forget(sql, &id).await?;
                let told = format!("Forgot rack {}", rack.name);
                by.record(sql, "rack.delete", &told, &[&id]).await
            })
        })
        .await
    }
}

/// Keeps others from changing a rack's record, none of whose keys is being rolled.
async fn lock_at_rest(sql: &mut dyn Sql, id: &str) -> Result<RackRecord, StoreError> {
    let lock = format!("SELECT id FROM racks WHERE id = $1{}", sql.for_update());
    sql.row(lock, args![id]).await?;
    let rack = rack_of(sql, id).await?;
    let rolling = "SELECT id FROM rolls WHERE rack_id = $1 AND ended_at IS NULL";
    match sql.row(rolling, args![id]).await? {
        Some(mut row) => {
            let told = format!("roll {} of the rack is under way", row.text()?);
            Err(StoreError::Unfit(told))
        }
        None => Ok(rack),
    }
}

pub(super) async fn rack_of(sql: &mut dyn Sql, id: &str) -> Result<RackRecord, StoreError> {
    let found = find_racks(sql, "r.id = $1", args![id]).await?;
    let found = found.into_iter().next();
    found.ok_or(StoreError::NotFound(Thing::Rack))
}

async fn find_racks(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Vec<RackRecord>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM racks r JOIN workspaces w ON w.id = r.workspace_id \
         WHERE r.deleted_at IS NULL AND {condition}"
    );
    sql.all(query, args, read_rack).await
}

fn read_rack(row: &mut Row) -> Result<RackRecord, StoreError> {
    Ok(RackRecord {
        id: row.text()?,
        workspace: row.text()?,
        organization: row.text()?,
        name: row.text()?,
        kind: row
            .text()?
            .parse()
            .map_err(|_| StoreError::Shape("a kind of rack"))?,
        settings: serde_json::from_str(&row.text()?)
            .map_err(|_| StoreError::Shape("settings of a rack"))?,
        password: row.maybe_bytes()?,
        next: row.maybe_bytes()?.zip(row.maybe_text()?),
        created_at: row.int()?,
    })
}
