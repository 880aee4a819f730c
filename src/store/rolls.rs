//! Rolls of racks' keys as rows: claimed with a lease, journaled here, taken up by another process
//! when a lease runs out.
//!
//! Whoever is at work on a roll does so for a term, which counts up with every claim. Nothing is
//! written on behalf of a term that is over.

use std::fmt;
use std::str::FromStr;

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::notices::{self, Notice, NoticeEvent};
use super::racks::RackRecord;
use super::schedules::DONE;
use super::schedules::{self, HeldSchedule};
use super::value::{Row, Value, args};
use super::waves;
use crate::ids::Entropy;

/// Which key of a rack is rolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RackKeyKind {
    /// The one that opens its instances.
    Ssh,
    /// The one of its API.
    Api,
}

impl RackKeyKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Ssh, Self::Api];

    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Api => "api",
        }
    }
}

impl fmt::Display for RackKeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The text names no key of a rack.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key of a rack (ssh, api)")]
pub struct BadRackKeyKind(String);

impl FromStr for RackKeyKind {
    type Err = BadRackKeyKind;

    fn from_str(text: &str) -> Result<Self, BadRackKeyKind> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        found.ok_or_else(|| BadRackKeyKind(text.to_owned()))
    }
}

/// Why a roll begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Cause {
    /// Somebody asks for it.
    #[default]
    Asked,
    /// It is time, by a schedule.
    Schedule(HeldSchedule),
    /// It is the rack's turn in a wave.
    Wave {
        /// The id of the wave.
        wave: String,
        /// The rack's place in it.
        number: i64,
    },
}

impl Cause {
    fn schedule(&self) -> Option<&str> {
        match self {
            Self::Schedule(held) => Some(&held.id),
            _ => None,
        }
    }

    fn wave(&self) -> Option<&str> {
        match self {
            Self::Wave { wave, .. } => Some(wave),
            _ => None,
        }
    }
}

/// A roll that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRoll {
    /// Its id.
    pub id: String,
    /// The rack.
    pub rack: String,
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: &'static str,
    /// Who asked for it, if it was a person.
    pub person: Option<String>,
    /// What is going to be done, as JSON.
    pub plan: String,
    /// Why.
    pub cause: Cause,
}

/// A roll.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollRow {
    /// Its id.
    pub id: String,
    /// The rack.
    pub rack: String,
    /// Which key is rolled: `ssh` or `api`.
    pub key_kind: String,
    /// Who asked for it, if it was a person.
    pub person: Option<String>,
    /// What was going to be done, as JSON.
    pub plan: String,
    /// How often somebody has begun to work on it.
    pub term: i64,
    /// Until when somebody is at work on it, in Unix ms.
    pub lease_until: i64,
    /// When it began, in Unix ms.
    pub created_at: i64,
    /// When it ended, in Unix ms.
    pub ended_at: Option<i64>,
    /// How it ended, as JSON.
    pub report: Option<String>,
    /// The id of the schedule by which it began.
    pub schedule: Option<String>,
    /// The id of the wave that it belongs to.
    pub wave: Option<String>,
}

/// What the rolls of a rack come to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RackRolls {
    /// The rack.
    pub rack: String,
    /// The roll that is not over.
    pub under_way: Option<String>,
    /// When the SSH key was last rolled well, in Unix ms.
    pub ssh_rolled: Option<i64>,
    /// When the key of the rack's API was, in Unix ms.
    pub api_rolled: Option<i64>,
}

const COLUMNS: &str = "id, rack_id, key_kind, person_id, plan, term, lease_until, created_at, \
     ended_at, report, schedule_id, wave_id";

