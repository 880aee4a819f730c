//! The one writer of SQLite: it commits as many jobs together as are waiting.

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::{mpsc, watch};

use super::database::{Job, MemorySlot, Touched};
use super::error::StoreError;
use super::sqlite::SqliteSql;

/// How many jobs are committed together at most.
pub(super) const MOST_JOBS: usize = 256;

/// Takes jobs as they come and commits as many together as are waiting.
pub(super) async fn write_groups(
    mut connection: SqliteConnection,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    memory: MemorySlot,
    commits: watch::Sender<u64>,
) {
    let mut group = Vec::with_capacity(MOST_JOBS);
    while jobs.recv_many(&mut group, MOST_JOBS).await > 0 {
        let (results, touched) = write_group(&mut connection, &mut group).await;
        // Nobody may be told before everybody has forgotten what was.
        memory.forget(&touched);
        for (job, result) in group.drain(..).zip(results) {
            job.answer(result);
        }
        commits.send_modify(|commits| *commits += 1);
    }
    let _ = connection.close().await;
}

/// Runs jobs in one transaction, and returns how each went. One that fails leaves nothing behind.
pub(super) async fn write_group(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
) -> (Vec<Result<(), StoreError>>, Touched) {
    let mut touched = Touched::default();
    let mut done = write_all(connection, group, &mut touched, Marks::No).await;
    if let Ok(None) = done {
        done = write_all(connection, group, &mut touched, Marks::Yes).await;
    }
    let count = group.len();
    let results = match done {
        Ok(results) => results.unwrap_or_else(|| vec![Err(StoreError::Closed); count]),
        Err(error) => vec![Err(error); count],
    };
    (results, touched)
}

/// Whether the place before each job is marked, so that what it did can be taken back alone. It
/// hardly ever has to be: what is refused is refused before it has changed anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Yes,
    No,
}

/// Runs jobs in one transaction; none where one of them failed half-way, and could not be taken
/// back without the others: then all of them were.
async fn write_all(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
    touched: &mut Touched,
    marks: Marks,
) -> Result<Option<Vec<Result<(), StoreError>>>, StoreError> {
    execute(connection, "BEGIN IMMEDIATE").await?;
    let done = run_all(connection, group, touched, marks).await;
    if let Ok(Some(_)) = done {
        match execute(connection, "COMMIT").await {
            Ok(()) => return done,
            Err(error) => {
                let _ = execute(connection, "ROLLBACK").await;
                return Err(error);
            }
        }
    }
    // There may be nothing to take back any more: SQLite does so by itself when a disk is full.
    let _ = execute(connection, "ROLLBACK").await;
    done
}

async fn run_all(
    connection: &mut SqliteConnection,
    group: &mut [Box<dyn Job>],
    touched: &mut Touched,
    marks: Marks,
) -> Result<Option<Vec<Result<(), StoreError>>>, StoreError> {
    let mut results = Vec::with_capacity(group.len());
    for job in group.iter_mut() {
        if marks == Marks::Yes {
            execute(connection, "SAVEPOINT job").await?;
        }
        let mut sql = SqliteSql::on(connection);
        let result = job.run(&mut sql).await;
        let (touched_here, is_half_done) = (sql.touched, sql.is_changed && result.is_err());
        if is_half_done && marks == Marks::No {
            return Ok(None);
        }
        if is_half_done {
            execute(connection, "ROLLBACK TO job").await?;
        }
        if marks == Marks::Yes {
            execute(connection, "RELEASE job").await?;
        }
        if result.is_ok() {
            touched.merge(touched_here);
        }
        results.push(result);
    }
    Ok(Some(results))
}

async fn execute(
    connection: &mut SqliteConnection,
    statement: &'static str,
) -> Result<(), StoreError> {
    sqlx::query(statement).execute(connection).await?;
    Ok(())
}
