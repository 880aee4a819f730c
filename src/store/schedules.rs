//! Schedules: when keys of racks are rolled by themselves.
//!
//! Whoever looks whether it is time holds the schedule for a while, so that of several servers one
//! begins the roll. What a hold that is over would write is not written.

use std::collections::HashMap;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::notices::{self, Notice, NoticeEvent};
use super::racks::RackRecord;
use super::value::{Row, Value, args};
use crate::keys::{IdKind, new_id};

/// A schedule of one key of a rack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleRow {
    /// Its id.
    pub id: String,
    /// The rack.
    pub rack: String,
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: String,
    /// When, as a sentence.
    pub sentence: String,
    /// When the last roll of the key that ended well began, in Unix ms.
    pub rolled_at: Option<i64>,
    /// When the key was made, as far as the rack told, in Unix ms.
    pub key_since: Option<i64>,
    /// When the console came to know the rack, in Unix ms.
    pub known_since: i64,
    /// When this schedule last tried to roll the key, in Unix ms.
    pub tried_at: Option<i64>,
}

impl ScheduleRow {
    /// Returns since when there is the key, as far as anybody knows, in Unix ms.
    #[must_use]
    pub fn since(&self) -> i64 {
        // Somebody may have rolled it elsewhere since.
        let told = self.rolled_at.max(self.key_since);
        told.unwrap_or(self.known_since)
    }
}

/// A schedule that somebody looks at alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSchedule {
    /// Its id.
    pub id: String,
    /// Until when, in Unix ms: nobody else holds one until the same.
    pub until: i64,
}

/// A roll ended well if its report begins so, as they are written.
pub(super) const DONE: &str = "{\"outcome\":\"done\"%";

const COLUMNS: &str = "s.id, s.rack_id, s.key_kind, s.sentence, (SELECT MAX(o.created_at) \
     FROM rolls o WHERE o.rack_id = s.rack_id AND o.key_kind = s.key_kind AND o.ended_at IS NOT NULL \
     AND o.report LIKE $1), s.key_since, r.created_at, s.tried_at";

impl Store {
    /// Says when a key of a rack is rolled from now on; tells whether that is new.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the rack is not of the organization in which this is audited.
    pub async fn set_schedule(
        &self,
        rack: &str,
        key_kind: &str,
        sentence: &str,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (rack, key_kind) = (rack.to_owned(), key_kind.to_owned());
        let sentence = sentence.to_owned();
        let id = new_id(IdKind::Schedule, by.at(), &self.entropy);
        self.write(move |sql| {
            Box::pin(async move {
                let name = lock_rack(sql, &rack, &by).await?;
                let known = find(
                    sql,
                    "s.rack_id = $2 AND s.key_kind = $3",
                    args![&rack, &key_kind],
                )
                .await?
                .pop();
                let id = match known {
                    Some(known) if known.sentence == sentence => return Ok(false),
                    Some(known) => {
                        let update = "UPDATE schedules SET sentence = $2, tried_at = NULL, \
                                      held_until = 0 WHERE id = $1";
                        sql.run(update.into(), args![&known.id, &sentence]).await?;
                        known.id
                    }
                    None => {
                        let insert = "INSERT INTO schedules (id, rack_id, key_kind, sentence, \
                                      held_until, created_at) VALUES ($1, $2, $3, $4, 0, $5)";
                        let args = args![&id, &rack, &key_kind, &sentence, by.at()];
                        sql.run(insert.into(), args).await?;
                        id
                    }
                };
                let told = format!("The {key_kind} key of {name} is rolled {sentence}");
                by.record(sql, "schedule.set", &told, &[&rack, &id]).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Has a key of a rack not be rolled by itself any more; tells whether it was.
    ///
    /// # Errors
    /// As [`set_schedule`](Self::set_schedule)'s.
    pub async fn remove_schedule(
        &self,
        rack: &str,
        key_kind: &str,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (rack, key_kind) = (rack.to_owned(), key_kind.to_owned());
        self.write(move |sql| {
            Box::pin(async move {
                let name = lock_rack(sql, &rack, &by).await?;
                let delete = "DELETE FROM schedules WHERE rack_id = $1 AND key_kind = $2";
                if sql.run(delete.into(), args![&rack, &key_kind]).await? == 0 {
                    return Ok(false);
                }
                let told = format!("The {key_kind} key of {name} is not rolled by itself any more");
                by.record(sql, "schedule.remove", &told, &[&rack]).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Lists the schedules of an organization's racks, by rack and key.
    ///
    /// # Errors
    /// As the database's.
    pub async fn schedules(&self, workspace: &str) -> Result<Vec<ScheduleRow>, StoreError> {
        let args = args![workspace];
        self.read_once(move |sql| {
            Box::pin(async move {
                let condition = "r.workspace_id = $2 ORDER BY r.name, s.key_kind DESC";
                find(sql, condition, args).await
            })
        })
        .await
    }

    /// Returns the schedule of a key of a rack, if there is one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn schedule(
        &self,
        rack: &str,
        key_kind: &str,
    ) -> Result<Option<ScheduleRow>, StoreError> {
        let args = args![rack, key_kind];
        self.read_once(move |sql| {
            Box::pin(async move {
                let condition = "s.rack_id = $2 AND s.key_kind = $3";
                Ok(find(sql, condition, args).await?.pop())
            })
        })
        .await
    }

    /// Returns when the last roll of that key that ended well began, in Unix ms, by the ids of an
    /// organization's racks.
    ///
    /// # Errors
    /// As the database's.
    pub async fn last_good_rolls(
        &self,
        workspace: &str,
        key_kind: &str,
    ) -> Result<HashMap<String, i64>, StoreError> {
        let args = args![workspace, key_kind, DONE];
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT o.rack_id, MAX(o.created_at) FROM rolls o \
                             JOIN racks r ON r.id = o.rack_id WHERE r.workspace_id = $1 \
                             AND o.key_kind = $2 AND o.ended_at IS NOT NULL AND o.report LIKE $3 \
                             GROUP BY o.rack_id";
                let read = |row: &mut Row| Ok((row.text()?, row.int()?));
                Ok(sql.all(query, args, read).await?.into_iter().collect())
            })
        })
        .await
    }

    /// Holds a schedule that nobody holds at `now` until `until`, both in Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn hold_schedule(
        &self,
        now: i64,
        until: i64,
    ) -> Result<Option<ScheduleRow>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT id FROM schedules WHERE held_until <= $1 \
                     ORDER BY held_until, id LIMIT 1{}",
                    sql.for_update_of_the_free()
                );
                let Some(mut row) = sql.row(query, args![now]).await? else {
                    return Ok(None);
                };
                let id = row.text()?;
                let hold = "UPDATE schedules SET held_until = $2 WHERE id = $1";
                sql.run(hold.into(), args![&id, until]).await?;
                Ok(find(sql, "s.id = $2", args![id]).await?.pop())
            })
        })
        .await
    }

    /// Holds a schedule on until `until`, in Unix ms; none if it is not held any more.
    ///
    /// # Errors
    /// As the database's.
    pub async fn hold_on(
        &self,
        held: &HeldSchedule,
        until: i64,
    ) -> Result<Option<HeldSchedule>, StoreError> {
        let (held, mut next) = (held.clone(), held.clone());
        next.until = until;
        self.write(move |sql| {
            Box::pin(async move {
                let hold = "UPDATE schedules SET held_until = $3 WHERE id = $1 AND held_until = $2";
                let held = sql
                    .run(hold.into(), args![held.id, held.until, until])
                    .await?;
                Ok((held == 1).then_some(next))
            })
        })
        .await
    }

    /// Writes when the key of a schedule was made, in Unix ms, as the rack tells.
    ///
    /// # Errors
    /// As the database's.
    pub async fn learn_age(&self, schedule: &str, since: i64) -> Result<(), StoreError> {
        let args = args![schedule, since];
        self.write(move |sql| {
            Box::pin(async move {
                let update = "UPDATE schedules SET key_since = $2 WHERE id = $1";
                sql.run(update.into(), args).await.map(drop)
            })
        })
        .await
    }

    /// Writes that the roll of a schedule could not begin, and why; it is not tried again in the
    /// same window. Tells whether the schedule was still held.
    ///
    /// # Errors
    /// As the database's.
    pub async fn schedule_failed(
        &self,
        held: &HeldSchedule,
        rack: &RackRecord,
        key_kind: &'static str,
        why: &str,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (held, why) = (held.clone(), why.to_owned());
        let (rack, name, entropy) = (rack.id.clone(), rack.name.clone(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                if !tried(sql, &held, by.at()).await? {
                    return Ok(false);
                }
                let told = format!("The roll that was scheduled could not begin: {why}");
                by.record(sql, "schedule.failed", &told, &[&rack, &held.id])
                    .await?;
                let told = format!("The {key_kind} key of {name} is due, and is not rolled: {why}");
                let notice = Notice::of_rack(NoticeEvent::Failed, told, &name, key_kind)
                    .with("schedule", Some(&held.id));
                notices::tell(sql, &notice, &by, &entropy).await?;
                Ok(true)
            })
        })
        .await
    }
}