impl Store {
    /// Makes a roll, with whoever makes it at work on it until `lease_until`, for its first term.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the rack is gone, [`StoreError::Unfit`] while another roll of
    /// it is under way, or when the schedule is not held or the wave not under way any more.
    pub async fn begin_roll(
        &self,
        new: NewRoll,
        lease_until: i64,
        by: Audited,
    ) -> Result<(), StoreError> {
        let entropy = self.entropy.clone();
        self.write(move |sql| {
            Box::pin(async move {
                let lock = format!(
                    "SELECT name FROM racks WHERE id = $1 AND deleted_at IS NULL{}",
                    sql.for_update()
                );
                let rack = sql.row(lock, args![&new.rack]).await?;
                let rack = rack.ok_or(StoreError::NotFound(Thing::Rack))?.text()?;
                let other = "SELECT id FROM rolls WHERE rack_id = $1 AND ended_at IS NULL";
                if let Some(mut row) = sql.row(other, args![&new.rack]).await? {
                    let told = format!("roll {} of the rack is under way", row.text()?);
                    return Err(StoreError::Unfit(told));
                }
                if let Cause::Schedule(held) = &new.cause
                    && !schedules::tried(sql, held, by.at()).await?
                {
                    let told = "somebody else looks at the schedule by now";
                    return Err(StoreError::Unfit(told.to_owned()));
                }
                let insert = "INSERT INTO rolls (id, rack_id, key_kind, person_id, plan, term, \
                              lease_until, created_at, schedule_id, wave_id) \
                              VALUES ($1, $2, $3, $4, $5, 1, $6, $7, $8, $9)";
                let args = args![
                    &new.id,
                    &new.rack,
                    new.key_kind,
                    &new.person,
                    &new.plan,
                    lease_until,
                    by.at(),
                    new.cause.schedule(),
                    new.cause.wave()
                ];
                sql.run(insert.into(), args).await?;
                if let Cause::Wave { wave, number } = &new.cause
                    && !waves::put_roll(sql, (wave, *number), &new.id).await?
                {
                    let told = "it is not the rack's turn in the wave any more";
                    return Err(StoreError::Unfit(told.to_owned()));
                }
                let told = format!("Began to roll the {} key of {rack}", new.key_kind);
                let mut targets = vec![new.rack.as_str(), &new.id];
                targets.extend(new.cause.schedule().or(new.cause.wave()));
                by.record(sql, "roll.begin", &told, &targets).await?;
                let notice = Notice::of_rack(NoticeEvent::Started, told, &rack, new.key_kind)
                    .with("roll", Some(&new.id))
                    .with("schedule", new.cause.schedule())
                    .with("wave", new.cause.wave());
                notices::tell(sql, &notice, &by, &entropy).await
            })
        })
        .await
    }

