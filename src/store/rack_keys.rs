//! The keys of its API that a rack's record holds while one takes the place of the other.

use super::Store;
use super::audit::Audited;
use super::error::StoreError;
use super::master_keys::Sealed;
use super::racks::rack_of;
use super::roll_work::hold_term;
use super::rolls::UNDER_WAY;
use super::value::{Value, args};

/// What is to become of the keys of a rack's API in its record.
#[derive(Debug, Clone)]
pub enum RackKeyChange {
    /// Keep another beside the one that works.
    Stage(Sealed),
    /// Have this one take the place of both.
    Promote(Sealed),
    /// Forget the one that was staged.
    Discard,
}

impl Store {
    /// Changes which keys of its API a rack's record holds, on behalf of a roll and a term of work
    /// on it.
    ///
    /// A key that another roll has staged is given up: that roll has ended, since this one is under
    /// way.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such rack, [`StoreError::Conflict`] when the term
    /// is over.
    pub async fn change_rack_key(
        &self,
        rack: &str,
        (roll, term): (&str, i64),
        change: RackKeyChange,
        by: Audited,
    ) -> Result<(), StoreError> {
        let (id, roll) = (rack.to_owned(), roll.to_owned());
        self.write(move |sql| {
            Box::pin(async move {
                let lock = format!("SELECT id FROM racks WHERE id = $1{}", sql.for_update());
                sql.row(lock, args![&id]).await?;
                if !hold_term(sql, &roll, term, UNDER_WAY).await? {
                    return Err(StoreError::Conflict);
                }
                let rack = rack_of(sql, &id).await?;
                let staged_by = rack.next.map(|(_, roll)| roll);
                let (set, sealed, event): (_, _, _) = match change {
                    RackKeyChange::Stage(sealed) => (
                        "next_password = $2, next_sealed_with = $3, next_roll = $4",
                        Some(sealed),
                        "rack.key.stage",
                    ),
                    RackKeyChange::Promote(sealed) => (
                        "password = $2, password_sealed_with = $3, next_password = NULL, \
                         next_sealed_with = NULL, next_roll = NULL",
                        Some(sealed),
                        "rack.key.promote",
                    ),
                    RackKeyChange::Discard if staged_by.as_ref() != Some(&roll) => return Ok(()),
                    RackKeyChange::Discard => (
                        "next_password = NULL, next_sealed_with = NULL, next_roll = NULL",
                        None,
                        "rack.key.discard",
                    ),
                };
                let mut args = args![&id];
                if let Some(sealed) = sealed {
                    args.extend(args![sealed.bytes, sealed.with]);
                    if set.contains("$4") {
                        args.push(Value::from(&roll));
                    }
                }
                let update = format!("UPDATE racks SET {set} WHERE id = $1");
                sql.run(update.into(), args).await?;
                let told = format!(
                    "Roll {roll} changed the API key that is kept for {}",
                    rack.name
                );
                by.record(sql, event, &told, &[&id, &roll]).await
            })
        })
        .await
    }
}
