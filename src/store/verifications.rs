//! Writes down how often keys were verified, many verifications at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::database::Sql;
use super::error::StoreError;
use super::value::{Value, args};
use crate::keys::analytics::{Event, Grain, Series, SeriesId, Tally};

/// Verifications that are written down in one transaction, all of them or none.
///
/// Everything in it is in order: servers that add to the same rows do so one after the other, and
/// never each wait for the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// What the verifications belong to; those that nobody has written down yet.
    pub series: BTreeMap<SeriesId, Box<Series>>,
    /// How many there were, by the minute in which they were.
    pub minutes: BTreeMap<(i64, SeriesId), Tally>,
    /// Single ones.
    pub events: Vec<Event>,
    /// When keys and root keys were last used, by their ids.
    pub uses: BTreeMap<String, i64>,
}

/// Adds verifications to the views.
pub(super) async fn write_batch(sql: &mut dyn Sql, batch: &Batch) -> Result<(), StoreError> {
    let series = batch
        .series
        .iter()
        .map(|(id, series)| series_row(id, series));
    insert(sql, &SERIES, series.collect()).await?;
    for grain in Grain::ALL {
        let rows = sums(&batch.minutes, grain)
            .into_iter()
            .map(|((time, id), tally)| {
                args![time, id.as_bytes().as_slice(), tally.count, tally.spent]
            });
        insert(sql, per(grain), rows.collect()).await?;
    }
    let uses = batch.uses.iter().map(|(id, at)| args![id, *at]);
    insert(sql, &USES, uses.collect()).await?;
    let events = batch
        .events
        .iter()
        .map(|event| args![event.at, event.series.as_bytes().as_slice(), event.spent]);
    insert(sql, &EVENTS, events.collect()).await
}

/// Sums up minutes by longer spans of time.
fn sums(
    minutes: &BTreeMap<(i64, SeriesId), Tally>,
    grain: Grain,
) -> BTreeMap<(i64, SeriesId), Tally> {
    let mut sums: BTreeMap<_, Tally> = BTreeMap::new();
    let mut starts = BTreeMap::new();
    for ((minute, series), tally) in minutes {
        let start = *starts
            .entry(*minute)
            .or_insert_with(|| grain.start(*minute));
        sums.entry((start, *series)).or_default().add(*tally);
    }
    sums
}

fn series_row(id: &SeriesId, series: &Series) -> Vec<Value> {
    args![
        id.as_bytes().as_slice(),
        &*series.workspace,
        &*series.api,
        &*series.key_space,
        &series.key,
        series.rerolled_at,
        &series.identity,
        &series.external_id,
        series.outcome.as_str(),
        &series.tags
    ]
}

/// A statement that inserts any number of rows.
struct Insert {
    head: &'static str,
    tail: &'static str,
}

const SERIES: Insert = Insert {
    head: "INSERT INTO verification_series (id, workspace_id, api_id, key_space_id, key_id, \
           rerolled_at, identity_id, external_id, outcome, tags)",
    tail: "ON CONFLICT (id) DO NOTHING",
};

const USES: Insert = Insert {
    head: "INSERT INTO last_uses (id, at)",
    tail: "ON CONFLICT (id) DO UPDATE SET at = CASE WHEN excluded.at > last_uses.at \
           THEN excluded.at ELSE last_uses.at END",
};

const EVENTS: Insert = Insert {
    head: "INSERT INTO verifications (time, series_id, spent_credits)",
    tail: "",
};

macro_rules! per {
    ($table:literal) => {
        &Insert {
            head: concat!(
                "INSERT INTO ",
                $table,
                " (time, series_id, uses, spent_credits)"
            ),
            tail: concat!(
                "ON CONFLICT (time, series_id) DO UPDATE SET uses = ",
                $table,
                ".uses + excluded.uses, spent_credits = CASE WHEN ",
                $table,
                ".spent_credits > 9223372036854775807 - excluded.spent_credits \
                 THEN 9223372036854775807 ELSE ",
                $table,
                ".spent_credits + excluded.spent_credits END"
            ),
        }
    };
}

fn per(grain: Grain) -> &'static Insert {
    match grain {
        Grain::Minute => per!("verifications_per_minute"),
        Grain::Hour => per!("verifications_per_hour"),
        Grain::Day => per!("verifications_per_day"),
        Grain::Month => per!("verifications_per_month"),
    }
}

/// Inserts rows in few statements, and few different ones, since each is prepared once.
async fn insert(sql: &mut dyn Sql, into: &Insert, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let left = rows.len();
        let size = [64, 16, 4].into_iter().find(|size| *size <= left);
        let some: Vec<_> = rows.by_ref().take(size.unwrap_or(1)).collect();
        let columns = some.first().map_or(0, Vec::len);
        let mut statement = format!("{} VALUES ", into.head);
        for row in 0..some.len() {
            statement.push_str(if row == 0 { "(" } else { ", (" });
            for column in 0..columns {
                let comma = if column == 0 { "" } else { ", " };
                let place = sql.place(row * columns + column + 1);
                let _ = write!(statement, "{comma}{place}");
            }
            statement.push(')');
        }
        let statement = format!("{statement} {}", into.tail);
        sql.run(statement.into(), some.into_iter().flatten().collect())
            .await?;
    }
    Ok(())
}

impl Batch {
    /// Tells whether there is nothing to write down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.minutes.is_empty() && self.events.is_empty() && self.uses.is_empty()
    }
}
