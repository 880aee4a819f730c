//! Who is at work on a roll: for a term, which counts up with every claim. Nothing is written on
//! behalf of a term that is over.

use super::Store;
use super::audit::Audited;
use super::database::Sql;
use super::error::{StoreError, Thing};
use super::notices;
use super::racks::RackRecord;
use super::rolls::{COLUMNS, RollRow, UNDER_WAY, read_roll};
use super::value::args;
use crate::ids::Entropy;

/// A journal's line that says that the stack is about to be updated, as it is written.
const UPDATE_STARTED: &str = "%\"type\":\"started\",\"data\":\"update_stack\"%";

impl Store {
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
    /// this is audited, [`StoreError::Unfit`] when the rack may have a key by now that nobody keeps
    /// but the rack's record for that roll.
    pub async fn give_up_roll(&self, roll: &str, by: Audited) -> Result<(), StoreError> {
        let (roll, entropy) = (roll.to_owned(), self.entropy.clone());
        self.write(move |sql| {
            Box::pin(async move {
                let only_copy = "SELECT r.name FROM rolls o JOIN racks r ON r.id = o.rack_id \
                                 JOIN roll_lines l ON l.roll_id = o.id WHERE o.id = $1 \
                                 AND r.workspace_id = $2 AND r.kind = 'api' \
                                 AND o.ended_at IS NULL AND l.line LIKE $3";
                let args = args![&roll, by.workspace(), UPDATE_STARTED];
                if let Some(mut rack) = sql.row(only_copy, args).await? {
                    let told = format!(
                        "rack {} may have the new password by now, and nobody else keeps it: \
                         the roll is gone on with until the rack says which one it takes",
                        rack.text()?
                    );
                    return Err(StoreError::Unfit(told));
                }
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
}

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
