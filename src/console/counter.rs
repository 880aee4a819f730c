//! Counts verifications in memory, and writes them down a moment later.
//!
//! Whoever verifies a key waits for nobody here but others at the same part of the counts. A crash
//! loses what was not written down yet, at most the last second. Sums are never dropped: what
//! could not be written is kept for the next time. Single verifications are, where there are more
//! than memory is set aside for; the log tells how many.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::written::Written;
use crate::clock::Clock;
use crate::ids::Entropy;
use crate::keys::analytics::{Event, Grain, Series, SeriesId, Tally};
use crate::keys::{Code, KeyFacts};
use crate::store::{Batch, Counted, Store, StoreError};

/// How many parts the counts are in, so that few wait for one another.
const SHARDS: usize = 64;
/// How many single verifications are held at most: 10 MiB.
const EVENTS: usize = 262_144;
/// After how many sums nobody waits for the time to write down: so many take some 2 MiB, and are
/// one transaction.
const ENOUGH: usize = SUMS_AT_ONCE * BATCHES_AT_ONCE;
/// How many sums are put together. Few, since others wait to write while they are added up.
const SUMS_AT_ONCE: usize = 128;
/// How many single verifications are put together.
const EVENTS_AT_ONCE: usize = 512;
/// How many batches are kept in one transaction.
const BATCHES_AT_ONCE: usize = 32;
/// How many batches may be impossible to add up before the others wait too.
const IMPOSSIBLE: i64 = 8;

/// What was counted and is not written down yet.
pub(super) struct Counter {
    shards: Vec<Mutex<HashMap<SeriesId, Sum>>>,
    roots: Mutex<HashMap<String, i64>>,
    dropped: AtomicU64,
    waiting: AtomicUsize,
    /// How many single verifications are held.
    events: AtomicUsize,
    enough: Arc<Notify>,
    written: Arc<Notify>,
    /// Whoever writes holds it.
    leaving: tokio::sync::Mutex<Leaving>,
    entropy: Entropy,
}

/// A series, how often it was counted in each minute, which are one or two as a rule, and when,
/// with how many credits.
struct Sum {
    // In a box, since sums are moved about.
    series: Box<Series>,
    minutes: Vec<(i64, Tally)>,
    events: Vec<(i64, i64)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counter {
    pub(super) fn new(entropy: Entropy) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            roots: Mutex::default(),
            dropped: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            events: AtomicUsize::new(0),
            enough: Arc::default(),
            written: Arc::default(),
            leaving: tokio::sync::Mutex::default(),
            entropy,
        }
    }

    /// Counts a verification at `at`, in Unix ms, that used up `spent` credits.
    pub(super) fn count(&self, key: &KeyFacts, code: Code, tags: &[String], spent: i64, at: i64) {
        let id = SeriesId::of(key, code, tags);
        let mut sums = lock(self.shard(id));
        let sum = sums.entry(id).or_insert_with(|| {
            if self.waiting.fetch_add(1, Ordering::Relaxed) + 1 == ENOUGH {
                self.enough.notify_one();
            }
            Sum::of(Box::new(Series::of(key, code, tags)))
        });
        sum.add(at, spent);
        match self.events.fetch_add(1, Ordering::Relaxed) {
            held if held < EVENTS => {
                sum.events.push((at, spent));
                if held + 1 == EVENTS / 2 {
                    self.enough.notify_one();
                }
            }
            _ => {
                self.events.fetch_sub(1, Ordering::Relaxed);
                self.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Returns what notifies once there is so much that it had better be written down now.
    pub(super) fn enough(&self) -> Arc<Notify> {
        Arc::clone(&self.enough)
    }

    /// Returns what notifies once all that was counted is written down, and was not more than can
    /// be added up at once.
    pub(super) fn written(&self) -> Arc<Notify> {
        Arc::clone(&self.written)
    }

    /// Notes that a root key was used at `at`, in Unix ms.
    pub(super) fn used(&self, root: &str, at: i64) {
        let mut roots = lock(&self.roots);
        match roots.get_mut(root) {
            Some(last) => *last = at.max(*last),
            None => {
                roots.insert(root.to_owned(), at);
            }
        }
    }

    /// Returns how many single verifications were not kept since this was last asked, because
    /// there were too many at once.
    pub(super) fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    /// Writes down all that was counted before; it is in no view yet.
    ///
    /// # Errors
    /// As the database's. What is not written down then is kept for the next time.
    pub(super) async fn write(&self, store: &Store, clock: &Clock) -> Result<(), StoreError> {
        let mut leaving = self.leaving.lock().await;
        leaving.send(store).await?;
        let at = clock.now().as_millisecond();
        let taken = self.take(&leaving.written);
        let sums: usize = taken.iter().map(|batch| batch.minutes.len()).sum();
        let is_little = !taken.is_empty() && sums < ENOUGH;
        leaving
            .batches
            .extend(taken.into_iter().map(|batch| Counted {
                id: format!(
                    "{:016x}{:016x}",
                    self.entropy.next_u64(),
                    self.entropy.next_u64()
                ),
                at,
                batch: Arc::new(batch),
            }));
        leaving.send(store).await?;
        if is_little {
            self.written.notify_one();
        }
        Ok(())
    }

    fn shard(&self, id: SeriesId) -> &Mutex<HashMap<SeriesId, Sum>> {
        &self.shards[usize::from(id.as_bytes()[0]) % SHARDS]
    }

    /// Takes what was counted, in pieces that are added up one after the other.
    fn take(&self, written: &Written) -> Vec<Batch> {
        let mut batches = Batches::default();
        batches.last().uses = std::mem::take(&mut *lock(&self.roots))
            .into_iter()
            .collect();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *lock(shard));
            self.waiting.fetch_sub(taken.len(), Ordering::Relaxed);
            let events = taken.values().map(|sum| sum.events.len()).sum();
            self.events.fetch_sub(events, Ordering::Relaxed);
            for (id, sum) in taken {
                batches.add(id, sum, written.has(id));
            }
        }
        batches.0.retain(|batch| !batch.is_empty());
        batches.0
    }
}

