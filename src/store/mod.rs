//! What the console keeps: one set of operations, on SQLite or on PostgreSQL.
//!
//! Each operation is one transaction. The statements are in the part of SQL that both databases
//! have; `database` is all that differs between them.

mod analytics;
mod apis;
mod audit;
mod bulk;
mod console_home;
mod counted;
mod credits;
mod database;
mod error;
mod facts;
mod freezes;
mod gather;
mod idempotency;
mod identities;
mod key_credits;
mod key_delete;
mod key_grants;
mod key_list;
mod key_row;
mod key_update;
mod keys;
mod limits;
mod line;
mod links;
mod many;
mod master_keys;
mod migrations;
mod namespaces;
mod notices;
mod old_rows;
mod page;
mod peers;
mod people;
mod permissions;
mod postgres;
mod postgres_writer;
mod rack_keys;
mod racks;
mod reroll;
mod reroll_together;
mod roles;
mod roll_journal;
mod roll_work;
mod rolls;
mod root_keys;
mod schedules;
mod sessions;
mod sqlite;
mod sqlite_checkpoint;
mod sqlite_copy;
mod sqlite_writer;
mod upkeep;
mod value;
mod verifications;
mod wave_schedules;
mod waves;
mod webhooks;
mod workspaces;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::oneshot;

pub use analytics::{Bucket, Caller, Side, Uses};
pub use apis::NewApi;
pub use audit::{Actor, AuditEvent, AuditFilter, Audited};
pub use console_home::ConsoleHome;
pub use counted::Counted;
pub use credits::filled_up;
pub use database::{Memory, Touched};
pub use error::{StoreError, Thing};
pub use freezes::FreezeRow;
pub use idempotency::{Answered, Idempotency};
pub use identities::{IdentityUpdate, NewIdentity};
pub use key_update::KeyUpdate;
pub use keys::{NewCredits, NewKey, NewRateLimit};
pub use links::ListChange;
pub use master_keys::{KnownMasterKey, Sealed, SealedCount, SealedKind, SealedThing};
pub use notices::{BadNoticeEvent, Notice, NoticeEvent};
pub use page::{Page, Paged};
pub use people::{BadRole, Membership, Person, Role};
pub use permissions::NewPermission;
pub use rack_keys::RackKeyChange;
pub use racks::{BadRackKind, NewRack, RackKind, RackRecord};
pub use reroll::{MakeSecret, RerollRequest, Rerolled, SuccessorSecret};
pub use roles::NewRole;
pub use rolls::{BadRackKeyKind, Cause, NewRoll, RackKeyKind, RackRolls, RollRow};
pub use root_keys::{NewRootKey, RootReroll};
pub use schedules::{HeldSchedule, ScheduleRow};
pub use sessions::{NewSession, Session};
pub use upkeep::{Health, SealedKey, Strays};
pub use verifications::Batch;
pub use wave_schedules::{WaveSchedule, WaveScheduleRow};
pub use waves::{NewWave, WaveRack, WaveRackState, WaveRow};
pub use webhooks::{BadWebhookKind, Delivery, NewWebhook, WebhookKind, WebhookRow};
pub use workspaces::Workspace;

use crate::clock::Clock;
use crate::ids::Entropy;
use database::{Database, Doing, Queries, Sql, Task};
use gather::Gather;
use postgres::Postgres;
use reroll_together::Rerolling;
use sqlite::Sqlite;

/// Everything that the console keeps. Clones share it.
#[derive(Clone)]
pub struct Store {
    database: Arc<dyn Database>,
    entropy: Entropy,
    /// Rerolls that are asked for at once, where a turn to the database takes long beside what it
    /// does.
    rerolls: Option<Arc<Gather<Rerolling>>>,
}

impl Store {
    /// Opens the SQLite file `path`, which is made if need be.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn sqlite(path: &Path, entropy: Entropy) -> Result<Self, StoreError> {
        let database = Arc::new(Sqlite::open(path).await?);
        Ok(Self {
            database,
            entropy,
            rerolls: None,
        })
    }

    /// Connects to the PostgreSQL database at `url`.
    ///
    /// # Errors
    /// When nobody answers there.
    pub async fn postgres(url: &str, clock: Clock, entropy: Entropy) -> Result<Self, StoreError> {
        let database = Arc::new(Postgres::connect(url, clock, &entropy).await?);
        Ok(Self {
            database,
            entropy,
            rerolls: Some(Arc::default()),
        })
    }

    /// Brings the schema to the newest version.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when the database is newer than this program.
    pub async fn migrate(&self) -> Result<(), StoreError> {
        self.database.migrate().await
    }

    /// Makes sure that the schema is the one that this program knows.
    ///
    /// # Errors
    /// [`StoreError::Newer`] and [`StoreError::Older`] when it is not.
    pub async fn check(&self) -> Result<(), StoreError> {
        let (found, known) = self.database.version().await?;
        match found.cmp(&known) {
            std::cmp::Ordering::Greater => Err(StoreError::Newer { found, known }),
            std::cmp::Ordering::Less => Err(StoreError::Older { found, known }),
            std::cmp::Ordering::Equal => Ok(()),
        }
    }

    /// Returns the version of the schema, 0 for an empty database, and the newest known here.
    ///
    /// # Errors
    /// As the database's.
    pub async fn version(&self) -> Result<(i64, i64), StoreError> {
        self.database.version().await
    }

    /// Has `memory` forget whatever changes, here or on another server, before it is answered.
    ///
    /// # Errors
    /// As the database's.
    pub async fn remember_in(&self, memory: Arc<dyn Memory>) -> Result<(), StoreError> {
        self.database.memory().set(memory);
        self.database.listen().await
    }

    /// Tells whether what is remembered may be believed just now.
    #[must_use]
    pub fn may_remember(&self) -> bool {
        self.database.may_remember()
    }

    /// Names the database for a person.
    #[must_use]
    pub fn describe(&self) -> String {
        self.database.describe()
    }

    /// Lets the database go.
    pub async fn close(&self) {
        self.database.close().await;
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut dyn Sql) -> Doing<'c, T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Task::new(work, reply);
        self.database.read(Box::new(job), Queries::Several).await;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Does work that consists of one query, which needs no transaction.
    async fn read_once<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut dyn Sql) -> Doing<'c, T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Task::new(work, reply);
        self.database.read(Box::new(job), Queries::One).await;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut dyn Sql) -> Doing<'c, T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Task::new(work, reply);
        self.database.write(Box::new(job)).await;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Does work that changes a few rows and does not last, if need be in one transaction with
    /// what others do at the same time.
    async fn write_together<T: Send + 'static>(
        &self,
        work: impl for<'c> FnOnce(&'c mut dyn Sql) -> Doing<'c, T> + Clone + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Task::new(work, reply);
        self.database.write_together(Box::new(job)).await;
        answer.await.map_err(|_| StoreError::Closed)?
    }
}
