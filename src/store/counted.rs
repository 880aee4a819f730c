//! Counted verifications on their way into the views.
//!
//! They are kept first, as one text for some hundred of them, and added to the rows of the views a
//! moment later, where one verification changes ten of them. So a server that is asked more than
//! the views can take loses nothing, and what is kept is added once and no more: the text is
//! removed in the transaction that adds it up.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Store;
use super::database::Sql;
use super::error::StoreError;
use super::value::args;
use super::verifications::{Batch, write_batch};
use crate::keys::Code;
use crate::keys::analytics::{Event, Series, SeriesId, Tally};

/// Verifications that are kept together, under an id of their own.
#[derive(Debug, Clone)]
pub struct Counted {
    /// Their id: whoever is not told whether they are kept may keep them again.
    pub id: String,
    /// When they were put together, in Unix ms.
    pub at: i64,
    /// The verifications.
    pub batch: Arc<Batch>,
}

impl Store {
    /// Keeps counted verifications, those that are kept already once.
    ///
    /// # Errors
    /// As the database's. Then none of them is kept, unless the answer was lost.
    pub async fn keep_counted(&self, counted: Vec<Counted>) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                for Counted { id, at, batch } in &counted {
                    let insert = "INSERT INTO counted_verifications (id, at, batch) \
                                  VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING";
                    let batch = serde_json::to_string(&Text::of(batch));
                    let batch = batch.map_err(|_| StoreError::Shape("a count"))?;
                    sql.run(insert.into(), args![id, *at, batch]).await?;
                }
                Ok(())
            })
        })
        .await
    }

    /// Adds the oldest verifications that are kept to the views, leaving out the first `skipped`.
    /// Tells whether there were any.
    ///
    /// # Errors
    /// As the database's. Then they are still kept.
    pub async fn add_up(&self, skipped: i64) -> Result<bool, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let oldest = format!(
                    "SELECT id, batch FROM counted_verifications ORDER BY at, id \
                     LIMIT 1 OFFSET $1{}",
                    sql.for_update_of_the_free()
                );
                let Some(mut row) = sql.row(oldest, args![skipped]).await? else {
                    return Ok(false);
                };
                let (id, text) = (row.text()?, row.text()?);
                let unreadable = StoreError::Shape("a count");
                let text: Text = serde_json::from_str(&text).map_err(|_| unreadable)?;
                let unreadable = StoreError::Shape("a count");
                write_batch(sql, &text.batch().ok_or(unreadable)?).await?;
                let delete = "DELETE FROM counted_verifications WHERE id = $1";
                sql.run(delete.into(), args![id]).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Returns since when verifications wait to be added up, in Unix ms; none if none do.
pub(super) async fn oldest_count(sql: &mut dyn Sql) -> Result<Option<i64>, StoreError> {
    let query = "SELECT min(at) FROM counted_verifications";
    let row = sql.row(query, args![]).await?;
    row.map_or(Ok(None), |mut row| row.maybe_int())
}

/// How a batch is written. Series are named by their places in `ids`.
#[derive(Serialize, Deserialize)]
struct Text<'a> {
    ids: Vec<String>,
    series: Vec<(usize, SeriesText<'a>)>,
    /// Minute, series, count, credits, last use.
    minutes: Vec<(i64, usize, i64, i64, i64)>,
    /// Time, series, credits.
    events: Vec<(i64, usize, i64)>,
    uses: Cow<'a, BTreeMap<String, i64>>,
}

#[derive(Serialize, Deserialize)]
struct SeriesText<'a> {
    workspace: Cow<'a, str>,
    api: Cow<'a, str>,
    key_space: Cow<'a, str>,
    key: Cow<'a, str>,
    rerolled_at: Option<i64>,
    identity: Option<Cow<'a, str>>,
    external_id: Option<Cow<'a, str>>,
    outcome: Code,
    tags: Cow<'a, str>,
}

