//! Several servers on one PostgreSQL: what one has changed, the others have forgotten before it
//! is answered.
//!
//! Every change that touches a key is told by `NOTIFY` in its own transaction, and the server
//! that made it waits until every other server has answered. A server that cannot be heard would
//! hold that up, so each may remember anything only for as long as it hears itself: every half
//! second it writes a lease of two seconds into the database and sends itself a message in the
//! same transaction, and what it remembers is good for two seconds from when it sent the last
//! message that came back. PostgreSQL delivers messages in the order of their transactions, so a
//! server that has heard its own message has heard every change before it. Whoever changes
//! something therefore waits for each other server's answer, or for the end of the lease that
//! the server had when the change was committed.
//!
//! What is said here has connections of its own, so that no load on the others delays it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tokio::sync::{Notify, oneshot};

use super::database::{MemorySlot, Touched};
use super::error::StoreError;
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::keys::Hash;

/// For how long a server may remember without having heard itself.
const LEASE: Duration = Duration::from_secs(2);
/// How often a server sends itself a message.
const BEAT: Duration = Duration::from_millis(500);
/// Where changes are told.
const CHANNEL: &str = "convox_touched";
/// After how long without hearing itself a server listens anew: its connection may be dead without
/// saying so.
const DEAF: Duration = Duration::from_secs(5);
/// How many connections this takes: one that listens, one for leases, one for answers.
const CONNECTIONS: u32 = 3;
/// How many hashes a message holds: PostgreSQL's longest has 8,000 bytes.
const MOST: usize = 80;

/// This server among those on its database.
pub(super) struct Peers {
    me: String,
    pool: PgPool,
    memory: MemorySlot,
    clock: Clock,
    sequence: AtomicU64,
    /// Whether this server has given up its lease for good.
    is_gone: AtomicBool,
    /// When the last message to ourselves that was heard was sent: what is remembered may be
    /// believed for the time of a lease from then on.
    heard_at: Mutex<Option<Moment>>,
    /// When each message to ourselves was sent.
    sent: Mutex<BTreeMap<u64, Moment>>,
    /// Who waits for whose answers.
    waiting: Mutex<BTreeMap<u64, Waiting>>,
    leaving: Notify,
}

/// A moment by both measures of time: one goes on while the machine is suspended, and the other is
/// not set back.
#[derive(Debug, Clone, Copy)]
struct Moment {
    /// What the clock says, in Unix ms.
    says: i64,
    /// What has passed since the clock was made, in ms.
    passed: i64,
}

impl Moment {
    /// Tells whether less than `span` has gone by since, by both.
    fn is_within(self, span: Duration, now: Self) -> bool {
        let span = i64::try_from(span.as_millis()).unwrap_or(0);
        now.says - self.says < span && now.passed - self.passed < span
    }
}

struct Waiting {
    heard: BTreeSet<String>,
    for_whom: BTreeSet<String>,
    done: Option<oneshot::Sender<()>>,
}

/// What servers tell each other.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Told {
    /// Forget these keys.
    Keys {
        from: String,
        sequence: u64,
        hashes: Vec<String>,
    },
    /// Forget everything.
    All { from: String, sequence: u64 },
    /// A message to oneself.
    Beat { from: String, sequence: u64 },
    /// `from` has forgotten what `to` told it to.
    Heard {
        from: String,
        to: String,
        sequence: u64,
    },
}

/// A change that is about to be told.
pub(super) struct Message {
    sequence: u64,
    payload: String,
}

/// The other servers that may remember what was before a change, and for how many ms at most.
pub(super) struct Others {
    ids: BTreeSet<String>,
    longest: i64,
}

