//! SQLite: one file, one writer that commits groups, readers of their own.

use std::borrow::Cow;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{
    AssertSqlSafe, Column as _, ConnectOptions as _, Connection as _, Row as _, SqliteConnection,
    TypeInfo as _, ValueRef as _,
};
use tokio::sync::{mpsc, watch};

use super::bulk::{Bulk, numbered_on};
use super::database::{Database, Job, MemorySlot, Queries, Sql, Statement, Touched};
use super::error::StoreError;
use super::migrations;
use super::sqlite_checkpoint::{LOG_PAGES, copy_for_ever};
use super::sqlite_copy;
use super::sqlite_writer::{MOST_JOBS, write_groups};
use super::upkeep::Health;
use super::value::{Row, Value};
use crate::clock::Clock;
use crate::private;

pub(super) use super::sqlite_copy::restore;

/// How much of the database the writer and each reader remember, in KiB, which SQLite writes below
/// zero. Readers need little: what is verified again and again is not read from here.
const WRITER_CACHE: &str = "-8192";
const READER_CACHE: &str = "-1024";
/// How many connections read.
const READERS: u32 = 4;

/// A database in a file.
pub struct Sqlite {
    path: PathBuf,
    readers: SqlitePool,
    writer: mpsc::Sender<Box<dyn Job>>,
    memory: MemorySlot,
    /// Held by the one server that there may be, as long as it lives.
    alone: OnceLock<File>,
}

impl Sqlite {
    /// Opens the file `path`, which is made if need be, for its owner only.
    ///
    /// # Errors
    /// When it cannot be opened, or is no database.
    pub async fn open(path: &Path) -> Result<Self, StoreError> {
        if let Err(error) = private::touch(path) {
            return Err(StoreError::Database(format!("{}: {error}", path.display())));
        }
        let options = SqliteConnectOptions::new()
            .filename(path)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let writing = options.clone().pragma("cache_size", WRITER_CACHE);
        let writing = writing.pragma("wal_autocheckpoint", LOG_PAGES);
        let (connection, copying) = (writing.connect().await?, options.connect().await?);
        let reading = options.pragma("query_only", "1");
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(reading.pragma("cache_size", READER_CACHE))
            .await?;
        let memory = MemorySlot::default();
        let (writer, jobs) = mpsc::channel(4 * MOST_JOBS);
        let (commits, committed) = watch::channel(0);
        tokio::spawn(copy_for_ever(copying, committed));
        tokio::spawn(write_groups(connection, jobs, memory.clone(), commits));
        Ok(Self {
            path: path.to_owned(),
            readers,
            writer,
            memory,
            alone: OnceLock::new(),
        })
    }

    /// Says how to connect besides the writer and the readers.
    fn plain(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10))
    }
}

pub(super) struct SqliteSql<'c> {
    connection: &'c mut SqliteConnection,
    pub(super) touched: Touched,
    /// Whether there is a limit to how long queries take.
    limited: bool,
    /// Whether anything may have changed, if only by a statement that failed.
    pub(super) is_changed: bool,
}

impl<'c> SqliteSql<'c> {
    pub(super) fn on(connection: &'c mut SqliteConnection) -> Self {
        Self {
            connection,
            touched: Touched::default(),
            limited: false,
            is_changed: false,
        }
    }
}

macro_rules! bind_all {
    ($statement:expr, $args:expr) => {{
        // Statements are written in this program; every value is an argument.
        let mut query = sqlx::query(AssertSqlSafe($statement));
        for arg in $args {
            query = match arg {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Bytes(value) => query.bind(value),
            };
        }
        query
    }};
}
pub(super) use bind_all;

#[async_trait]
impl Sql for SqliteSql<'_> {
    async fn run(&mut self, statement: Statement, args: Vec<Value>) -> Result<u64, StoreError> {
        self.is_changed = true;
        let query = bind_all!(statement, args);
        let done = query.execute(&mut *self.connection).await?;
        Ok(done.rows_affected())
    }

    async fn run_bulk(&mut self, statements: Vec<Bulk>) -> Result<(), StoreError> {
        let given = statements.into_iter().filter(|bulk| !bulk.is_empty());
        // One text of several statements, each of which is given the arguments that it names.
        let (texts, args) = numbered_on(given.map(Bulk::by_value).collect());
        self.run(texts.join("; ").into(), args).await.map(drop)
    }

    async fn rows(
        &mut self,
        statement: Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let query = bind_all!(statement, args);
        let rows = query.fetch_all(&mut *self.connection).await;
        self.is_changed |= rows.is_err();
        rows?.iter().map(read_row).collect()
    }

    async fn rows_of_bulk(&mut self, query: Bulk) -> Result<Vec<Row>, StoreError> {
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let (query, args) = query.by_value();
        self.rows(query, args).await
    }

    fn locks(&self) -> bool {
        // There is one writer.
        false
    }

    fn place(&self, _: usize) -> Cow<'static, str> {
        "?".into()
    }

    fn for_update(&self) -> &'static str {
        ""
    }

    fn for_update_of_the_free(&self) -> &'static str {
        ""
    }

    fn for_share(&self) -> &'static str {
        ""
    }

    async fn stop_after(&mut self, span: Duration) -> Result<(), StoreError> {
        /// How many steps of SQLite's machine there are between two looks at the clock.
        const STEPS: i32 = 10_000;
        let clock = Clock::system();
        let end = clock.now().saturating_add(span).unwrap_or(Timestamp::MAX);
        let mut handle = self.connection.lock_handle().await?;
        handle.set_progress_handler(STEPS, move || clock.now() < end);
        self.limited = true;
        Ok(())
    }

    fn touch(&mut self, touched: Touched) {
        self.touched.merge(touched);
    }
}

