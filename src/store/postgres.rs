//! PostgreSQL: any number of servers on one database.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::{AssertSqlSafe, Column as _, PgConnection, Row as _, TypeInfo as _, ValueRef as _};

use super::bulk::{Bulk, Column};
use super::database::{Database, Job, MemorySlot, Queries, Sql, Statement, Touched};
use super::error::StoreError;
use super::migrations;
use super::peers::Peers;
use super::postgres_writer::Writer;
use super::sqlite::bind_all;
use super::upkeep::Health;
use super::value::{Row, Value};
use crate::clock::Clock;
use crate::ids::Entropy;

/// How many connections there are at most.
const CONNECTIONS: u32 = 16;

/// A database behind a URL.
pub struct Postgres {
    writer: Writer,
    name: String,
}

impl Postgres {
    /// Connects to `url`.
    ///
    /// # Errors
    /// When the URL is none, or nobody answers there.
    pub async fn connect(url: &str, clock: Clock, entropy: &Entropy) -> Result<Self, StoreError> {
        let options: PgConnectOptions = url.parse()?;
        let name = format!(
            "PostgreSQL database {} at {}",
            options.get_database().unwrap_or("of its user"),
            options.get_host()
        );
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .connect_with(options.clone().options([("jit", "off")]))
            .await?;
        let memory = MemorySlot::default();
        let peers = Peers::new(options, memory.clone(), clock, entropy);
        let writer = Writer::new(pool, memory, peers);
        Ok(Self { writer, name })
    }
}

/// Runs a job of one query.
async fn read_plainly(pool: &PgPool, job: &mut dyn Job) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    job.run(&mut PostgresSql::on(&mut connection)).await
}

/// Runs a job whose queries all see the same.
async fn read_in_one_view(pool: &PgPool, job: &mut dyn Job) -> Result<(), StoreError> {
    let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    let mut transaction = pool.begin_with(begin).await?;
    job.run(&mut PostgresSql::on(&mut transaction)).await?;
    Ok(transaction.commit().await?)
}

/// A connection in the middle of a job.
pub(super) struct PostgresSql<'c> {
    connection: &'c mut PgConnection,
    pub(super) touched: Touched,
    /// Whether the job can no longer be taken for one that has done nothing: it has begun to
    /// change something, or a statement has failed, after which a transaction goes nowhere.
    pub(super) is_marked: bool,
}

impl<'c> PostgresSql<'c> {
    pub(super) fn on(connection: &'c mut PgConnection) -> Self {
        Self {
            connection,
            touched: Touched::default(),
            is_marked: false,
        }
    }
}

macro_rules! bind_columns {
    ($statement:expr, $columns:expr) => {{
        let mut query = sqlx::query(AssertSqlSafe($statement));
        for column in $columns {
            query = match column {
                Column::Ints(values) => query.bind(values),
                Column::Texts(values) => query.bind(values),
                Column::Bytes(values) => query.bind(values),
            };
        }
        query
    }};
}

/// Makes one statement of several: all but the last are named parts of the last, and what is
/// referred to is looked for when all are done.
fn as_one(mut texts: Vec<String>) -> Option<String> {
    let last = texts.pop()?;
    let parts = texts.iter().enumerate();
    let parts: Vec<_> = parts
        .map(|(at, text)| format!("p{at} AS ({text})"))
        .collect();
    Some(match parts.as_slice() {
        [] => last,
        _ => format!("WITH {} {last}", parts.join(", ")),
    })
}