async fn notify<'c>(
    payload: &str,
    executor: impl sqlx::Executor<'c, Database = sqlx::Postgres>,
) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_notify($1, $2)")
        .bind(CHANNEL)
        .bind(payload)
        .execute(executor)
        .await?;
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Peers {
    pub(super) fn new(
        options: PgConnectOptions,
        memory: MemorySlot,
        clock: Clock,
        entropy: &Entropy,
    ) -> Arc<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(DEAF)
            .connect_lazy_with(options);
        Arc::new(Self {
            me: format!("{:016x}", entropy.next_u64()),
            pool,
            memory,
            clock,
            sequence: AtomicU64::new(1),
            is_gone: AtomicBool::new(false),
            heard_at: Mutex::default(),
            sent: Mutex::default(),
            waiting: Mutex::default(),
            leaving: Notify::new(),
        })
    }

    /// Tells whether this server has heard every change up to a moment ago.
    pub(super) fn is_heard(&self) -> bool {
        !self.is_gone.load(Ordering::Acquire)
            && lock(&self.heard_at).is_some_and(|at| at.is_within(LEASE, self.now()))
    }

    fn now(&self) -> Moment {
        Moment {
            says: self.clock.now().as_millisecond(),
            passed: i64::try_from(self.clock.passed().as_millis()).unwrap_or(i64::MAX),
        }
    }

    fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::Relaxed)
    }

    /// Words a change for the other servers; none if nobody is touched.
    pub(super) fn message(&self, touched: &Touched) -> Option<Message> {
        if touched.is_empty() {
            return None;
        }
        let (from, sequence) = (self.me.clone(), self.next());
        let told = match touched {
            Touched::Keys(keys) if keys.len() <= MOST => Told::Keys {
                from,
                sequence,
                hashes: keys.iter().map(to_hex).collect(),
            },
            _ => Told::All { from, sequence },
        };
        // Whoever answers before we ask who is there has answered all the same.
        let nobody = Waiting {
            heard: BTreeSet::new(),
            for_whom: BTreeSet::new(),
            done: None,
        };
        lock(&self.waiting).insert(sequence, nobody);
        let payload = serde_json::to_string(&told).unwrap_or_default();
        Some(Message { sequence, payload })
    }

    /// Commits `connection`'s transaction, which tells the others of it, and asks who they are: in
    /// one turn to the database and back, since all who wait for a change wait for each of them.
    ///
    /// # Errors
    /// As the database's; what was to be committed may be so all the same.
    pub(super) async fn commit(
        &self,
        message: &Message,
        connection: &mut PgConnection,
    ) -> Result<Others, StoreError> {
        // Both are made of digits and of our own words; no quote is among them.
        let (payload, me) = (message.payload.replace('\'', "''"), &self.me);
        let turn = format!(
            "NOTIFY {CHANNEL}, '{payload}'; COMMIT; \
             SELECT id, lease_until - CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) \
             FROM servers WHERE id <> '{me}' \
             AND lease_until > extract(epoch FROM clock_timestamp()) * 1000"
        );
        let turn = sqlx::raw_sql(AssertSqlSafe(turn));
        let rows = turn.fetch_all(connection).await?;
        let mut others = Others {
            ids: BTreeSet::new(),
            longest: 0,
        };
        for row in rows {
            others.ids.insert(row.try_get(0)?);
            others.longest = others.longest.max(row.try_get(1)?);
        }
        Ok(others)
    }

    /// Waits until no other server can remember what was before a change that is committed.
    pub(super) async fn until_heard(&self, message: Message, others: Others) {
        self.wait_for(others, message.sequence).await;
        self.forget_message(&message);
    }

    /// Lets go of a message that was not sent, or was heard.
    pub(super) fn forget_message(&self, message: &Message) {
        lock(&self.waiting).remove(&message.sequence);
    }

    async fn wait_for(&self, others: Others, sequence: u64) {
        let heard = {
            let mut waiting = lock(&self.waiting);
            let Some(waiting) = waiting.get_mut(&sequence) else {
                return;
            };
            if others.ids.is_subset(&waiting.heard) {
                return;
            }
            let (done, heard) = oneshot::channel();
            waiting.for_whom = others.ids;
            waiting.done = Some(done);
            heard
        };
        // One more millisecond, since both ends were cut to whole ones.
        let lease = Duration::from_millis(u64::try_from(others.longest).unwrap_or(0) + 1);
        tokio::select! {
            _ = heard => {}
            () = self.clock.sleep(lease) => {}
        }
    }

    /// Begins to listen, and returns once this server hears itself.
    pub(super) async fn start(self: &Arc<Self>) -> Result<(), StoreError> {
        let listener = self.listener().await?;
        // Where no lease may be written this says so; what it sends is heard as any other.
        self.beat().await?;
        let (first, heard) = oneshot::channel();
        tokio::spawn(Arc::clone(self).listen_for_ever(listener, first));
        heard.await.map_err(|_| StoreError::Closed)
    }

    async fn listen_for_ever(
        self: Arc<Self>,
        mut listener: PgListener,
        first: oneshot::Sender<()>,
    ) {
        let mut first = Some(first);
        loop {
            // What was looked up before this server listened may have changed unheard. What is
            // looked up from now on has not, or the change will be heard.
            self.memory.forget(&Touched::All);
            tokio::select! {
                () = self.leaving.notified() => return,
                _ = self.beat_for_ever() => {}
                _ = self.hear(&mut listener, &mut first) => {}
            }
            *lock(&self.heard_at) = None;
            lock(&self.sent).clear();
            listener = loop {
                match self.listener().await {
                    Ok(listener) => break listener,
                    Err(StoreError::Closed) => return,
                    Err(_) => self.clock.sleep(BEAT).await,
                }
            };
        }
    }

    async fn listener(&self) -> Result<PgListener, StoreError> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // A connection that is cut is told, since what was sent meanwhile is lost.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(listener)
    }

    /// Beats until that fails, takes longer than a lease, or is not heard any more.
    async fn beat_for_ever(&self) -> Result<(), StoreError> {
        loop {
            tokio::select! {
                beaten = self.beat() => beaten?,
                () = self.clock.sleep(LEASE) => return Ok(()),
            }
            self.clock.sleep(BEAT).await;
            let unheard = lock(&self.sent).values().next().copied();
            if unheard.is_some_and(|sent| !sent.is_within(DEAF, self.now())) {
                return Ok(());
            }
        }
    }

    /// Writes a lease and sends the message that makes it count.
    async fn beat(&self) -> Result<(), StoreError> {
        let (from, sequence) = (self.me.clone(), self.next());
        lock(&self.sent).insert(sequence, self.now());
        let told = Told::Beat { from, sequence };
        let mut transaction = self.pool.begin().await?;
        let lease = i64::try_from(LEASE.as_millis()).unwrap_or(0);
        sqlx::query(
            "INSERT INTO servers (id, lease_until) \
             VALUES ($1, CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) + $2) \
             ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until",
        )
        .bind(&self.me)
        .bind(lease)
        .execute(&mut *transaction)
        .await?;
        // Those that were killed have left a line each.
        sqlx::query(
            "DELETE FROM servers \
             WHERE lease_until < CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) - $1",
        )
        .bind(60 * lease)
        .execute(&mut *transaction)
        .await?;
        let payload = serde_json::to_string(&told).unwrap_or_default();
        notify(&payload, &mut *transaction).await?;
        Ok(transaction.commit().await?)
    }

    /// Heeds what is told, until the connection is cut.
    async fn hear(
        &self,
        listener: &mut PgListener,
        first: &mut Option<oneshot::Sender<()>>,
    ) -> Result<(), StoreError> {
        while let Some(notification) = listener.try_recv().await? {
            let Ok(told) = serde_json::from_str(notification.payload()) else {
                // A newer server's word: better forget too much.
                self.memory.forget(&Touched::All);
                continue;
            };
            match told {
                Told::Beat { from, sequence } if from == self.me => {
                    self.heard_ourselves(sequence);
                    if let Some(first) = first.take() {
                        let _ = first.send(());
                    }
                }
                Told::Heard { from, to, sequence } if to == self.me => {
                    self.heard_by(from, sequence);
                }
                // Our own too: whoever made the change may not have learned that it was committed.
                Told::Keys {
                    from,
                    sequence,
                    hashes,
                } => {
                    let hashes: Option<BTreeSet<_>> =
                        hashes.iter().map(|hash| from_hex(hash)).collect();
                    let touched = hashes.map_or(Touched::All, Touched::Keys);
                    self.memory.forget(&touched);
                    self.answer(from, sequence).await?;
                }
                Told::All { from, sequence } => {
                    self.memory.forget(&Touched::All);
                    self.answer(from, sequence).await?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn answer(&self, to: String, sequence: u64) -> Result<(), StoreError> {
        if to == self.me {
            return Ok(());
        }
        let told = Told::Heard {
            from: self.me.clone(),
            to,
            sequence,
        };
        let payload = serde_json::to_string(&told).unwrap_or_default();
        notify(&payload, &self.pool).await
    }

    fn heard_ourselves(&self, sequence: u64) {
        let mut sent = lock(&self.sent);
        let Some(at) = sent.remove(&sequence) else {
            return;
        };
        sent.retain(|earlier, _| *earlier > sequence);
        // What was sent later is heard later.
        *lock(&self.heard_at) = Some(at);
    }

    fn heard_by(&self, whom: String, sequence: u64) {
        if let Some(waiting) = lock(&self.waiting).get_mut(&sequence) {
            waiting.heard.insert(whom);
            let is_all = waiting.for_whom.is_subset(&waiting.heard);
            if let Some(done) = waiting.done.take_if(|_| is_all) {
                let _ = done.send(());
            }
        }
    }

    /// Gives up the lease, so that nobody waits for a server that is gone.
    pub(super) async fn leave(&self) {
        self.is_gone.store(true, Ordering::Release);
        self.leaving.notify_one();
        // If this fails the lease ends by itself.
        let _ = sqlx::query("DELETE FROM servers WHERE id = $1")
            .bind(&self.me)
            .execute(&self.pool)
            .await;
        self.pool.close().await;
    }
}

fn to_hex(hash: &Hash) -> String {
    use std::fmt::Write as _;
    hash.as_bytes()
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn from_hex(text: &str) -> Option<Hash> {
    let bytes: Option<Vec<u8>> = (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect();
    Hash::from_bytes(&bytes?)
}
