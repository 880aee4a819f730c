//! Waves of rolls as rows: which racks come when, and what has become of each.

use serde_json::Value as Json;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::notices::{self, Notice, NoticeEvent};
use super::schedules::{DONE, HeldSchedule};
use super::value::{Row, Value, args};
use super::wave_schedules;
use crate::keys::{IdKind, new_id};

/// A wave that is to begin.
#[derive(Debug, Clone)]
pub struct NewWave {
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: &'static str,
    /// How many racks are rolled at once, from 1.
    pub concurrency: i64,
    /// Who asked for it, if it was a person.
    pub person: Option<String>,
    /// By which schedule of a wave it begins, which is held, and when rolls of it may begin.
    pub schedule: Option<(HeldSchedule, String)>,
    /// The racks, by their ids, in order.
    pub racks: Vec<String>,
    /// Whether the first of them is a canary: the others wait until its roll has ended well.
    pub has_canary: bool,
}

/// A wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRow {
    /// Its id.
    pub id: String,
    /// The organization's workspace.
    pub workspace: String,
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: String,
    /// How many racks are rolled at once.
    pub concurrency: i64,
    /// Who asked for it, if it was a person.
    pub person: Option<String>,
    /// The schedule by which it began.
    pub schedule: Option<String>,
    /// When rolls of it may begin, as a sentence; at any time if there is none.
    pub sentence: Option<String>,
    /// When it began, in Unix ms.
    pub created_at: i64,
    /// Why no more rolls begin.
    pub stopped: Option<String>,
    /// When it ended, in Unix ms.
    pub ended_at: Option<i64>,
}

/// A rack of a wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaveRack {
    /// Its place, from 0.
    pub number: i64,
    /// The id of the rack.
    pub rack: String,
    /// What the rack is called.
    pub name: String,
    /// Whether the others wait for it.
    pub is_canary: bool,
    /// The roll, once it has begun.
    pub roll: Option<String>,
    /// How it stands.
    pub state: WaveRackState,
}

/// How a rack of a wave stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaveRackState {
    /// It has not begun.
    Waiting,
    /// Its roll is under way.
    Rolling,
    /// Its roll has not gone well and is not over: it is tried again, and why.
    Left(String),
    /// Its roll has ended well.
    Done,
    /// Its roll could not begin, or has ended otherwise, and how.
    Failed(String),
}

const COLUMNS: &str = "id, workspace_id, key_kind, concurrency, person_id, schedule_id, sentence, \
     created_at, stopped, ended_at";

impl Store {
    /// Begins a wave in the organization in which this is audited, and returns its id.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when one of the racks is not the organization's,
    /// [`StoreError::Unfit`] when the schedule is not held any more.
    pub async fn begin_wave(&self, new: NewWave, by: Audited) -> Result<String, StoreError> {
        let id = new_id(IdKind::Wave, by.at(), &self.entropy);
        self.write(move |sql| {
            Box::pin(async move {
                if let Some((held, _)) = &new.schedule
                    && !wave_schedules::tried(sql, held, by.at()).await?
                {
                    let told = "somebody else looks at the schedule by now";
                    return Err(StoreError::Unfit(told.to_owned()));
                }
                let insert = "INSERT INTO waves (id, workspace_id, key_kind, concurrency, \
                              person_id, schedule_id, sentence, held_until, created_at) \
                              VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";
                let (schedule, sentence) = new.schedule.clone().unzip();
                let args = args![
                    &id,
                    by.workspace(),
                    new.key_kind,
                    new.concurrency,
                    &new.person,
                    schedule.map(|held| held.id),
                    sentence,
                    by.at()
                ];
                sql.run(insert.into(), args).await?;
                for (number, rack) in (0_i64..).zip(&new.racks) {
                    let insert = "INSERT INTO wave_racks (wave_id, number, rack_id, is_canary) \
                                  SELECT $1, $2, id, $4 FROM racks WHERE id = $3 \
                                  AND workspace_id = $5 AND deleted_at IS NULL";
                    let is_canary = new.has_canary && number == 0;
                    let args = args![&id, number, rack, is_canary, by.workspace()];
                    if sql.run(insert.into(), args).await? == 0 {
                        return Err(StoreError::NotFound(Thing::Rack));
                    }
                }
                let (count, key) = (new.racks.len(), new.key_kind);
                let told = format!("Began a wave: the {key} keys of {count} racks");
                let mut targets = vec![id.as_str()];
                targets.extend(new.schedule.iter().map(|(held, _)| held.id.as_str()));
                by.record(sql, "wave.begin", &told, &targets).await?;
                Ok(id)
            })
        })
        .await
    }

