//! Waves that begin by themselves.

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::StoreError;
use super::notices::{self, Notice, NoticeEvent};
use super::schedules::HeldSchedule;
use super::value::{Row, Value, args};
use crate::keys::{IdKind, new_id};

/// A wave that begins by itself, as it is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveSchedule {
    /// What it is called.
    pub name: String,
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: String,
    /// Patterns of the racks' names.
    pub racks: Vec<String>,
    /// The name of the rack that the others wait for.
    pub canary: Option<String>,
    /// How many racks are rolled at once, from 1.
    pub concurrency: i64,
    /// When, as a sentence.
    pub sentence: String,
}

/// A wave that begins by itself, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveScheduleRow {
    /// Its id.
    pub id: String,
    /// The organization's workspace.
    pub workspace: String,
    /// What was said.
    pub said: WaveSchedule,
    /// When it last began, or could not, in Unix ms.
    pub tried_at: Option<i64>,
}

const COLUMNS: &str =
    "id, workspace_id, name, key_kind, racks, canary, concurrency, sentence, tried_at";

impl Store {
    /// Has a wave begin by itself from now on, in the place of one of that name, in the
    /// organization in which this is audited; tells whether that is new.
    ///
    /// # Errors
    /// As the database's.
    pub async fn set_wave_schedule(
        &self,
        said: WaveSchedule,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let id = new_id(IdKind::Schedule, by.at(), &self.entropy);
        self.write(move |sql| {
            Box::pin(async move {
                let condition = "workspace_id = $1 AND name = $2";
                let args = args![by.workspace(), &said.name];
                let known = find(sql, condition, args).await?.pop();
                if known.as_ref().is_some_and(|known| known.said == said) {
                    return Ok(false);
                }
                let delete = "DELETE FROM wave_schedules WHERE workspace_id = $1 AND name = $2";
                sql.run(delete.into(), args![by.workspace(), &said.name])
                    .await?;
                let insert = "INSERT INTO wave_schedules (id, workspace_id, name, key_kind, racks, \
                              canary, concurrency, sentence, held_until, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0, $9)";
                let args = args![
                    &id,
                    by.workspace(),
                    &said.name,
                    &said.key_kind,
                    serde_json::json!(said.racks).to_string(),
                    &said.canary,
                    said.concurrency,
                    &said.sentence,
                    by.at()
                ];
                sql.run(insert.into(), args).await?;
                let told = format!("Wave {} begins {}", said.name, said.sentence);
                by.record(sql, "wave_schedule.set", &told, &[&id]).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Has a wave not begin by itself any more; tells whether it did.
    ///
    /// # Errors
    /// As the database's.
    pub async fn remove_wave_schedule(&self, name: &str, by: Audited) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let delete = "DELETE FROM wave_schedules WHERE workspace_id = $1 AND name = $2";
                if sql.run(delete.into(), args![by.workspace(), &name]).await? == 0 {
                    return Ok(false);
                }
                let told = format!("Wave {name} does not begin by itself any more");
                by.record(sql, "wave_schedule.remove", &told, &[]).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Lists the waves of an organization that begin by themselves, by name.
    ///
    /// # Errors
    /// As the database's.
    pub async fn wave_schedules(
        &self,
        workspace: &str,
    ) -> Result<Vec<WaveScheduleRow>, StoreError> {
        let args = args![workspace];
        self.read_once(move |sql| {
            Box::pin(async move { find(sql, "workspace_id = $1 ORDER BY name", args).await })
        })
        .await
    }

    /// Holds the schedule of a wave that nobody holds at `now` until `until`, both in Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn hold_wave_schedule(
        &self,
        now: i64,
        until: i64,
    ) -> Result<Option<WaveScheduleRow>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let condition = format!(
                    "held_until <= $1 ORDER BY held_until, id LIMIT 1{}",
                    sql.for_update_of_the_free()
                );
                let Some(found) = find(sql, &condition, args![now]).await?.pop() else {
                    return Ok(None);
                };
                let hold = "UPDATE wave_schedules SET held_until = $2 WHERE id = $1";
                sql.run(hold.into(), args![&found.id, until]).await?;
                Ok(Some(found))
            })
        })
        .await
    }

    /// Writes that a wave could not begin, and why; it is not tried again in the same window.
    ///
    /// # Errors
    /// As the database's.
    pub async fn wave_schedule_failed(
        &self,
        held: &HeldSchedule,
        name: &str,
        why: &str,
        by: Audited,
    ) -> Result<(), StoreError> {
        let (held, entropy) = (held.clone(), self.entropy.clone());
        let told = format!("Wave {name} is due, and could not begin: {why}");
        let notice = Notice {
            event: NoticeEvent::Failed,
            message: told.clone(),
            data: serde_json::json!({ "schedule": held.id }),
        };
        self.write(move |sql| {
            Box::pin(async move {
                if !tried(sql, &held, by.at()).await? {
                    return Ok(());
                }
                by.record(sql, "wave_schedule.failed", &told, &[&held.id])
                    .await?;
                notices::tell(sql, &notice, &by, &entropy).await
            })
        })
        .await
    }
}

/// Writes that a wave was tried at `at`, in Unix ms; tells whether its schedule was still held.
pub(super) async fn tried(
    sql: &mut dyn Sql,
    held: &HeldSchedule,
    at: i64,
) -> Result<bool, StoreError> {
    let update = "UPDATE wave_schedules SET tried_at = $3 WHERE id = $1 AND held_until = $2";
    let changed = sql.run(update.into(), args![&held.id, held.until, at]);
    Ok(changed.await? == 1)
}

async fn find(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Vec<WaveScheduleRow>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM wave_schedules WHERE {condition}");
    sql.all(query, args, read).await
}

fn read(row: &mut Row) -> Result<WaveScheduleRow, StoreError> {
    Ok(WaveScheduleRow {
        id: row.text()?,
        workspace: row.text()?,
        said: WaveSchedule {
            name: row.text()?,
            key_kind: row.text()?,
            racks: serde_json::from_str(&row.text()?)
                .map_err(|_| StoreError::Shape("racks of a wave"))?,
            canary: row.maybe_text()?,
            concurrency: row.int()?,
            sentence: row.text()?,
        },
        tried_at: row.maybe_int()?,
    })
}