#[async_trait]
impl Sql for PostgresSql<'_> {
    async fn run(&mut self, statement: Statement, args: Vec<Value>) -> Result<u64, StoreError> {
        self.is_marked = true;
        let query = bind_all!(statement, args);
        let done = query.execute(&mut *self.connection).await?;
        Ok(done.rows_affected())
    }

    async fn run_bulk(&mut self, statements: Vec<Bulk>) -> Result<(), StoreError> {
        let (mut texts, mut columns) = (Vec::new(), Vec::new());
        for bulk in statements.into_iter().filter(|bulk| !bulk.is_empty()) {
            let (text, more) = bulk.by_column(columns.len() + 1)?;
            texts.push(text);
            columns.extend(more);
        }
        let Some(statement) = as_one(texts) else {
            return Ok(());
        };
        self.is_marked = true;
        let query = bind_columns!(statement, columns);
        query.execute(&mut *self.connection).await?;
        Ok(())
    }

    async fn rows(
        &mut self,
        statement: Statement,
        args: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let query = bind_all!(statement, args);
        let rows = query.fetch_all(&mut *self.connection).await;
        self.is_marked |= rows.is_err();
        let rows = rows?;
        rows.iter().map(read_row).collect()
    }

    async fn rows_of_bulk(&mut self, query: Bulk) -> Result<Vec<Row>, StoreError> {
        if query.is_empty() {
            return Ok(Vec::new());
        }
        let (text, columns) = query.by_column(1)?;
        let rows = bind_columns!(text, columns)
            .fetch_all(&mut *self.connection)
            .await;
        self.is_marked |= rows.is_err();
        rows?.iter().map(read_row).collect()
    }

    fn locks(&self) -> bool {
        true
    }

    fn place(&self, number: usize) -> Cow<'static, str> {
        format!("${number}").into()
    }

    fn for_update(&self) -> &'static str {
        " FOR UPDATE"
    }

    fn for_update_of_the_free(&self) -> &'static str {
        " FOR UPDATE SKIP LOCKED"
    }

    async fn stop_after(&mut self, span: Duration) -> Result<(), StoreError> {
        // For this transaction only; 0 would be no limit.
        sqlx::query("SELECT set_config('statement_timeout', $1, true)")
            .bind(span.as_millis().max(1).to_string())
            .execute(&mut *self.connection)
            .await?;
        Ok(())
    }

    fn for_share(&self) -> &'static str {
        " FOR SHARE"
    }

    fn touch(&mut self, touched: Touched) {
        self.touched.merge(touched);
    }
}

fn read_row(row: &PgRow) -> Result<Row, StoreError> {
    let mut values = Vec::with_capacity(row.columns().len());
    for column in row.columns() {
        let place = column.ordinal();
        let raw = row.try_get_raw(place)?;
        let kind = raw.type_info();
        values.push(match kind.name() {
            _ if raw.is_null() => Value::Int(None),
            "INT8" => Value::Int(Some(row.try_get(place)?)),
            "INT4" => Value::Int(Some(i64::from(row.try_get::<i32, _>(place)?))),
            "TEXT" | "VARCHAR" | "NAME" => Value::Text(Some(row.try_get(place)?)),
            "BYTEA" => Value::Bytes(Some(row.try_get(place)?)),
            _ => return Err(StoreError::Shape("a column of an unknown type")),
        });
    }
    Ok(Row::new(values))
}

#[async_trait]
impl Database for Postgres {
    async fn read(&self, mut job: Box<dyn Job>, queries: Queries) {
        let pool = self.writer.pool().clone();
        // Whoever asked may go away in the middle. A connection that is let go of while its
        // transaction begins would be in it still when somebody else gets it.
        tokio::spawn(async move {
            let result = match queries {
                Queries::One => read_plainly(&pool, job.as_mut()).await,
                Queries::Several => read_in_one_view(&pool, job.as_mut()).await,
            };
            job.answer(result);
        });
    }

    async fn write(&self, mut job: Box<dyn Job>) {
        let writer = self.writer.clone();
        // Whoever asked may go away in the middle; what is begun is then ended all the same, and
        // forgotten by everybody.
        tokio::spawn(async move {
            let result = writer.carry_out(job.as_mut()).await;
            job.answer(result);
        });
    }

    async fn write_together(&self, job: Box<dyn Job>) {
        let writer = self.writer.clone();
        writer.queue(job);
        tokio::spawn(async move { writer.carry_out_queued().await });
    }

    fn may_remember(&self) -> bool {
        self.writer.peers().is_heard()
    }

    fn memory(&self) -> &MemorySlot {
        self.writer.memory()
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        migrations::check(self.version().await?)?;
        migrations::postgres()
            .run(self.writer.pool())
            .await
            .map_err(|error| StoreError::Database(error.to_string()))
    }

    async fn version(&self) -> Result<(i64, i64), StoreError> {
        let known = migrations::newest(&migrations::postgres());
        let table = "SELECT to_regclass('_sqlx_migrations') IS NOT NULL";
        let is_there: bool = sqlx::query(table)
            .fetch_one(self.writer.pool())
            .await?
            .try_get(0)?;
        if !is_there {
            return Ok((0, known));
        }
        let found = sqlx::query(migrations::FOUND)
            .fetch_one(self.writer.pool())
            .await?
            .try_get(0)?;
        Ok((found, known))
    }

    async fn listen(&self) -> Result<(), StoreError> {
        self.writer.peers().start().await
    }

    async fn backup(&self, _: &Path) -> Result<(), StoreError> {
        Err(StoreError::OfPostgres)
    }

    async fn health(&self) -> Result<Health, StoreError> {
        let now = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
        let row = sqlx::query(now).fetch_one(self.writer.pool()).await?;
        Ok(Health {
            wrong: Vec::new(),
            now: Some(row.try_get(0)?),
        })
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    async fn close(&self) {
        self.writer.peers().leave().await;
        self.writer.pool().close().await;
    }
}