    /// Lists at most `limit` waves of an organization, the newest first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn waves(&self, workspace: &str, limit: i64) -> Result<Vec<WaveRow>, StoreError> {
        let args = args![workspace, limit];
        self.read_once(move |sql| {
            Box::pin(
                async move { find(sql, "workspace_id = $1 ORDER BY id DESC LIMIT $2", args).await },
            )
        })
        .await
    }

    /// Tells whether a wave that a schedule has begun has not ended.
    ///
    /// # Errors
    /// As the database's.
    pub async fn has_wave_under_way(&self, schedule: &str) -> Result<bool, StoreError> {
        let args = args![schedule];
        self.read_once(move |sql| {
            Box::pin(async move {
                let found = find(sql, "schedule_id = $1 AND ended_at IS NULL LIMIT 1", args);
                Ok(!found.await?.is_empty())
            })
        })
        .await
    }

    /// Returns a wave of an organization, with its racks in order.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has none of that id.
    pub async fn wave(
        &self,
        workspace: &str,
        id: &str,
    ) -> Result<(WaveRow, Vec<WaveRack>), StoreError> {
        let (id, args) = (id.to_owned(), args![id, workspace]);
        self.read(move |sql| {
            Box::pin(async move {
                let wave = find(sql, "id = $1 AND workspace_id = $2", args).await?;
                let wave = wave.into_iter().next();
                let wave = wave.ok_or(StoreError::NotFound(Thing::Wave))?;
                Ok((wave, racks_of(sql, &id).await?))
            })
        })
        .await
    }

    /// Holds a wave that has not ended and that nobody holds at `now` until `until`, both in Unix
    /// ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn hold_wave(&self, now: i64, until: i64) -> Result<Option<WaveRow>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let condition = format!(
                    "ended_at IS NULL AND held_until <= $1 ORDER BY held_until, id LIMIT 1{}",
                    sql.for_update_of_the_free()
                );
                let Some(wave) = find(sql, &condition, args![now]).await?.pop() else {
                    return Ok(None);
                };
                let hold = "UPDATE waves SET held_until = $2 WHERE id = $1";
                sql.run(hold.into(), args![&wave.id, until]).await?;
                Ok(Some(wave))
            })
        })
        .await
    }

    /// Has nobody see to a wave before `until`, in Unix ms, but whoever says so.
    ///
    /// # Errors
    /// As the database's.
    pub async fn leave_wave(&self, wave: &str, until: i64) -> Result<(), StoreError> {
        let args = args![wave, until];
        self.write(move |sql| {
            Box::pin(async move {
                let hold = "UPDATE waves SET held_until = $2 WHERE id = $1";
                sql.run(hold.into(), args).await.map(drop)
            })
        })
        .await
    }

    /// Writes why the roll of a rack of a wave could not begin.
    ///
    /// # Errors
    /// As the database's.
    pub async fn wave_refused(
        &self,
        wave: &WaveRow,
        rack: &WaveRack,
        why: &str,
        by: Audited,
    ) -> Result<(), StoreError> {
        let args = args![&wave.id, rack.number, why];
        let told = format!("{}: the roll could not begin: {why}", rack.name);
        let notice = Notice::of_rack(NoticeEvent::Failed, told, &rack.name, &wave.key_kind)
            .with("wave", Some(&wave.id));
        let entropy = self.entropy.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let update = "UPDATE wave_racks SET refused = $3 \
                              WHERE wave_id = $1 AND number = $2 AND roll_id IS NULL";
                if sql.run(update.into(), args).await? == 0 {
                    return Ok(());
                }
                notices::tell(sql, &notice, &by, &entropy).await
            })
        })
        .await
    }

    /// Has no more rolls of a wave begin, in the organization in which this is audited; those that
    /// are under way go on.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when it has no such wave under way, or that is stopped already.
    pub async fn stop_wave(&self, wave: &str, why: &str, by: Audited) -> Result<(), StoreError> {
        let (wave, why) = (wave.to_owned(), why.to_owned());
        self.write(move |sql| {
            Box::pin(async move {
                let stop = "UPDATE waves SET stopped = $2, held_until = 0 WHERE id = $1 \
                            AND workspace_id = $3 AND stopped IS NULL AND ended_at IS NULL";
                let args = args![&wave, &why, by.workspace()];
                if sql.run(stop.into(), args).await? == 0 {
                    return Err(StoreError::NotFound(Thing::Wave));
                }
                let told = format!("Stopped wave {wave}: {why}");
                by.record(sql, "wave.stop", &told, &[&wave]).await
            })
        })
        .await
    }

    /// Writes that nothing of a wave is under way any more.
    ///
    /// # Errors
    /// As the database's.
    pub async fn end_wave(&self, wave: &str, by: Audited) -> Result<(), StoreError> {
        let wave = wave.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let end = "UPDATE waves SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL";
                if sql.run(end.into(), args![&wave, by.at()]).await? == 0 {
                    return Ok(());
                }
                let racks = racks_of(sql, &wave).await?;
                let done = racks.iter().filter(|it| it.state == WaveRackState::Done);
                let told = format!(
                    "Wave {wave} ended: {} of {} racks",
                    done.count(),
                    racks.len()
                );
                by.record(sql, "wave.end", &told, &[&wave]).await
            })
        })
        .await
    }
}