    /// Takes up a roll at which nobody is at work at `now`, in Unix ms, for a new term that lasts
    /// until `lease_until`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn claim_roll(
        &self,
        now: i64,
        lease_until: i64,
    ) -> Result<Option<RollRow>, StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let query = format!(
                    "SELECT {COLUMNS} FROM rolls WHERE ended_at IS NULL AND lease_until <= $1 \
                     ORDER BY lease_until, id LIMIT 1{}",
                    sql.for_update_of_the_free()
                );
                let Some(mut row) = sql.row(query, args![now]).await? else {
                    return Ok(None);
                };
                let mut roll = read_roll(&mut row)?;
                roll.term += 1;
                roll.lease_until = lease_until;
                let claim = "UPDATE rolls SET term = $2, lease_until = $3 WHERE id = $1";
                sql.run(claim.into(), args![&roll.id, roll.term, lease_until])
                    .await?;
                Ok(Some(roll))
            })
        })
        .await
    }

    /// Goes on with a term until `lease_until`; tells whether it is still that term.
    ///
    /// # Errors
    /// As the database's.
    pub async fn renew_roll(
        &self,
        roll: &str,
        term: i64,
        lease_until: i64,
    ) -> Result<bool, StoreError> {
        let roll = roll.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let renew = "UPDATE rolls SET lease_until = $3 \
                             WHERE id = $1 AND term = $2 AND ended_at IS NULL";
                Ok(sql
                    .run(renew.into(), args![roll, term, lease_until])
                    .await?
                    == 1)
            })
        })
        .await
    }

    /// Writes the next line of a roll's journal; tells whether the term is not over. If it is,
    /// nothing is written.
    ///
    /// # Errors
    /// As the database's.
    pub async fn write_roll_line(
        &self,
        roll: &str,
        term: i64,
        line: String,
    ) -> Result<bool, StoreError> {
        self.append(LINES, roll, term, vec![line]).await
    }

    /// Keeps what was seen of a roll, as [`write_roll_line`](Self::write_roll_line) does.
    ///
    /// # Errors
    /// As the database's.
    pub async fn write_roll_events(
        &self,
        roll: &str,
        term: i64,
        events: Vec<String>,
    ) -> Result<bool, StoreError> {
        self.append(EVENTS, roll, term, events).await
    }

    async fn append(
        &self,
        kept: Kept,
        roll: &str,
        term: i64,
        texts: Vec<String>,
    ) -> Result<bool, StoreError> {
        let roll = roll.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                if !hold_term(sql, &roll, term, kept.when).await? {
                    return Ok(false);
                }
                let Kept { table, column, .. } = kept;
                let last =
                    format!("SELECT COALESCE(MAX(number), 0) FROM {table} WHERE roll_id = $1");
                let last = sql.row(last, args![&roll]).await?;
                let mut number = last.map_or(Ok(0), |mut row| row.int())?;
                let insert =
                    format!("INSERT INTO {table} (roll_id, number, {column}) VALUES ($1, $2, $3)");
                for text in &texts {
                    number += 1;
                    sql.run(insert.clone().into(), args![&roll, number, text])
                        .await?;
                }
                Ok(true)
            })
        })
        .await
    }

    /// Writes how a roll ended; tells whether the term was not over.
    ///
    /// # Errors
    /// As the database's.
    pub async fn end_roll(
        &self,
        roll: &str,
        term: i64,
        report: String,
        rack: &RackRecord,
        outcome: &str,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (roll, outcome) = (roll.to_owned(), outcome.to_owned());
        let (rack, name) = (rack.id.clone(), rack.full_name());
        let entropy = self.entropy.clone();
        self.write(move |sql| {
            Box::pin(async move {
                if !hold_term(sql, &roll, term, UNDER_WAY).await? {
                    return Ok(false);
                }
                let end = "UPDATE rolls SET ended_at = $2, report = $3 WHERE id = $1";
                sql.run(end.into(), args![&roll, by.at(), &report]).await?;
                let told = format!("Roll {roll} of {name} ended: {outcome}");
                by.record(sql, "roll.end", &told, &[&rack, &roll]).await?;
                tell_of_end(sql, &roll, &report, &by, &entropy).await?;
                Ok(true)
            })
        })
        .await
    }

    /// Writes how a roll stands that is not over, and lets others take it up from `lease_until` on;
    /// tells whether the term was not over. The first time, whoever wants to know is told.
    ///
    /// # Errors
    /// As the database's.
    pub async fn leave_roll(
        &self,
        roll: &str,
        term: i64,
        report: String,
        lease_until: i64,
        by: Audited,
    ) -> Result<bool, StoreError> {
        let (roll, entropy) = (roll.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                if !hold_term(sql, &roll, term, UNDER_WAY).await? {
                    return Ok(false);
                }
                let before = "SELECT report FROM rolls WHERE id = $1";
                let before = sql.row(before, args![&roll]).await?;
                let before = before.map_or(Ok(None), |mut row| row.maybe_text())?;
                let leave = "UPDATE rolls SET report = $2, lease_until = $3 WHERE id = $1";
                sql.run(leave.into(), args![&roll, &report, lease_until])
                    .await?;
                if before.is_none() {
                    tell_of_end(sql, &roll, &report, &by, &entropy).await?;
                }
                Ok(true)
            })
        })
        .await
    }

    /// Ends a roll as it stands: nobody works on it any more.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when no roll of that id is under way in the organization in which
    /// this is audited.
    pub async fn give_up_roll(&self, roll: &str, by: Audited) -> Result<(), StoreError> {
        let (roll, entropy) = (roll.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let end = "UPDATE rolls SET ended_at = $2, term = term + 1 \
                           WHERE id = $1 AND ended_at IS NULL AND rack_id IN \
                           (SELECT id FROM racks WHERE workspace_id = $3)";
                let args = args![&roll, by.at(), by.workspace()];
                if sql.run(end.into(), args).await? == 0 {
                    return Err(StoreError::NotFound(Thing::Roll));
                }
                let forget = "UPDATE racks SET next_password = NULL, next_sealed_with = NULL, \
                              next_roll = NULL WHERE next_roll = $1";
                sql.run(forget.into(), args![&roll]).await?;
                let told = format!("Gave up roll {roll}");
                by.record(sql, "roll.give_up", &told, &[&roll]).await?;
                tell_of_end(sql, &roll, "{}", &by, &entropy).await
            })
        })
        .await
    }

    /// Returns the lines of a roll's journal, from the first to the last.
    ///
    /// # Errors
    /// As the database's.
    pub async fn roll_lines(&self, roll: &str) -> Result<Vec<String>, StoreError> {
        self.kept(LINES, roll, 0).await
    }

    /// Returns what was seen of a roll after the event of number `after`, from 1.
    ///
    /// # Errors
    /// As the database's.
    pub async fn roll_events(&self, roll: &str, after: i64) -> Result<Vec<String>, StoreError> {
        self.kept(EVENTS, roll, after).await
    }

    async fn kept(&self, kept: Kept, roll: &str, after: i64) -> Result<Vec<String>, StoreError> {
        let roll = roll.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let Kept { table, column, .. } = kept;
                let query = format!(
                    "SELECT {column} FROM {table} WHERE roll_id = $1 AND number > $2 \
                     ORDER BY number"
                );
                sql.all(query, args![roll, after], |row| row.text()).await
            })
        })
        .await
    }

    /// Tells whether a roll was seen to go back.
    ///
    /// # Errors
    /// As the database's.
    pub async fn goes_back(&self, roll: &str) -> Result<bool, StoreError> {
        let roll = roll.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT 1 FROM roll_events WHERE roll_id = $1 \
                             AND event LIKE '%\"type\":\"rollback_detected\"%' LIMIT 1";
                Ok(sql.row(query, args![roll]).await?.is_some())
            })
        })
        .await
    }

    /// Returns a roll.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id.
    pub async fn roll(&self, id: &str) -> Result<RollRow, StoreError> {
        let found = self.find_rolls("id = $1", args![id]).await?;
        let found = found.into_iter().next();
        found.ok_or(StoreError::NotFound(Thing::Roll))
    }

    /// Has a roll taken up at `now`, in Unix ms, that was left until later than `left`.
    ///
    /// # Errors
    /// [`StoreError::Unfit`] when it has ended, or somebody is at work on it.
    pub async fn hasten_roll(
        &self,
        roll: &str,
        now: i64,
        left: i64,
        by: Audited,
    ) -> Result<(), StoreError> {
        let roll = roll.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let hasten = "UPDATE rolls SET lease_until = $2 WHERE id = $1 \
                              AND ended_at IS NULL AND lease_until > $3";
                if sql.run(hasten.into(), args![&roll, now, left]).await? == 0 {
                    let told = format!("roll {roll} is over, or somebody is at work on it");
                    return Err(StoreError::Unfit(told));
                }
                let told = format!("Go on with roll {roll}");
                by.record(sql, "roll.resume", &told, &[&roll]).await
            })
        })
        .await
    }

    /// Tells of all racks of an organization which roll is under way, and when which kind of key
    /// was last rolled well.
    ///
    /// # Errors
    /// As the database's.
    pub async fn rolls_of_racks(&self, workspace: &str) -> Result<Vec<RackRolls>, StoreError> {
        let workspace = workspace.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT r.rack_id, \
                    MAX(CASE WHEN r.ended_at IS NULL THEN r.id END), \
                    MAX(CASE WHEN r.key_kind = 'ssh' AND r.report LIKE $2 THEN r.ended_at END), \
                    MAX(CASE WHEN r.key_kind = 'api' AND r.report LIKE $2 THEN r.ended_at END) \
                    FROM rolls r JOIN racks k ON k.id = r.rack_id \
                    WHERE k.workspace_id = $1 AND k.deleted_at IS NULL GROUP BY r.rack_id";
                sql.all(query, args![workspace, DONE], |row| {
                    Ok(RackRolls {
                        rack: row.text()?,
                        under_way: row.maybe_text()?,
                        ssh_rolled: row.maybe_int()?,
                        api_rolled: row.maybe_int()?,
                    })
                })
                .await
            })
        })
        .await
    }

    /// Lists at most `limit` rolls of a rack, the newest first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn rolls(&self, rack: &str, limit: i64) -> Result<Vec<RollRow>, StoreError> {
        let condition = "rack_id = $1 ORDER BY id DESC LIMIT $2";
        self.find_rolls(condition, args![rack, limit]).await
    }

    async fn find_rolls(
        &self,
        condition: &'static str,
        args: Vec<Value>,
    ) -> Result<Vec<RollRow>, StoreError> {
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = format!("SELECT {COLUMNS} FROM rolls WHERE {condition}");
                sql.all(query, args, read_roll).await
            })
        })
        .await
    }
}