impl<'a> Text<'a> {
    fn of(batch: &'a Batch) -> Self {
        let of_minutes = batch.minutes.keys().map(|(_, id)| *id);
        let of_events = batch.events.iter().map(|event| event.series);
        let ids = batch.series.keys().copied();
        let mut ids: Vec<_> = ids.chain(of_minutes).chain(of_events).collect();
        ids.sort_unstable();
        ids.dedup();
        let place = |id: &SeriesId| ids.binary_search(id).unwrap_or(0);
        let series = batch.series.iter();
        let minutes = batch.minutes.iter().map(|((minute, id), tally)| {
            let Tally { count, spent, last } = *tally;
            (*minute, place(id), count, spent, last)
        });
        let events = batch.events.iter();
        Self {
            series: series
                .map(|(id, series)| (place(id), SeriesText::of(series)))
                .collect(),
            minutes: minutes.collect(),
            events: events
                .map(|event| (event.at, place(&event.series), event.spent))
                .collect(),
            uses: Cow::Borrowed(&batch.uses),
            ids: ids.iter().map(SeriesId::to_hex).collect(),
        }
    }

    /// Reads the batch back; none if this is not how one is written.
    fn batch(self) -> Option<Batch> {
        let ids: Option<Vec<_>> = self.ids.iter().map(|id| SeriesId::from_hex(id)).collect();
        let ids = ids?;
        let id = |place: usize| ids.get(place).copied();
        let series = self.series.into_iter();
        let series: Option<_> = series
            .map(|(place, text)| Some((id(place)?, Box::new(text.series()))))
            .collect();
        let minutes = self.minutes.into_iter();
        let minutes: Option<_> = minutes
            .map(|(minute, place, count, spent, last)| {
                Some(((minute, id(place)?), Tally { count, spent, last }))
            })
            .collect();
        let events = self.events.into_iter();
        let events: Option<_> = events
            .map(|(at, place, spent)| {
                let series = id(place)?;
                Some(Event { at, series, spent })
            })
            .collect();
        Some(Batch {
            series: series?,
            minutes: minutes?,
            events: events?,
            uses: self.uses.into_owned(),
        })
    }
}

impl<'a> SeriesText<'a> {
    fn of(series: &'a Series) -> Self {
        Self {
            workspace: Cow::Borrowed(&series.workspace),
            api: Cow::Borrowed(&series.api),
            key_space: Cow::Borrowed(&series.key_space),
            key: Cow::Borrowed(&series.key),
            rerolled_at: series.rerolled_at,
            identity: series.identity.as_deref().map(Cow::Borrowed),
            external_id: series.external_id.as_deref().map(Cow::Borrowed),
            outcome: series.outcome,
            tags: Cow::Borrowed(&series.tags),
        }
    }

    fn series(self) -> Series {
        Series {
            workspace: self.workspace.into(),
            api: self.api.into(),
            key_space: self.key_space.into(),
            key: self.key.into_owned(),
            rerolled_at: self.rerolled_at,
            identity: self.identity.map(Cow::into_owned),
            external_id: self.external_id.map(Cow::into_owned),
            outcome: self.outcome,
            tags: self.tags.into_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Hash;

    #[test]
    fn a_batch_is_read_as_it_was_written() {
        let id = |text| SeriesId::new(Hash::of(text));
        let series = Series {
            workspace: "ws_1".into(),
            api: "api_1".into(),
            key_space: "ks_1".into(),
            key: "key_1".to_owned(),
            rerolled_at: Some(7),
            identity: Some("id_1".to_owned()),
            external_id: Some("user".to_owned()),
            outcome: Code::RateLimited,
            tags: "[\n\"a\"\n]".to_owned(),
        };
        let tally = Tally {
            count: 2,
            spent: i64::MAX,
            last: 60_002,
        };
        let event = |series| Event {
            at: 60_001,
            series,
            spent: 3,
        };
        let batch = Batch {
            series: BTreeMap::from([(id("a"), Box::new(series))]),
            minutes: BTreeMap::from([((60_000, id("a")), tally), ((0, id("b")), tally)]),
            events: vec![event(id("c")), event(id("a"))],
            uses: BTreeMap::from([("key_1".to_owned(), 60_002)]),
        };
        let written = serde_json::to_string(&Text::of(&batch)).unwrap();
        let read: Text = serde_json::from_str(&written).unwrap();
        assert_eq!(read.batch(), Some(batch));
    }
}