/// Writes that a schedule was tried at `at`, in Unix ms; tells whether it was still held.
pub(super) async fn tried(
    sql: &mut dyn Sql,
    held: &HeldSchedule,
    at: i64,
) -> Result<bool, StoreError> {
    let update = "UPDATE schedules SET tried_at = $3 WHERE id = $1 AND held_until = $2";
    let changed = sql
        .run(update.into(), args![&held.id, held.until, at])
        .await?;
    Ok(changed == 1)
}

/// Forgets the schedules of a rack.
pub(super) async fn forget(sql: &mut dyn Sql, rack: &str) -> Result<(), StoreError> {
    let delete = "DELETE FROM schedules WHERE rack_id = $1";
    sql.run(delete.into(), args![rack]).await.map(drop)
}

/// Keeps others from changing a rack until the transaction ends, and returns its name.
async fn lock_rack(sql: &mut dyn Sql, rack: &str, by: &Audited) -> Result<String, StoreError> {
    let lock = format!(
        "SELECT name FROM racks WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL{}",
        sql.for_update()
    );
    let row = sql.row(lock, args![rack, by.workspace()]).await?;
    row.ok_or(StoreError::NotFound(Thing::Rack))?.text()
}

async fn find(
    sql: &mut dyn Sql,
    condition: &str,
    mut more: Vec<Value>,
) -> Result<Vec<ScheduleRow>, StoreError> {
    let query = format!(
        "SELECT {COLUMNS} FROM schedules s JOIN racks r ON r.id = s.rack_id \
         WHERE r.deleted_at IS NULL AND {condition}"
    );
    let mut args = args![DONE];
    args.append(&mut more);
    sql.all(query, args, read).await
}

fn read(row: &mut Row) -> Result<ScheduleRow, StoreError> {
    Ok(ScheduleRow {
        id: row.text()?,
        rack: row.text()?,
        key_kind: row.text()?,
        sentence: row.text()?,
        rolled_at: row.maybe_int()?,
        key_since: row.maybe_int()?,
        known_since: row.int()?,
        tried_at: row.maybe_int()?,
    })
}
