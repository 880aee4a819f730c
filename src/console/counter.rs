//! Counts verifications in memory, and writes them down a moment later.
//!
//! Whoever verifies a key waits for nobody here but others at the same part of the counts. A crash
//! loses what was not written down yet, at most the last second. Sums are never dropped: what
//! could not be written is kept for the next time. Single verifications are, where there are more
//! than memory is set aside for; how many is told.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use quick_cache::sync::Cache;

use crate::keys::analytics::{Event, Grain, Series, SeriesId, Tally};
use crate::keys::{Code, Key};
use crate::store::{Batch, Store, StoreError};

/// How many parts the counts are in, so that few wait for one another.
const SHARDS: usize = 64;
/// How many single verifications a part holds at most: 262,144 in all, 10 MiB.
const EVENTS: usize = 4096;
/// How many sums are written down in one transaction. Few, since others wait to write meanwhile.
const SUMS_AT_ONCE: usize = 128;
/// How many single verifications are written down in one transaction.
const EVENTS_AT_ONCE: usize = 512;
/// How many series are remembered to be written down already.
const WRITTEN: usize = 100_000;

/// What was counted and is not written down yet.
pub(super) struct Counter {
    shards: Vec<Mutex<Shard>>,
    roots: Mutex<HashMap<String, i64>>,
    dropped: AtomicU64,
    written: Cache<SeriesId, ()>,
    /// Held by whoever writes, so that what was counted before is written when it is free.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Shard {
    sums: HashMap<SeriesId, Sum>,
    events: Vec<Event>,
}

/// A series, and how often it was counted in each minute: one or two, as a rule.
struct Sum {
    series: Series,
    minutes: BTreeMap<i64, Tally>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Counter {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            roots: Mutex::default(),
            dropped: AtomicU64::new(0),
            written: Cache::new(WRITTEN),
            writing: tokio::sync::Mutex::default(),
        }
    }

    /// Counts a verification at `at`, in Unix ms, that used up `spent` credits.
    pub(super) fn count(&self, key: &Key, code: Code, tags: &[String], spent: i64, at: i64) {
        let id = SeriesId::of(key, code, tags);
        let tally = Tally {
            count: 1,
            spent,
            last: at,
        };
        let mut shard = lock(self.shard(id));
        shard
            .sums
            .entry(id)
            .or_insert_with(|| Sum::of(Series::of(key, code, tags)))
            .add(at, tally);
        let event = Event {
            at,
            series: id,
            spent,
        };
        self.keep(&mut shard, event);
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

    /// Returns how many single verifications were not kept, since there were too many at once.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// Writes down all that was counted before.
    ///
    /// # Errors
    /// As the database's. What is not written down then is kept for the next time.
    pub(super) async fn write(&self, store: &Store) -> Result<(), StoreError> {
        let _alone = self.writing.lock().await;
        let mut batches = self.take().into_iter();
        while let Some(batch) = batches.next() {
            let unknown = Arc::new(self.unknown(&batch));
            if let Err(error) = store.count(unknown).await {
                self.put_back(&batch);
                batches.for_each(|batch| self.put_back(&batch));
                return Err(error);
            }
            for id in batch.series.keys() {
                self.written.insert(*id, ());
            }
        }
        Ok(())
    }

    fn shard(&self, id: SeriesId) -> &Mutex<Shard> {
        &self.shards[usize::from(id.as_bytes()[0]) % SHARDS]
    }

    fn keep(&self, shard: &mut Shard, event: Event) {
        if shard.events.len() < EVENTS {
            shard.events.push(event);
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes what was counted, in pieces that are written one after the other.
    fn take(&self) -> Vec<Batch> {
        let mut sums = BTreeMap::new();
        let mut events = Vec::new();
        for shard in &self.shards {
            let taken = std::mem::take(&mut *lock(shard));
            sums.extend(taken.sums);
            events.extend(taken.events);
        }
        let mut batches = vec![Batch {
            uses: std::mem::take(&mut *lock(&self.roots))
                .into_iter()
                .collect(),
            ..Batch::default()
        }];
        for (id, sum) in sums {
            if batches
                .last()
                .is_some_and(|batch| batch.series.len() >= SUMS_AT_ONCE)
            {
                batches.push(Batch::default());
            }
            if let Some(batch) = batches.last_mut() {
                sum.add_to(id, batch);
            }
        }
        for (place, chunk) in events.chunks(EVENTS_AT_ONCE).enumerate() {
            if place == batches.len() {
                batches.push(Batch::default());
            }
            batches[place].events = chunk.to_vec();
        }
        batches.retain(|batch| !batch.is_empty());
        batches
    }

    /// Leaves out the series that are written down already.
    fn unknown(&self, batch: &Batch) -> Batch {
        let mut unknown = batch.clone();
        unknown
            .series
            .retain(|id, _| self.written.get(id).is_none());
        unknown
    }

    fn put_back(&self, batch: &Batch) {
        for ((minute, id), tally) in &batch.minutes {
            let Some(series) = batch.series.get(id) else {
                continue;
            };
            let mut shard = lock(self.shard(*id));
            let sum = shard
                .sums
                .entry(*id)
                .or_insert_with(|| Sum::of(series.clone()));
            sum.add(*minute, *tally);
        }
        for event in &batch.events {
            self.keep(&mut lock(self.shard(event.series)), *event);
        }
        for (id, at) in &batch.uses {
            self.used(id, *at);
        }
    }
}

impl Sum {
    fn of(series: Series) -> Self {
        Self {
            series,
            minutes: BTreeMap::new(),
        }
    }

    fn add(&mut self, at: i64, tally: Tally) {
        let minute = Grain::Minute.start(at);
        self.minutes.entry(minute).or_default().add(tally);
    }

    fn add_to(self, id: SeriesId, batch: &mut Batch) {
        for (minute, tally) in self.minutes {
            let last = batch.uses.entry(self.series.key.clone()).or_default();
            *last = tally.last.max(*last);
            batch.minutes.insert((minute, id), tally);
        }
        batch.series.insert(id, self.series);
    }
}

#[cfg(test)]
#[path = "counter_tests.rs"]
mod tests;
