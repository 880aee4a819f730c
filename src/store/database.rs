//! What the store needs of a database. There are two: SQLite and PostgreSQL.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::oneshot;

use super::bulk::Bulk;
use super::error::StoreError;
use super::upkeep::Health;
use super::value::{Row, Value};
use crate::keys::Hash;

/// A statement: its text, which is written in this program and holds no value.
pub type Statement = Cow<'static, str>;

/// A connection on which statements run one after the other.
///
/// The statements are in the part of SQL that both databases have; arguments are `$1`, `$2`.
#[async_trait]
pub trait Sql: Send {
    /// Runs a statement and returns how many rows it changed.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a row is there already that must be there once.
    async fn run(&mut self, statement: Statement, args: Vec<Value>) -> Result<u64, StoreError>;

    /// Runs statements that are given rows, none of which needs to see what another one of them
    /// changes, in as few turns as the database allows; leaves out those that are given none.
    ///
    /// # Errors
    /// As [`Sql::run`]'s.
    async fn run_bulk(&mut self, statements: Vec<Bulk>) -> Result<(), StoreError>;

    /// Runs a query and returns its rows.
    ///
    /// # Errors
    /// As the database's.
    async fn rows(
        &mut self,
        statement: Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError>;

    /// Runs a query that is given rows, and returns its own; none when it is given none.
    ///
    /// # Errors
    /// As the database's.
    async fn rows_of_bulk(&mut self, query: Bulk) -> Result<Vec<Row>, StoreError>;

    /// Tells whether anybody else may change something before the end, so that what must stay as
    /// it is is to be locked.
    fn locks(&self) -> bool;

    /// Returns how a statement of many arguments, which come in order, names the one with this
    /// number. SQLite looks for the name of each, unless there are none.
    fn place(&self, number: usize) -> Cow<'static, str>;

    /// Returns what to write after a `SELECT` whose rows nobody else may change before the end.
    fn for_update(&self) -> &'static str;

    /// Returns what to write after a `SELECT` of rows that nobody else is changing just now, and
    /// that nobody else may change before the end.
    fn for_update_of_the_free(&self) -> &'static str;

    /// Returns what to write after a `SELECT` whose rows others may rely on too, but nobody may
    /// change before the end.
    fn for_share(&self) -> &'static str;

    /// Has whatever comes next on this connection fail with [`StoreError::TimedOut`] once it has
    /// taken `span`.
    ///
    /// # Errors
    /// As the database's.
    async fn stop_after(&mut self, span: Duration) -> Result<(), StoreError>;

    /// Notes whose verification changes when this is committed.
    fn touch(&mut self, touched: Touched);
}

impl dyn Sql + '_ {
    /// Runs a query and returns its first row, if it has one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn row(
        &mut self,
        statement: impl Into<Statement> + Send,
        args: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        let rows = self.rows(statement.into(), args).await?;
        Ok(rows.into_iter().next())
    }

    /// Runs a query, and reads each of its rows.
    ///
    /// # Errors
    /// As the database's, or `read`'s.
    pub async fn all<T>(
        &mut self,
        statement: impl Into<Statement> + Send,
        args: Vec<Value>,
        read: impl Fn(&mut Row) -> Result<T, StoreError> + Send,
    ) -> Result<Vec<T>, StoreError> {
        let mut rows = self.rows(statement.into(), args).await?;
        rows.iter_mut().map(read).collect()
    }
}

/// Keys that are verified differently from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Touched {
    /// These, and nobody else.
    Keys(BTreeSet<Hash>),
    /// So many that all are to be looked up anew.
    All,
}

impl Default for Touched {
    fn default() -> Self {
        Self::Keys(BTreeSet::new())
    }
}

impl Touched {
    /// More keys than this are said to be all of them.
    pub(super) const MOST: usize = 1000;

    /// One key.
    #[must_use]
    pub fn key(hash: Hash) -> Self {
        Self::Keys(BTreeSet::from([hash]))
    }

