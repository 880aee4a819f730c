//! What each operation makes of balances.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use serde_json::{Value, json};

use super::operations::{Count, Refill};
use super::world::{EXPIRED, INVALID, Pool, REROLLED, There, World};

impl World {
    pub fn pool(&mut self, left: Option<i64>, refill: Option<Refill>) -> usize {
        let given = left.unwrap_or(0);
        self.pools.push(Pool {
            left,
            refill,
            filled: self.now,
            given,
            used: 0,
        });
        self.pools.len() - 1
    }

    /// What another key took the place of changes neither expiry nor credits.
    pub fn still_counts(&self, key: usize) -> Result<(), (u16, &'static str)> {
        match &self.keys[key] {
            key if key.taken_back => Err(EXPIRED),
            old if old.after.is_some() && self.is_past(key) => Err(REROLLED),
            _ => Ok(()),
        }
    }

    /// Lists the keys that follow one another, as long as each still works beside the next.
    fn line(&self, key: usize) -> Vec<usize> {
        let next = |key: usize| {
            let next = self.keys[key].after.filter(|_| !self.is_past(key));
            next.filter(|next| self.keys[*next].there == There::Yes)
        };
        let mut first = key;
        while let Some(before) = self.keys[first].before {
            if self.keys[before].there != There::Yes || next(before) != Some(first) {
                break;
            }
            first = before;
        }
        std::iter::successors(Some(first), |key| next(*key)).collect()
    }

    pub fn count(&mut self, key: usize, count: Count) -> Result<(), (u16, &'static str)> {
        self.still_counts(key)?;
        let before = self.keys[key].pool.map(|pool| self.filled(pool));
        let left = before.and_then(|pool| self.pools[pool].left);
        match (count, left) {
            (Count::Set(None), _) => {
                let line = self.line(key);
                for (at, of) in self.keys.iter_mut().enumerate() {
                    if line.contains(&at) || (before.is_some() && of.pool == before) {
                        of.pool = None;
                    }
                }
                Ok(())
            }
            (Count::Set(to), _) => self.set_credits(key, to, &None),
            (_, None) => Err(INVALID),
            (Count::Increment(by), Some(left)) => self.set_credits(key, Some(left + by), &None),
            (Count::Decrement(by), Some(left)) => {
                self.set_credits(key, Some((left - by).max(0)), &None)
            }
        }
    }

    pub fn set_credits(
        &mut self,
        key: usize,
        to: Option<i64>,
        refill: &Option<Option<Refill>>,
    ) -> Result<(), (u16, &'static str)> {
        self.still_counts(key)?;
        let before = self.keys[key].pool.map(|pool| self.filled(pool));
        let Some(to) = to.or(before.and_then(|pool| self.pools[pool].left)) else {
            // Nothing fills up what has no number.
            let is_none = !matches!(refill, Some(Some(_)));
            return if is_none {
                self.count(key, Count::Set(None))
            } else {
                Err(INVALID)
            };
        };
        let pool = match before {
            Some(pool) => pool,
            None => {
                let pool = self.pool(Some(0), None);
                for of in self.line(key) {
                    self.keys[of].pool = Some(pool);
                }
                pool
            }
        };
        let now = self.now;
        let pool = &mut self.pools[pool];
        pool.given += to - pool.left.unwrap_or(0);
        (pool.left, pool.filled) = (Some(to), now);
        if let Some(refill) = refill {
            pool.refill = refill.clone();
        }
        Ok(())
    }

    /// Fills a balance up if a midnight has come at which that was due.
    pub fn filled(&mut self, pool: usize) -> usize {
        let now = self.now;
        let balance = &mut self.pools[pool];
        if let Some(refill) = &balance.refill
            && let Some(at) = last_refill(refill, balance.filled, now)
        {
            balance.given += refill.amount - balance.left.unwrap_or(0);
            balance.left = Some(refill.amount);
            balance.filled = at;
        }
        pool
    }

    /// Shows the balance of a key.
    pub fn balance(&mut self, key: usize) -> Option<Value> {
        let pool = self.keys[key].pool?;
        let pool = self.filled(pool);
        let pool = &self.pools[pool];
        let refill = pool.refill.as_ref().map(Refill::json);
        Some(json!({ "remaining": pool.left, "refill": refill }))
    }
}

impl Refill {
    pub fn json(&self) -> Value {
        match self.day {
            None => json!({ "interval": "daily", "amount": self.amount, "refillDay": null }),
            Some(day) => {
                json!({ "interval": "monthly", "amount": self.amount, "refillDay": day })
            }
        }
    }
}

/// Goes from midnight to midnight, and returns the last at which a balance fills up.
fn last_refill(refill: &Refill, since: i64, now: i64) -> Option<i64> {
    let date = |ms| {
        Timestamp::from_millisecond(ms)
            .unwrap()
            .to_zoned(TimeZone::UTC)
            .date()
    };
    let (mut day, last) = (date(since), date(now));
    let mut found = None;
    while day < last {
        day = day.checked_add(1.day()).unwrap();
        let of_month = |wanted: i8| day.day() == wanted.min(day.last_of_month().day());
        if refill.day.is_none_or(of_month) {
            let midnight = day.to_zoned(TimeZone::UTC).unwrap().timestamp();
            found = Some(midnight.as_millisecond());
        }
    }
    found
}
