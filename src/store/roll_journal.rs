//! The journals of rolls, and what was seen of them: written on behalf of a term of work alone.

use super::Store;
use super::error::StoreError;
use super::roll_work::hold_term;
use super::rolls::UNDER_WAY;
use super::value::args;

/// What is kept of a roll, in order.
#[derive(Debug, Clone, Copy)]
struct Kept {
    table: &'static str,
    column: &'static str,
    /// While which condition it may be written.
    when: &'static str,
}

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

impl Store {
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
}