/// Lets a connection that others will have take as long as it takes.
async fn without_limit(connection: &mut SqliteConnection) -> Result<(), StoreError> {
    connection.lock_handle().await?.remove_progress_handler();
    Ok(())
}

fn read_row(row: &SqliteRow) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let place = column.ordinal();
        let raw = row.try_get_raw(place)?;
        let kind = raw.type_info();
        values.push(match kind.name() {
            _ if raw.is_null() => Value::Int(None),
            "INTEGER" => Value::Int(Some(row.try_get_unchecked(place)?)),
            "TEXT" => Value::Text(Some(row.try_get_unchecked(place)?)),
            "BLOB" => Value::Bytes(Some(row.try_get_unchecked(place)?)),
            _ => return Err(StoreError::Shape("a column of an unknown type")),
        });
    }
    Ok(Row::new(values))
}

#[async_trait]
impl Database for Sqlite {
    async fn read(&self, mut job: Box<dyn Job>, queries: Queries) {
        let result = async {
            if queries == Queries::One {
                let mut connection = self.readers.acquire().await?;
                return job.run(&mut SqliteSql::on(&mut connection)).await;
            }
            // One transaction, so that several queries see the same. Whoever asked may go away in
            // the middle of it; then it is rolled back before the connection is used again.
            let mut transaction = self.readers.begin().await?;
            let mut sql = SqliteSql::on(&mut transaction);
            let result = job.run(&mut sql).await;
            if sql.limited {
                without_limit(&mut transaction).await?;
            }
            result?;
            Ok(transaction.commit().await?)
        };
        let result = result.await;
        job.answer(result);
    }

    async fn write(&self, job: Box<dyn Job>) {
        if let Err(unsent) = self.writer.send(job).await {
            unsent.0.answer(Err(StoreError::Closed));
        }
    }

    async fn write_together(&self, job: Box<dyn Job>) {
        // All are.
        self.write(job).await;
    }

    fn may_remember(&self) -> bool {
        // Nobody else writes.
        true
    }

    fn memory(&self) -> &MemorySlot {
        &self.memory
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        migrations::check(self.version().await?)?;
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(self.plain())
            .await?;
        let done = migrations::sqlite().run(&pool).await;
        pool.close().await;
        done.map_err(|error| StoreError::Database(error.to_string()))
    }

    async fn version(&self) -> Result<(i64, i64), StoreError> {
        let known = migrations::newest(&migrations::sqlite());
        let mut connection = self.readers.acquire().await?;
        let table = "SELECT count(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
        let is_there: i64 = sqlx::query(table)
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        if is_there == 0 {
            return Ok((0, known));
        }
        let found = sqlx::query(migrations::FOUND)
            .fetch_one(&mut *connection)
            .await?
            .try_get(0)?;
        Ok((found, known))
    }

    async fn listen(&self) -> Result<(), StoreError> {
        // There is nobody to listen to, and it has to stay like that: what another server
        // changed would not be heard of here.
        let failed = |error| StoreError::Database(format!("{}: {error}", self.path.display()));
        let lock = private::open_lock(&self.path.with_extension("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Taken),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let _ = self.alone.set(lock);
        Ok(())
    }

    async fn backup(&self, path: &Path) -> Result<(), StoreError> {
        let mut connection = self.plain().connect().await?;
        sqlite_copy::copy(&mut connection, path).await?;
        Ok(connection.close().await?)
    }

    async fn health(&self) -> Result<Health, StoreError> {
        let mut connection = self.readers.acquire().await?;
        Ok(Health {
            wrong: sqlite_copy::wrong_with(&mut connection).await?,
            now: None,
        })
    }

    fn describe(&self) -> String {
        format!("SQLite file {}", self.path.display())
    }

    async fn close(&self) {
        self.readers.close().await;
    }
}

#[cfg(test)]
#[path = "sqlite_tests.rs"]
mod tests;