/// Puts a roll that begins in its place of a wave; tells whether it may begin.
pub(super) async fn put_roll(
    sql: &mut dyn Sql,
    (wave, number): (&str, i64),
    roll: &str,
) -> Result<bool, StoreError> {
    let lock = format!(
        "SELECT id FROM waves WHERE id = $1 AND stopped IS NULL AND ended_at IS NULL{}",
        sql.for_update()
    );
    if sql.row(lock, args![wave]).await?.is_none() {
        return Ok(false);
    }
    let update = "UPDATE wave_racks SET roll_id = $3 WHERE wave_id = $1 AND number = $2 \
                  AND roll_id IS NULL AND refused IS NULL";
    Ok(sql.run(update.into(), args![wave, number, roll]).await? == 1)
}

async fn find(
    sql: &mut dyn Sql,
    condition: &str,
    args: Vec<Value>,
) -> Result<Vec<WaveRow>, StoreError> {
    let query = format!("SELECT {COLUMNS} FROM waves WHERE {condition}");
    sql.all(query, args, |row| {
        Ok(WaveRow {
            id: row.text()?,
            workspace: row.text()?,
            key_kind: row.text()?,
            concurrency: row.int()?,
            person: row.maybe_text()?,
            schedule: row.maybe_text()?,
            sentence: row.maybe_text()?,
            created_at: row.int()?,
            stopped: row.maybe_text()?,
            ended_at: row.maybe_int()?,
        })
    })
    .await
}

async fn racks_of(sql: &mut dyn Sql, wave: &str) -> Result<Vec<WaveRack>, StoreError> {
    let query = "SELECT m.number, m.rack_id, r.name, m.is_canary, m.roll_id, m.refused, o.ended_at, \
                 o.report, CASE WHEN o.report LIKE $2 THEN 1 ELSE 0 END FROM wave_racks m \
                 JOIN racks r ON r.id = m.rack_id LEFT JOIN rolls o ON o.id = m.roll_id \
                 WHERE m.wave_id = $1 ORDER BY m.number";
    sql.all(query, args![wave, DONE], read_rack).await
}

fn read_rack(row: &mut Row) -> Result<WaveRack, StoreError> {
    let (number, rack, name) = (row.int()?, row.text()?, row.text()?);
    let (is_canary, roll, refused) = (row.flag()?, row.maybe_text()?, row.maybe_text()?);
    let (ended, report, is_done) = (row.maybe_int()?, row.maybe_json()?, row.int()? == 1);
    let state = match (refused, &roll, ended) {
        (Some(why), ..) => WaveRackState::Failed(why),
        (None, None, _) => WaveRackState::Waiting,
        (None, Some(_), None) if report.is_some() => WaveRackState::Left(message(report)),
        (None, Some(_), None) => WaveRackState::Rolling,
        (None, Some(_), Some(_)) if is_done => WaveRackState::Done,
        (None, Some(_), Some(_)) => WaveRackState::Failed(message(report)),
    };
    Ok(WaveRack {
        number,
        rack,
        name,
        is_canary,
        roll,
        state,
    })
}

/// Returns what a report says in words.
fn message(report: Option<Json>) -> String {
    let said = report.and_then(|report| report["message"].as_str().map(str::to_owned));
    said.unwrap_or_else(|| "given up".to_owned())
}