    /// Tells whether it is nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!(self, Self::Keys(keys) if keys.is_empty())
    }

    /// Takes in what else is touched.
    pub fn merge(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Keys(keys), Self::Keys(others)) => {
                keys.extend(others);
                if keys.len() > Self::MOST {
                    *self = Self::All;
                }
            }
            (_, Self::All) => *self = Self::All,
            (Self::All, _) => {}
        }
    }
}

/// Somebody who remembers how keys are verified, and must forget it before a change is answered.
pub trait Memory: Send + Sync {
    /// Forgets what is touched; what is being looked up just now must not be remembered either.
    fn forget(&self, touched: &Touched);
}

/// The one memory of a server, once there is one.
#[derive(Clone, Default)]
pub struct MemorySlot(Arc<OnceLock<Arc<dyn Memory>>>);

impl MemorySlot {
    /// Puts the memory in its place, once.
    pub fn set(&self, memory: Arc<dyn Memory>) {
        let _ = self.0.set(memory);
    }

    /// Has it forget.
    pub fn forget(&self, touched: &Touched) {
        if let Some(memory) = self.0.get().filter(|_| !touched.is_empty()) {
            memory.forget(touched);
        }
    }
}

/// How many queries a job that reads consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Queries {
    /// One, or one at a time that need not see the same.
    One,
    /// Several, which see the same.
    Several,
}

/// What a piece of work on a connection comes to.
pub type Doing<'c, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'c>>;

/// Work whose result somebody waits for elsewhere; how both databases see it.
#[async_trait]
pub trait Job: Send {
    /// Does the work, all of it from the beginning if it was run before.
    async fn run(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError>;
    /// Hands over the result, now that it is committed or is not.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);
}

/// A database.
#[async_trait]
pub trait Database: Send + Sync {
    /// Runs a job that only reads.
    async fn read(&self, job: Box<dyn Job>, queries: Queries);
    /// Runs a job in a transaction: all of it or nothing, on the disk when it is answered, and
    /// forgotten by every memory that it touches. A job that another transaction crossed is run
    /// again.
    async fn write(&self, job: Box<dyn Job>);
    /// Does the same for a job that changes a few rows and does not last: it may be committed with
    /// others that wait, and then they wait for each other.
    async fn write_together(&self, job: Box<dyn Job>);
    /// Tells whether what is remembered may be believed just now.
    fn may_remember(&self) -> bool;
    /// Returns where this server's memory goes.
    fn memory(&self) -> &MemorySlot;
    /// Brings the schema to the newest version.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when it is newer already than this program knows.
    async fn migrate(&self) -> Result<(), StoreError>;
    /// Returns the version of the schema, 0 for an empty database, and the newest known here.
    ///
    /// # Errors
    /// As the database's.
    async fn version(&self) -> Result<(i64, i64), StoreError>;
    /// Begins to hear of what other servers change, so that this one may remember.
    ///
    /// # Errors
    /// As the database's.
    async fn listen(&self) -> Result<(), StoreError>;
    /// Writes a copy of the database into a new file.
    ///
    /// # Errors
    /// [`StoreError::OfPostgres`] where that is not how it is done.
    async fn backup(&self, path: &Path) -> Result<(), StoreError>;
    /// Says how the database is.
    ///
    /// # Errors
    /// As the database's.
    async fn health(&self) -> Result<Health, StoreError>;
    /// Names the database for a person, without any password.
    fn describe(&self) -> String;
    /// Lets the database go.
    async fn close(&self);
}

/// A job made of a closure, which is cloned for each time that it is run.
pub(super) struct Task<T, W> {
    work: W,
    result: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Task<T, W> {
    pub(super) fn new(work: W, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self {
            work,
            result: None,
            reply,
        }
    }
}

#[async_trait]
impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: for<'c> FnOnce(&'c mut dyn Sql) -> Doing<'c, T> + Clone + Send,
{
    async fn run(&mut self, sql: &mut dyn Sql) -> Result<(), StoreError> {
        let work = self.work.clone();
        self.result = Some(work(sql).await?);
        Ok(())
    }

    fn answer(mut self: Box<Self>, committed: Result<(), StoreError>) {
        let result = committed.and_then(|()| self.result.take().ok_or(StoreError::Closed));
        // Whoever waited may have gone away.
        let _ = self.reply.send(result);
    }
}
