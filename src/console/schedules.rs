//! Which racks have a schedule, as pages and commands ask and say it.

use jiff::Timestamp;

use super::schedule::{Freeze, Past, Schedule, next_roll};
use super::service::Service;
use crate::store::{Audited, RackKeyKind, RackKind, RackRecord, ScheduleRow, Store, StoreError};

/// A key of a rack that is rolled by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled {
    /// The id of the schedule.
    pub id: String,
    /// The id of the rack.
    pub rack: String,
    /// Which key.
    pub key: RackKeyKind,
    /// When.
    pub schedule: Schedule,
    /// Since when there is the key, as far as is known, and when it was last tried.
    pub past: Past,
    /// When it is rolled next; none if a freeze never ends.
    pub next: Option<Timestamp>,
}

/// Lists the schedules of an organization's racks at `now`, by rack and key.
///
/// # Errors
/// As the database's.
pub async fn schedules_of(
    store: &Store,
    workspace: &str,
    now: Timestamp,
) -> Result<Vec<Scheduled>, StoreError> {
    let freezes = freezes_of(store, workspace, now).await?;
    let rows = store.schedules(workspace).await?.into_iter();
    rows.map(|row| Scheduled::of(row, &freezes, now)).collect()
}

/// Returns the schedule of a key of a rack at `now`, if there is one.
///
/// # Errors
/// As the database's.
pub async fn schedule_of(
    store: &Store,
    rack: &RackRecord,
    key: RackKeyKind,
    now: Timestamp,
) -> Result<Option<Scheduled>, StoreError> {
    let Some(row) = store.schedule(&rack.id, key.as_str()).await? else {
        return Ok(None);
    };
    let freezes = freezes_of(store, &rack.workspace, now).await?;
    Scheduled::of(row, &freezes, now).map(Some)
}

/// Has a key of a rack be rolled by itself from now on; tells whether that is new.
///
/// # Errors
/// [`StoreError::Unfit`] for a key that the console cannot roll, and as the database's.
pub async fn set_schedule(
    store: &Store,
    rack: &RackRecord,
    key: RackKeyKind,
    schedule: &Schedule,
    by: Audited,
) -> Result<bool, StoreError> {
    if !rolls_itself(rack, key) {
        let told = format!(
            "rack {} is reached over its API, and rolls its SSH key when it is asked to",
            rack.name
        );
        return Err(StoreError::Unfit(told));
    }
    let sentence = schedule.to_string();
    store
        .set_schedule(&rack.id, key.as_str(), &sentence, by)
        .await
}

/// Tells whether the console can roll a key of a rack by itself.
#[must_use]
pub fn rolls_itself(rack: &RackRecord, key: RackKeyKind) -> bool {
    key == RackKeyKind::Api || rack.kind != RackKind::Api
}

/// Returns the freezes of an organization that are not over at `now`.
///
/// # Errors
/// As the database's.
pub(super) async fn freezes_of(
    store: &Store,
    workspace: &str,
    now: Timestamp,
) -> Result<Vec<Freeze>, StoreError> {
    let rows = store.freezes(workspace, now.as_millisecond()).await?;
    let freezes = rows.iter();
    Ok(freezes
        .map(|row| Freeze::of_millis(row.starts_at, row.ends_at))
        .collect())
}

impl Scheduled {
    /// Reads a row, and finds out when it is time next.
    ///
    /// # Errors
    /// [`StoreError::Shape`] when it holds no schedule, such as one in a time zone that this
    /// machine does not know.
    pub(super) fn of(
        row: ScheduleRow,
        freezes: &[Freeze],
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let shape = |_| StoreError::Shape("a schedule that cannot be read here");
        let schedule: Schedule = row.sentence.parse().map_err(shape)?;
        let at = |millis| Timestamp::from_millisecond(millis).unwrap_or_default();
        let past = Past {
            since: at(row.since()),
            tried: row.tried_at.map(at),
        };
        let next = next_roll(&schedule, past, now, freezes);
        Ok(Self {
            key: row
                .key_kind
                .parse()
                .map_err(|_| StoreError::Shape("a kind of key"))?,
            id: row.id,
            rack: row.rack,
            schedule,
            past,
            next,
        })
    }
}

impl Service {
    /// Returns the schedule of a key of a rack, and when it is rolled next, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn schedule_of(
        &self,
        rack: &RackRecord,
        key: RackKeyKind,
    ) -> Result<Option<Scheduled>, StoreError> {
        schedule_of(self.store(), rack, key, self.clock().now()).await
    }

    /// Returns when a key of a rack is rolled by itself next, if it is.
    ///
    /// # Errors
    /// As the database's.
    pub async fn next_roll(
        &self,
        rack: &RackRecord,
        key: RackKeyKind,
    ) -> Result<Option<Timestamp>, StoreError> {
        let scheduled = self.schedule_of(rack, key).await?;
        Ok(scheduled.and_then(|scheduled| scheduled.next))
    }

    /// Has a key of a rack be rolled by itself from now on, or not any more; tells whether that is
    /// new.
    ///
    /// # Errors
    /// As the database's.
    pub async fn set_schedule(
        &self,
        rack: &RackRecord,
        key: RackKeyKind,
        schedule: Option<&Schedule>,
        by: Audited,
    ) -> Result<bool, StoreError> {
        match schedule {
            Some(schedule) => set_schedule(self.store(), rack, key, schedule, by).await,
            None => {
                let store = self.store();
                store.remove_schedule(&rack.id, key.as_str(), by).await
            }
        }
    }
}
