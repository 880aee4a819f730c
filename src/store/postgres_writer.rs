//! What changes something on PostgreSQL. Short jobs are committed together: a commit that tells
//! other servers of changes waits for the disk while no other such commit goes on.

use std::sync::{Arc, Mutex, PoisonError};

use sqlx::PgConnection;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgPool, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::database::{Job, MemorySlot, Touched};
use super::error::StoreError;
use super::peers::{Message, Others, Peers};
use super::postgres::PostgresSql;

/// How often a job is run at most that other transactions cross.
const TRIES: u32 = 5;
/// How a transaction begins that changes something. Its statements find rows by their ids, so that
/// one plan is as good as another, and making one anew each time costs a tenth of a reroll.
const BEGIN: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; \
                     SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                     SET LOCAL enable_mergejoin = off";
/// How one begins that several jobs share. Whoever waits for a row that somebody else changes
/// keeps all of them waiting, and two such may wait for each other: soon each is run alone.
const BEGIN_TOGETHER: &str = "BEGIN; SET LOCAL plan_cache_mode = force_generic_plan; \
                              SET LOCAL enable_seqscan = off; SET LOCAL enable_hashjoin = off; \
                              SET LOCAL enable_mergejoin = off; SET LOCAL lock_timeout = '30ms'";
/// How many transactions change something at once. More of them do not make the database faster,
/// and each takes longer.
const WRITERS: usize = 6;
/// How many transactions that jobs share go on at once: while one waits for the disk, the next
/// does its work.
const SHARED: usize = 2;
/// How many jobs share one at most.
const MOST_JOBS: usize = 32;

/// What a transaction needs, apart from the database so that it can go on without whoever asked.
#[derive(Clone)]
pub(super) struct Writer(Arc<Inner>);

struct Inner {
    pool: PgPool,
    places: Semaphore,
    shared: Semaphore,
    queue: Mutex<Vec<Box<dyn Job>>>,
    memory: MemorySlot,
    peers: Arc<Peers>,
}

/// A connection that is in a transaction. It is closed, with whatever the transaction has locked,
/// unless the transaction is seen to end.
struct Open {
    connection: PoolConnection<Postgres>,
    has_ended: bool,
}

impl Open {
    async fn begin(pool: &PgPool, begin: &'static str) -> Result<Self, StoreError> {
        let mut open = Self {
            connection: pool.acquire().await?,
            has_ended: false,
        };
        sqlx::raw_sql(begin).execute(&mut *open.connection).await?;
        Ok(open)
    }

    async fn commit(mut self) -> Result<(), StoreError> {
        sqlx::raw_sql("COMMIT")
            .execute(&mut *self.connection)
            .await?;
        self.has_ended = true;
        Ok(())
    }

    /// Commits, tells other servers of it, and returns who they are.
    async fn commit_and_tell(
        mut self,
        peers: &Peers,
        message: &Message,
    ) -> Result<Others, StoreError> {
        let others = peers.commit(message, &mut self.connection).await?;
        self.has_ended = true;
        Ok(others)
    }

    /// Takes back what was done, now, so that no row stays locked.
    async fn take_back(mut self) {
        let ended = sqlx::raw_sql("ROLLBACK").execute(&mut *self.connection);
        self.has_ended = ended.await.is_ok();
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if !self.has_ended {
            self.connection.close_on_drop();
        }
    }
}

/// How jobs went that were to share a transaction.
enum Together {
    /// What each came to, all of it committed.
    Done(Vec<Result<(), StoreError>>),
    /// All was taken back; what one does must not fail for another one's sake.
    TakenBack,
}

impl Writer {
    pub(super) fn new(pool: PgPool, memory: MemorySlot, peers: Arc<Peers>) -> Self {
        Self(Arc::new(Inner {
            pool,
            places: Semaphore::new(WRITERS),
            shared: Semaphore::new(SHARED),
            queue: Mutex::default(),
            memory,
            peers,
        }))
    }

    pub(super) fn pool(&self) -> &PgPool {
        &self.0.pool
    }

    pub(super) fn memory(&self) -> &MemorySlot {
        &self.0.memory
    }

    pub(super) fn peers(&self) -> &Arc<Peers> {
        &self.0.peers
    }

