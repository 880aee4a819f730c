//! Counts uses against rate limits, in memory.
//!
//! A sliding window: the uses of the current span of time count in full, those of the span before
//! in proportion to how much of it the window still covers.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many parts the counts are in: so many that few wait for one another, and that it takes no
/// time to make room among those of one part.
const SHARDS: usize = 4096;

/// A limit that a request is to be counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Want<'a> {
    /// By what uses are counted.
    pub window: &'a str,
    /// How many uses there may be.
    pub limit: i64,
    /// In how many milliseconds.
    pub duration: i64,
    /// How many uses this one is.
    pub cost: i64,
}

/// How a limit stands after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    /// Whether it forbids the request.
    pub exceeded: bool,
    /// How many uses are left.
    pub remaining: i64,
    /// When the current span ends, in Unix ms.
    pub reset: i64,
}

/// All the counts of this server.
#[derive(Debug)]
pub struct Windows {
    hashers: [RandomState; 2],
    shards: Vec<Mutex<Shard>>,
}

/// Counts by their names.
#[derive(Debug, Default)]
struct Shard {
    // In the order of their names. Neither a hash table nor a tree: a million counts take hardly
    // more room than themselves, and never twice as much while there come to be more.
    counts: Vec<(Name, Small)>,
    /// Those that have counted more than a small one can.
    large: BTreeMap<Name, Count>,
}

impl Shard {
    fn get(&self, name: Name) -> Option<Count> {
        match self.place(name) {
            Ok(place) => Some(self.counts[place].1.count()),
            Err(_) => self.large.get(&name).copied(),
        }
    }

    fn insert(&mut self, name: Name, count: Count) {
        let place = self.place(name);
        let Some(small) = Small::of(count) else {
            if let Ok(place) = place {
                self.counts.remove(place);
            }
            self.large.insert(name, count);
            return;
        };
        match place {
            Ok(place) => self.counts[place].1 = small,
            Err(place) => {
                self.large.remove(&name);
                if self.counts.len() == self.counts.capacity() {
                    self.counts.reserve_exact(self.counts.len() / 8 + 4);
                }
                self.counts.insert(place, (name, small));
            }
        }
    }

    /// Finds where a name is, or would be. Names are hashes and so spread evenly: it is not far
    /// from where it would be if they were that exactly, and what lies between comes out of slow
    /// memory at once.
    fn place(&self, name: Name) -> Result<usize, usize> {
        let mut place = expected(name, self.counts.len());
        while self.counts.get(place).is_some_and(|(at, _)| *at < name) {
            place += 1;
        }
        while place > 0 && self.counts[place - 1].0 >= name {
            place -= 1;
        }
        match self.counts.get(place) {
            Some((there, _)) if *there == name => Ok(place),
            _ => Err(place),
        }
    }

    /// Forgets what no window covers at `now`, and returns how many counts are left.
    fn purge(&mut self, now: i64) -> usize {
        self.counts.retain(|(_, small)| now < small.count().over);
        self.counts.shrink_to_fit();
        self.large.retain(|_, count| now < count.over);
        self.counts.len() + self.large.len()
    }
}

/// A count in 16 bytes, wherever they may be.
#[derive(Debug, Clone, Copy)]
struct Small {
    over: [u8; 8],
    current: u32,
    previous: u32,
}

impl Small {
    /// Writes a count; none if it is too large.
    fn of(count: Count) -> Option<Self> {
        Some(Self {
            over: count.over.to_ne_bytes(),
            current: count.current.try_into().ok()?,
            previous: count.previous.try_into().ok()?,
        })
    }

    fn count(self) -> Count {
        Count {
            over: i64::from_ne_bytes(self.over),
            current: self.current.into(),
            previous: self.previous.into(),
        }
    }
}

/// A window and its span of time, by two hashes that nobody outside can foretell: 96 bits, so that
/// no two windows of even a billion are ever taken for one.
type Name = [u8; 12];

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    /// When the span after the current one ends, in Unix ms: then nothing counts any more.
    over: i64,
    current: i64,
    previous: i64,
}

