//! Reads how often keys were verified.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::Store;
use super::counted::oldest_count;
use super::database::Sql;
use super::error::StoreError;
use super::value::{Row, Value, args};
use crate::keys::KeyRecord;
use crate::keys::analytics::{Argument, Column, Grain, Planned, Shape};

/// How often the keys on both sides of a reroll were verified since.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Uses {
    /// The key that was rerolled, since then.
    pub old: Side,
    /// The key that took its place.
    pub new: Side,
    /// Both, by the span of time in which they were verified, in order.
    pub buckets: Vec<Bucket>,
    /// Since when verifications wait to be added up, in Unix ms, if any do: they are in none of
    /// these counts.
    pub waiting_since: Option<i64>,
}

/// How often one key was verified.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Side {
    /// How often, by how it ended.
    pub outcomes: BTreeMap<String, i64>,
    /// How often, by the tags that came with it; the most frequent ones.
    pub callers: Vec<Caller>,
}

/// Somebody who verified a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// By which tags they are known.
    pub tags: Vec<String>,
    /// How often they did.
    pub count: i64,
    /// The beginning of the last hour in which they did, in Unix ms.
    pub last_hour: i64,
}

/// How often both keys were verified in one span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins, in Unix ms.
    pub time: i64,
    /// The old key.
    pub old: i64,
    /// The new key.
    pub new: i64,
}

/// How many callers are told.
const CALLERS: i64 = 50;
/// How many spans of time are told: the last ones.
const BUCKETS: i64 = 1000;

impl Store {
    /// Lists the sets of keys of a workspace with their APIs' ids, those of deleted APIs too.
    ///
    /// # Errors
    /// As the database's.
    pub async fn key_spaces(&self, workspace: &str) -> Result<Vec<(String, String)>, StoreError> {
        let workspace = workspace.to_owned();
        self.read(move |sql| {
            Box::pin(async move {
                let query = "SELECT id, key_space_id FROM apis WHERE workspace_id = $1 ORDER BY id";
                let read = |row: &mut Row| Ok((row.text()?, row.text()?));
                sql.all(query, args![workspace], read).await
            })
        })
        .await
    }

    /// Answers a question about verifications; what is nothing is left out of a row.
    ///
    /// # Errors
    /// [`StoreError::TimedOut`] when it takes longer than `span`, [`StoreError::TooLarge`] when a sum
    /// has more than 64 bits.
    pub async fn verifications(
        &self,
        planned: Planned,
        span: Duration,
    ) -> Result<Vec<Map<String, Json>>, StoreError> {
        self.read(move |sql| {
            Box::pin(async move {
                sql.stop_after(span).await?;
                let args = planned
                    .arguments
                    .into_iter()
                    .map(|argument| match argument {
                        Argument::Number(number) => Value::from(number),
                        Argument::Text(text) => Value::from(text),
                    });
                let columns = planned.columns;
                sql.all(planned.statement, args.collect(), move |row| {
                    read(row, &columns)
                })
                .await
            })
        })
        .await
    }

    /// Counts how often `old` was verified since it was rerolled, and the key `new` ever.
    ///
    /// # Errors
    /// As the database's.
    pub async fn uses(&self, old: &KeyRecord, new: &str, by: Grain) -> Result<Uses, StoreError> {
        let of = Rotating {
            workspace: old.workspace.clone(),
            old: old.id.clone(),
            new: new.to_owned(),
            since: old.rotation.rerolled_at.unwrap_or(i64::MAX),
        };
        self.read(move |sql| Box::pin(async move { uses(sql, &of, by).await }))
            .await
    }
}

fn read(row: &mut Row, columns: &[Column]) -> Result<Map<String, Json>, StoreError> {
    let mut read = Map::new();
    for Column { name, shape } in columns {
        let value = match shape {
            Shape::Number => row.maybe_int()?.map(Json::from),
            Shape::Text => row.maybe_text()?.map(Json::from),
            Shape::Tags => row.maybe_json()?,
        };
        read.extend(value.map(|value| (name.clone(), value)));
    }
    Ok(read)
}

/// Two keys, and since when the second takes the place of the first.
#[derive(Clone)]
struct Rotating {
    workspace: String,
    old: String,
    new: String,
    since: i64,
}

impl Rotating {
    /// Finds the series of both: the old key's since the reroll, and all of the new one's.
    const SERIES: &str = "s.workspace_id = $1 \
        AND ((s.key_id = $2 AND s.rerolled_at = $3) OR s.key_id = $4)";

    fn args(&self) -> Vec<Value> {
        args![&self.workspace, &self.old, self.since, &self.new]
    }