    /// Runs a job until no other transaction crosses it.
    pub(super) async fn carry_out(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        for _ in 1..TRIES {
            match self.transact(job).await {
                // All of it was taken back, and what the other one did is there to be seen.
                Err(StoreError::Conflict) => {}
                result => return result,
            }
        }
        self.transact(job).await
    }

    async fn transact(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        let place = self.0.places.acquire().await;
        let mut open = Open::begin(self.pool(), BEGIN).await?;
        let mut sql = PostgresSql::on(&mut open.connection);
        let done = job.run(&mut sql).await;
        let touched = sql.touched;
        match done {
            Ok(()) => self.commit(open, &touched, place.ok()).await,
            Err(error) => {
                open.take_back().await;
                Err(error)
            }
        }
    }

    /// Commits, and returns once nobody remembers what was.
    async fn commit(
        &self,
        open: Open,
        touched: &Touched,
        place: Option<SemaphorePermit<'_>>,
    ) -> Result<(), StoreError> {
        let Some(message) = self.peers().message(touched) else {
            return open.commit().await;
        };
        let committed = open.commit_and_tell(self.peers(), &message).await;
        // What others take is nobody else's time here.
        drop(place);
        // Where the connection was cut it may be committed all the same.
        self.memory().forget(touched);
        match committed {
            // Nobody may be told before everybody has forgotten what was.
            Ok(others) => self.peers().until_heard(message, others).await,
            Err(error) => {
                self.peers().forget_message(&message);
                return Err(error);
            }
        }
        Ok(())
    }

    /// Puts a job where the next transaction that is shared takes it from.
    pub(super) fn queue(&self, job: Box<dyn Job>) {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.push(job);
    }

    fn take_queued(&self) -> Vec<Box<dyn Job>> {
        let mut queue = self.0.queue.lock().unwrap_or_else(PoisonError::into_inner);
        let count = queue.len().min(MOST_JOBS);
        queue.drain(..count).collect()
    }

    /// Carries out as many jobs together as have been put there when it is their turn; there may be
    /// none any more.
    pub(super) async fn carry_out_queued(&self) {
        let place = self.0.shared.acquire().await.ok();
        let mut group = self.take_queued();
        let done = match group.len() {
            0 => return,
            1 => Ok(Together::TakenBack),
            _ => self.transact_together(&mut group, place).await,
        };
        match done {
            Ok(Together::Done(results)) => {
                for (job, result) in group.into_iter().zip(results) {
                    job.answer(result);
                }
            }
            Ok(Together::TakenBack) => group.into_iter().for_each(|job| self.carry_out_apart(job)),
            Err(error) => {
                for job in group {
                    job.answer(Err(error.clone()));
                }
            }
        }
    }

    fn carry_out_apart(&self, mut job: Box<dyn Job>) {
        let writer = self.clone();
        tokio::spawn(async move {
            let result = writer.carry_out(job.as_mut()).await;
            job.answer(result);
        });
    }

    async fn transact_together(
        &self,
        group: &mut [Box<dyn Job>],
        place: Option<SemaphorePermit<'_>>,
    ) -> Result<Together, StoreError> {
        let mut open = Open::begin(self.pool(), BEGIN_TOGETHER).await?;
        let mut touched = Touched::default();
        let Some(results) = run_all(&mut open.connection, group, &mut touched).await else {
            open.take_back().await;
            return Ok(Together::TakenBack);
        };
        match self.commit(open, &touched, place).await {
            Ok(()) => Ok(Together::Done(results)),
            Err(StoreError::Conflict) => Ok(Together::TakenBack),
            Err(error) => Err(error),
        }
    }
}

/// Runs jobs one after the other; none where one of them failed half-way, and cannot be taken back
/// without the others.
async fn run_all(
    connection: &mut PgConnection,
    group: &mut [Box<dyn Job>],
    touched: &mut Touched,
) -> Option<Vec<Result<(), StoreError>>> {
    let mut results = Vec::with_capacity(group.len());
    for job in group {
        let mut sql = PostgresSql::on(connection);
        let result = job.run(&mut sql).await;
        match &result {
            Ok(()) => touched.merge(sql.touched),
            // It is to be run again, or has done more than to look.
            Err(StoreError::Conflict) => return None,
            Err(_) if sql.is_marked => return None,
            Err(_) => {}
        }
        results.push(result);
    }
    Some(results)
}