impl Count {
    /// Returns what counts in the span of `duration` that `now` is in.
    fn at(self, now: i64, duration: i64) -> Self {
        let over = (now.div_euclid(duration).saturating_add(2)).saturating_mul(duration);
        match over.saturating_sub(self.over) {
            // Another request of a later moment may have come first.
            ..=0 => self,
            later if later == duration => Self {
                over,
                current: 0,
                previous: self.current,
            },
            _ => Self {
                over,
                ..Self::default()
            },
        }
    }

    /// Returns when the current span ends, in Unix ms.
    fn reset(self, duration: i64) -> i64 {
        self.over.saturating_sub(duration)
    }

    /// Counts the uses in the window that ends at `now`.
    fn used(self, now: i64, duration: i64) -> i64 {
        let into = now.rem_euclid(duration);
        let still = i128::from(self.previous) * i128::from(duration - into);
        let weighted = still / i128::from(duration);
        i64::try_from(i128::from(self.current) + weighted).unwrap_or(i64::MAX)
    }
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            hashers: [RandomState::new(), RandomState::new()],
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Windows {
    /// Counts a request at `now` against all of `wants` or, if one forbids it, against none.
    #[must_use]
    pub fn take(&self, wants: &[Want<'_>], now: i64) -> Vec<Taken> {
        let names: Vec<_> = wants.iter().map(|want| self.name(want)).collect();
        let mut needed: Vec<_> = names.iter().copied().map(place).collect();
        needed.sort_unstable();
        needed.dedup();
        // Always in the same order, so that no two requests wait for each other.
        let mut held: Vec<(usize, MutexGuard<'_, Shard>)> = needed
            .into_iter()
            .map(|place| (place, lock(&self.shards[place])))
            .collect();
        let counts = |name: Name, want: &Want<'_>| -> Count {
            let shard = held.iter().find(|(at, _)| *at == place(name));
            let count = shard.and_then(|(_, shard)| shard.get(name));
            count.unwrap_or_default().at(now, want.duration)
        };
        let standing: Vec<_> = wants
            .iter()
            .zip(&names)
            .map(|(want, name)| {
                let count = counts(*name, want);
                let left = want.limit - count.used(now, want.duration);
                (count, left, want.cost > left.max(0))
            })
            .collect();
        let is_denied = standing.iter().any(|(.., exceeded)| *exceeded);
        let taken = wants
            .iter()
            .zip(&standing)
            .map(|(want, (count, left, exceeded))| {
                let cost = if is_denied { 0 } else { want.cost };
                Taken {
                    exceeded: *exceeded,
                    remaining: (left - cost).max(0),
                    reset: count.reset(want.duration),
                }
            });
        let taken = taken.collect();
        if !is_denied {
            for ((want, name), (count, ..)) in wants.iter().zip(names).zip(standing) {
                let Some((_, shard)) = held.iter_mut().find(|(at, _)| *at == place(name)) else {
                    continue;
                };
                let used = Count {
                    current: count.current.saturating_add(want.cost),
                    ..count
                };
                shard.insert(name, used);
            }
        }
        taken
    }

    /// Forgets what no window covers any more, and returns how many counts are left.
    pub fn purge(&self, now: i64) -> usize {
        let mut left = 0;
        for shard in &self.shards {
            left += lock(shard).purge(now);
        }
        left
    }

    fn name(&self, want: &Want<'_>) -> Name {
        let hash = |hasher: &RandomState| hasher.hash_one((want.window, want.duration));
        let [one, other] = self.hashers.each_ref().map(hash);
        let mut name = [0; 12];
        name[..8].copy_from_slice(&one.to_be_bytes());
        name[8..].copy_from_slice(&other.to_be_bytes()[..4]);
        name
    }
}

/// In which part a name is counted. Not by how it begins, so that those of one part are spread
/// evenly.
fn place([.., other, last]: Name) -> usize {
    usize::from(u16::from_be_bytes([other, last])) % SHARDS
}

/// Where a name would be among so many that are spread evenly.
fn expected([a, b, c, d, ..]: Name, len: usize) -> usize {
    let begin = u64::from(u32::from_be_bytes([a, b, c, d]));
    // Less than `len`, which fits.
    usize::try_from((begin * len as u64) >> 32).unwrap_or(0)
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    fn want(window: &str, limit: i64, cost: i64) -> Want<'_> {
        Want {
            window,
            limit,
            duration: 1000,
            cost,
        }
    }

    #[test]
    fn a_limit_holds_and_comes_back_little_by_little() {
        let windows = Windows::default();
        let allowed = |now| {
            let taken = windows.take(&[want("a", 10, 1)], now);
            !taken[0].exceeded
        };
        assert_eq!((0..20).filter(|_| allowed(5_000)).count(), 10);
        assert!(!allowed(5_999));
        // Half of the span before still counts: five are free.
        assert_eq!((0..20).filter(|_| allowed(6_500)).count(), 5);
        assert_eq!((0..20).filter(|_| allowed(9_000)).count(), 10);
    }

    #[test]
    fn several_limits_are_taken_together_or_not_at_all() {
        let windows = Windows::default();
        let both = [want("a", 10, 3), want("b", 4, 3)];
        let first = windows.take(&both, 5_000);
        assert_eq!((first[0].remaining, first[1].remaining), (7, 1));
        let second = windows.take(&both, 5_001);
        assert_eq!((second[0].exceeded, second[1].exceeded), (false, true));
        assert_eq!((second[0].remaining, second[1].remaining), (7, 1));
        assert_eq!(second[0].reset, 6_000);
    }

    #[test]
    fn a_request_that_costs_nothing_only_asks() {
        let windows = Windows::default();
        let _ = windows.take(&[want("a", 1, 1)], 0);
        let asked = windows.take(&[want("a", 1, 0)], 0);
        assert_eq!((asked[0].exceeded, asked[0].remaining), (false, 0));
    }

    #[test]
    fn what_is_large_is_counted_as_well() {
        let windows = Windows::default();
        let large = 3 << 32;
        let left = |cost, now| windows.take(&[want("a", large, cost)], now)[0].remaining;
        assert_eq!(left(1, 0), large - 1);
        assert_eq!(left(2 << 32, 0), (1 << 32) - 1);
        assert_eq!(left(1, 0), (1 << 32) - 2);
        // In the span after the next one it is small again.
        assert_eq!(left(1, 1_000), (1 << 32) - 3);
        assert_eq!(left(1, 5_000), large - 1);
        assert_eq!(windows.purge(6_000), 1);
        assert_eq!(windows.purge(7_000), 0);
    }

    #[test]
    fn a_count_takes_little() {
        assert_eq!(size_of::<(Name, Small)>(), 28);
    }

    #[test]
    fn what_is_over_is_forgotten() {
        let windows = Windows::default();
        let _ = windows.take(&[want("a", 1, 1), want("b", 1, 1)], 0);
        assert_eq!(windows.purge(1_999), 2);
        assert_eq!(windows.purge(2_000), 0);
    }

    #[test]
    fn each_name_has_its_own_count_in_order() {
        let mut shard = Shard::default();
        let mut names: Vec<Name> = (0..2_000_u64)
            .map(|number| number.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes())
            .map(|[a, b, c, d, e, f, g, h]| [a, b, c, d, e, f, g, h, 0, 0, 0, 0])
            .collect();
        // Names that are not spread evenly at all are found as well.
        names.extend((0..200).map(|last| [255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, last]));
        names.extend((0..200).map(|last| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, last]));
        for (number, name) in names.iter().enumerate() {
            assert!(shard.get(*name).is_none());
            let current = i64::try_from(number).unwrap();
            let over = 5_000 + current;
            shard.insert(
                *name,
                Count {
                    over,
                    current,
                    previous: 0,
                },
            );
        }
        assert!(shard.counts.is_sorted_by_key(|(name, _)| *name));
        assert_eq!(shard.counts.len(), names.len());
        for (number, name) in names.iter().enumerate() {
            let found = shard.get(*name).unwrap().current;
            assert_eq!(found, i64::try_from(number).unwrap());
        }
    }

    proptest! {
        #[test]
        fn no_span_sees_more_than_the_limit(
            steps in proptest::collection::vec((0_i64..700, 0_i64..4), 1..200),
        ) {
            let windows = Windows::default();
            let (mut now, mut used) = (0, HashMap::<i64, i64>::new());
            for (step, cost) in steps {
                now += step;
                if !windows.take(&[want("a", 7, cost)], now)[0].exceeded {
                    *used.entry(now / 1000).or_default() += cost;
                }
            }
            prop_assert!(used.values().all(|used| *used <= 7));
        }
    }
}