    fn side<'a>(&self, uses: &'a mut Uses, key: &str) -> &'a mut Side {
        if key == self.old {
            &mut uses.old
        } else {
            &mut uses.new
        }
    }
}

async fn uses(sql: &mut dyn Sql, of: &Rotating, by: Grain) -> Result<Uses, StoreError> {
    let mut uses = Uses::default();
    let outcomes = format!(
        "SELECT s.key_id, s.outcome, CAST(SUM(e.uses) AS BIGINT) FROM verification_series s \
         JOIN verifications_per_day e ON e.series_id = s.id WHERE {} GROUP BY s.key_id, s.outcome",
        Rotating::SERIES
    );
    let read = |row: &mut Row| Ok((row.text()?, row.text()?, row.int()?));
    for (key, outcome, count) in sql.all(outcomes, of.args(), read).await? {
        of.side(&mut uses, &key).outcomes.insert(outcome, count);
    }
    for key in [&of.old, &of.new] {
        of.side(&mut uses, key).callers = callers(sql, of, key).await?;
    }
    uses.buckets = buckets(sql, of, by).await?;
    uses.waiting_since = oldest_count(sql).await?;
    Ok(uses)
}

async fn callers(sql: &mut dyn Sql, of: &Rotating, key: &str) -> Result<Vec<Caller>, StoreError> {
    let callers = format!(
        "SELECT s.tags, CAST(SUM(e.uses) AS BIGINT), MAX(e.time) FROM verification_series s \
         JOIN verifications_per_hour e ON e.series_id = s.id WHERE {} AND s.key_id = $5 \
         GROUP BY s.tags ORDER BY SUM(e.uses) DESC, MAX(e.time) DESC, s.tags LIMIT {CALLERS}",
        Rotating::SERIES
    );
    let mut args = of.args();
    args.push(key.into());
    sql.all(callers, args, |row| {
        Ok(Caller {
            tags: serde_json::from_str(&row.text()?).map_err(|_| StoreError::Shape("tags"))?,
            count: row.int()?,
            last_hour: row.int()?,
        })
    })
    .await
}

async fn buckets(sql: &mut dyn Sql, of: &Rotating, by: Grain) -> Result<Vec<Bucket>, StoreError> {
    let table = match by {
        Grain::Minute | Grain::Hour => "verifications_per_hour",
        Grain::Day | Grain::Month => "verifications_per_day",
    };
    let query = format!(
        "SELECT e.time, CAST(SUM(CASE WHEN s.key_id = $2 THEN e.uses ELSE 0 END) AS BIGINT), \
         CAST(SUM(CASE WHEN s.key_id = $2 THEN 0 ELSE e.uses END) AS BIGINT) \
         FROM verification_series s JOIN {table} e ON e.series_id = s.id WHERE {} \
         GROUP BY e.time ORDER BY e.time DESC LIMIT {BUCKETS}",
        Rotating::SERIES
    );
    let read = |row: &mut Row| {
        Ok(Bucket {
            time: row.int()?,
            old: row.int()?,
            new: row.int()?,
        })
    };
    let mut buckets = sql.all(query, of.args(), read).await?;
    buckets.reverse();
    Ok(buckets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::ids::Entropy;

    /// Counts up to `end`, within 20 ms where there is a limit.
    async fn count_to(store: &Store, end: i64, is_limited: bool) -> Result<i64, StoreError> {
        let query = "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL \
                     SELECT i + 1 FROM n WHERE i < $1) SELECT MAX(i) FROM n";
        let found = store.read(move |sql| {
            Box::pin(async move {
                if is_limited {
                    sql.stop_after(Duration::from_millis(20)).await?;
                }
                sql.all(query, args![end], Row::int).await
            })
        });
        Ok(found.await?.remove(0))
    }

    async fn is_stopped_and_others_are_not(store: &Store) {
        for _ in 0..8 {
            let endless = count_to(store, i64::MAX, true).await;
            assert!(matches!(endless, Err(StoreError::TimedOut)), "{endless:?}");
            // The same connections, without a limit: more than one look at the clock.
            assert_eq!(count_to(store, 50_000, false).await.unwrap(), 50_000);
        }
    }

    #[tokio::test]
    async fn a_query_that_takes_too_long_is_stopped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("console.db");
        let store = Store::sqlite(&path, Entropy::seeded(1)).await.unwrap();
        is_stopped_and_others_are_not(&store).await;
        match std::env::var("CONVOX_TEST_DATABASE_URL") {
            Ok(url) => {
                let store = Store::postgres(&url, Clock::system(), Entropy::seeded(1));
                is_stopped_and_others_are_not(&store.await.unwrap()).await;
            }
            Err(_) => eprintln!("skipped: PostgreSQL, `.ci/postgres cargo test --lib` runs it too"),
        }
    }
}
