//! Rolls of racks' keys as rows: claimed with a lease, journaled here, taken up by another process
//! when a lease runs out.
//!
//! Whoever is at work on a roll does so for a term, which counts up with every claim. Nothing is
//! written on behalf of a term that is over.

use std::fmt;
use std::str::FromStr;

use super::Store;
use super::audit::Audited;
use super::error::{StoreError, Thing};
use super::notices::{self, Notice, NoticeEvent};
use super::schedules::DONE;
use super::schedules::{self, HeldSchedule};
use super::value::{Row, Value, args};
use super::waves;

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

pub(super) const COLUMNS: &str = "id, rack_id, key_kind, person_id, plan, term, lease_until, created_at, \
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

    /// Returns a roll.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is none of that id.
    pub async fn roll(&self, id: &str) -> Result<RollRow, StoreError> {
        let found = self.find_rolls("id = $1", args![id]).await?;
        let found = found.into_iter().next();
        found.ok_or(StoreError::NotFound(Thing::Roll))
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

/// Which rolls have not ended.
pub(super) const UNDER_WAY: &str = " AND ended_at IS NULL";

pub(super) fn read_roll(row: &mut Row) -> Result<RollRow, StoreError> {
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