/// What is on its way, under ids of its own, and which series went before.
#[derive(Default)]
struct Leaving {
    batches: Vec<Counted>,
    written: Written,
}

impl Leaving {
    async fn send(&mut self, store: &Store) -> Result<(), StoreError> {
        let Self { batches, written } = self;
        while !batches.is_empty() {
            let some = &batches[..batches.len().min(BATCHES_AT_ONCE)];
            store.keep_counted(some.to_vec()).await?;
            for id in some.iter().flat_map(|counted| counted.batch.series.keys()) {
                written.put(*id);
            }
            let sent = some.len();
            batches.drain(..sent);
        }
        Ok(())
    }
}

/// Adds the oldest verifications that are kept to the views, until there are none or `is_enough`.
///
/// # Errors
/// As the database's, for the last of those that could not be added up. They are tried again the
/// next time, and the others in their place.
pub(super) async fn add_up(store: &Store, is_enough: impl Fn() -> bool) -> Result<(), StoreError> {
    let (mut impossible, mut result) = (0, Ok(()));
    while !is_enough() && impossible < IMPOSSIBLE {
        match store.add_up(impossible).await {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                impossible += 1;
                result = Err(error);
            }
        }
    }
    result
}

/// Batches that are being filled.
#[derive(Default)]
struct Batches(Vec<Batch>);

impl Batches {
    fn last(&mut self) -> &mut Batch {
        if self.0.is_empty() {
            self.0.push(Batch::default());
        }
        let last = self.0.len() - 1;
        &mut self.0[last]
    }

    fn add(&mut self, id: SeriesId, sum: Sum, is_written: bool) {
        if self.last().minutes.len() >= SUMS_AT_ONCE {
            self.0.push(Batch::default());
        }
        let batch = self.last();
        for (minute, tally) in sum.minutes {
            let last = batch.uses.entry(sum.series.key.clone()).or_default();
            *last = tally.last.max(*last);
            batch.minutes.insert((minute, id), tally);
        }
        if !is_written {
            batch.series.insert(id, sum.series);
        }
        for (at, spent) in sum.events {
            if self.last().events.len() >= EVENTS_AT_ONCE {
                self.0.push(Batch::default());
            }
            let event = Event {
                at,
                series: id,
                spent,
            };
            self.last().events.push(event);
        }
    }
}

impl Sum {
    fn of(series: Box<Series>) -> Self {
        Self {
            series,
            minutes: Vec::with_capacity(1),
            events: Vec::with_capacity(1),
        }
    }

    fn add(&mut self, at: i64, spent: i64) {
        let tally = Tally {
            count: 1,
            spent,
            last: at,
        };
        let minute = Grain::Minute.start(at);
        match self.minutes.iter_mut().find(|(there, _)| *there == minute) {
            Some((_, sum)) => sum.add(tally),
            None => self.minutes.push((minute, tally)),
        }
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