/// What is kept of a roll, in order.
#[derive(Debug, Clone, Copy)]
struct Kept {
    table: &'static str,
    column: &'static str,
    /// While which condition it may be written.
    when: &'static str,
}

/// Which rolls have not ended.
pub(super) const UNDER_WAY: &str = " AND ended_at IS NULL";

const LINES: Kept = Kept {
    table: "roll_lines",
    column: "line",
    when: UNDER_WAY,
};
const EVENTS: Kept = Kept {
    table: "roll_events",
    column: "event",
    // The last ones are written while the end is.
    when: "",
};

/// Keeps others from claiming a roll until the transaction ends; tells whether nobody has since.
pub(super) async fn hold_term(
    sql: &mut dyn Sql,
    roll: &str,
    term: i64,
    when: &'static str,
) -> Result<bool, StoreError> {
    let lock = format!(
        "SELECT term FROM rolls WHERE id = $1{when}{}",
        sql.for_update()
    );
    let Some(mut row) = sql.row(lock, args![roll]).await? else {
        return Ok(false);
    };
    Ok(row.int()? == term)
}

/// Tells of how a roll ended, or stands.
async fn tell_of_end(
    sql: &mut dyn Sql,
    roll: &str,
    report: &str,
    by: &Audited,
    entropy: &Entropy,
) -> Result<(), StoreError> {
    let query = "SELECT r.name, o.key_kind, o.schedule_id, o.wave_id FROM rolls o \
                 JOIN racks r ON r.id = o.rack_id WHERE o.id = $1";
    let Some(mut row) = sql.row(query, args![roll]).await? else {
        return Ok(());
    };
    let (rack, key_kind) = (row.text()?, row.text()?);
    let (schedule, wave) = (row.maybe_text()?, row.maybe_text()?);
    let notice = notices::of_end(report, &rack, &key_kind, roll)
        .with("schedule", schedule.as_deref())
        .with("wave", wave.as_deref());
    notices::tell(sql, &notice, by, entropy).await
}

fn read_roll(row: &mut Row) -> Result<RollRow, StoreError> {
    Ok(RollRow {
        id: row.text()?,
        rack: row.text()?,
        key_kind: row.text()?,
        person: row.maybe_text()?,
        plan: row.text()?,
        term: row.int()?,
        lease_until: row.int()?,
        created_at: row.int()?,
        ended_at: row.maybe_int()?,
        report: row.maybe_text()?,
        schedule: row.maybe_text()?,
        wave: row.maybe_text()?,
    })
}
