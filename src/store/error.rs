//! What can go wrong in the store.

use std::sync::Arc;

use sqlx::error::DatabaseError;

use crate::keys::RerollRefusal;

/// Why the store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// There is no such thing, or it is not this workspace's.
    #[error("{0} not found")]
    NotFound(Thing),
    /// There is none of that name.
    #[error("{0} '{1}' not found")]
    NotFoundCalled(Thing, String),
    /// There is one already.
    #[error("{0} exists already")]
    Exists(Thing),
    /// The thing must not be deleted.
    #[error("{0} is protected")]
    Protected(Thing),
    /// A key is not rerolled.
    #[error(transparent)]
    Refused(#[from] RerollRefusal),
    /// Whoever asked does not want it, now that they know what is there.
    #[error("{0}")]
    Declined(Arc<dyn std::error::Error + Send + Sync>),
    /// The request does not fit what is there.
    #[error("{0}")]
    Unfit(String),
    /// The database holds what no version of this program has written.
    #[error("the database holds something unexpected: {0}")]
    Shape(&'static str),
    /// The database was written by a newer version of this program.
    #[error("the database has version {found}, and this program knows {known}")]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest that is known here.
        known: i64,
    },
    /// The database was never prepared, or by an older version.
    #[error("the database has version {found}, and this program needs {known}")]
    Older {
        /// The version of the database; 0 for an empty one.
        found: i64,
        /// The version that is needed.
        known: i64,
    },
    /// A server runs on this file already, and there may be only one.
    #[error("another server has the database already")]
    Taken,
    /// There is a file already where one is to be made.
    #[error("{0} exists already")]
    FileExists(String),
    /// What is to be read is no database of this program, or broken.
    #[error("{0}")]
    Broken(String),
    /// PostgreSQL has programs of its own for that.
    #[error("a PostgreSQL database is not backed up by this program")]
    OfPostgres,
    /// Somebody else has just made the same, deleted what was needed, or waited for the same.
    #[error("somebody else has just changed the same")]
    Conflict,
    /// A row refers to another that is not there, such as to a master key that is gone.
    #[error("the database failed: what is referred to is not there ({0})")]
    Dangling(String),
    /// The database does not do what it should.
    #[error("the database failed: {0}")]
    Database(String),
    /// A query was stopped, since it took too long.
    #[error("the query took too long")]
    TimedOut,
    /// A sum has more than 64 bits.
    #[error("a sum is larger than {}", i64::MAX)]
    TooLarge,
    /// The server is about to stop.
    #[error("the store is closed")]
    Closed,
}

/// What something is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Thing {
    /// An API.
    Api,
    /// A key.
    Key,
    /// An identity.
    Identity,
    /// A permission.
    Permission,
    /// A role.
    Role,
    /// A root key.
    RootKey,
    /// A workspace.
    Workspace,
    /// Somebody who may call the console.
    Person,
    /// A rack that the console knows.
    Rack,
    /// A roll of a rack's key.
    Roll,
    /// A span in which nothing begins by itself.
    Freeze,
    /// Rolls of many racks.
    Wave,
    /// Somebody who is told of events.
    Webhook,
}

impl Thing {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "API",
            Self::Key => "key",
            Self::Identity => "identity",
            Self::Permission => "permission",
            Self::Role => "role",
            Self::RootKey => "root key",
            Self::Workspace => "workspace",
            Self::Person => "person",
            Self::Rack => "rack",
            Self::Roll => "roll",
            Self::Freeze => "freeze",
            Self::Wave => "wave",
            Self::Webhook => "webhook",
        }
    }
}

impl std::fmt::Display for Thing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => Self::Closed,
            sqlx::Error::Database(inner) if inner.is_unique_violation() => Self::Conflict,
            sqlx::Error::Database(inner) if is_about_master_keys(inner.as_ref()) => {
                Self::Dangling(inner.constraint().unwrap_or("no name").to_owned())
            }
            sqlx::Error::Database(inner) if is_crossed(inner.code().as_deref()) => Self::Conflict,
            sqlx::Error::Database(inner) if is_stopped(inner.code().as_deref()) => Self::TimedOut,
            sqlx::Error::Database(inner) if is_too_large(inner.as_ref()) => Self::TooLarge,
            // The text may quote values; a constraint's name says enough.
            sqlx::Error::Database(inner) => {
                let constraint = inner.constraint().map(|name| format!(" ({name})"));
                let code = inner.code().unwrap_or_default();
                Self::Database(format!(
                    "{:?}{} [{code}]",
                    inner.kind(),
                    constraint.unwrap_or_default()
                ))
            }
            _ => Self::Database(error.to_string()),
        }
    }
}

/// Tells the codes of what only another transaction can have caused. PostgreSQL's
/// `foreign_key_violation`: what was found a moment ago is gone; `serialization_failure` and
/// `deadlock_detected`.
fn is_crossed(code: Option<&str>) -> bool {
    matches!(code, Some("23503" | "40001" | "40P01"))
}

/// Tells that a row refers to a master key that is not there. SQLite does not say to what, but has
/// one writer, so that nothing else goes between two statements.
fn is_about_master_keys(error: &dyn DatabaseError) -> bool {
    let constraint = error.constraint().unwrap_or("sealed_with");
    error.is_foreign_key_violation() && constraint.contains("sealed_with")
}

/// Tells the code of a query that was stopped: PostgreSQL's `query_canceled`, SQLite's
/// `SQLITE_INTERRUPT`.
fn is_stopped(code: Option<&str>) -> bool {
    matches!(code, Some("57014" | "9"))
}

/// Tells PostgreSQL's `numeric_value_out_of_range`, and what SQLite says of a sum, which has no code
/// of its own.
fn is_too_large(error: &dyn DatabaseError) -> bool {
    error.code().as_deref() == Some("22003") || error.message() == "integer overflow"
}
