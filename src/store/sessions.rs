//! Who is signed in to the pages, and the passwords of those who have one.

use super::Store;
use super::audit::Audited;
use super::error::StoreError;
use super::value::{Row, args};

/// Somebody who has just signed in.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The SHA-256 of what their browser has.
    pub hash: [u8; 32],
    /// Who.
    pub person: String,
    /// The account key that they signed in with; none for a password.
    pub key: Option<String>,
    /// When, in Unix ms.
    pub at: i64,
    /// When it ends, in Unix ms.
    pub expires: i64,
    /// The session that their browser had before, which ends with this.
    pub instead_of: Option<[u8; 32]>,
}

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub person: String,
    /// The account key that they signed in with; none for a password.
    pub key: Option<String>,
    /// When they signed in, in Unix ms.
    pub created_at: i64,
    /// When they were last seen, in Unix ms, to a few minutes.
    pub seen_at: i64,
    /// When it ends, in Unix ms.
    pub expires: i64,
}

impl Store {
    /// Lets somebody be signed in.
    ///
    /// # Errors
    /// As the database's.
    pub async fn begin_session(&self, new: NewSession) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                if let Some(old) = &new.instead_of {
                    let end = "DELETE FROM sessions WHERE hash = $1";
                    sql.run(end.into(), args![old]).await?;
                }
                let insert = "INSERT INTO sessions \
                              (hash, person_id, key_id, created_at, seen_at, expires_at) \
                              VALUES ($1, $2, $3, $4, $4, $5)";
                let args = args![&new.hash, &new.person, &new.key, new.at, new.expires];
                sql.run(insert.into(), args).await.map(drop)
            })
        })
        .await
    }

    /// Returns who is signed in at `now`, in Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn session(&self, hash: [u8; 32], now: i64) -> Result<Option<Session>, StoreError> {
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT person_id, key_id, created_at, seen_at, expires_at \
                             FROM sessions WHERE hash = $1 AND expires_at > $2";
                let row = sql.row(query, args![&hash, now]).await?;
                row.map(|mut row| read_session(&mut row)).transpose()
            })
        })
        .await
    }

    /// Lists where somebody is signed in at `now`, in Unix ms, the last seen first.
    ///
    /// # Errors
    /// As the database's.
    pub async fn sessions(&self, person: &str, now: i64) -> Result<Vec<Session>, StoreError> {
        let person = person.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT person_id, key_id, created_at, seen_at, expires_at \
                             FROM sessions WHERE person_id = $1 AND expires_at > $2 \
                             ORDER BY seen_at DESC, created_at DESC LIMIT 100";
                sql.all(query, args![person, now], read_session).await
            })
        })
        .await
    }

    /// Writes down that somebody was seen at `now`, and is signed in until `expires`, both in
    /// Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn keep_session(
        &self,
        hash: [u8; 32],
        now: i64,
        expires: i64,
    ) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let keep = "UPDATE sessions SET seen_at = $2, expires_at = $3 WHERE hash = $1";
                sql.run(keep.into(), args![&hash, now, expires])
                    .await
                    .map(drop)
            })
        })
        .await
    }

    /// Has a session that an account key opened go on with the key that takes its place.
    ///
    /// # Errors
    /// As the database's.
    pub async fn move_session(&self, hash: [u8; 32], key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let change =
                    "UPDATE sessions SET key_id = $2 WHERE hash = $1 AND key_id IS NOT NULL";
                sql.run(change.into(), args![&hash, key]).await.map(drop)
            })
        })
        .await
    }

    /// Signs somebody out.
    ///
    /// # Errors
    /// As the database's.
    pub async fn end_session(&self, hash: [u8; 32]) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let end = "DELETE FROM sessions WHERE hash = $1";
                sql.run(end.into(), args![&hash]).await.map(drop)
            })
        })
        .await
    }

    /// Signs somebody out everywhere but in the session `but`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn end_sessions_but(&self, person: &str, but: [u8; 32]) -> Result<(), StoreError> {
        let person = person.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let end = "DELETE FROM sessions WHERE person_id = $1 AND hash <> $2";
                sql.run(end.into(), args![person, &but]).await.map(drop)
            })
        })
        .await
    }

    /// Forgets sessions that ended before `now`, in Unix ms.
    ///
    /// # Errors
    /// As the database's.
    pub async fn remove_old_sessions(&self, now: i64) -> Result<(), StoreError> {
        self.write(move |sql| {
            Box::pin(async move {
                let end = "DELETE FROM sessions WHERE expires_at <= $1";
                sql.run(end.into(), args![now]).await.map(drop)
            })
        })
        .await
    }

    /// Returns the PHC string of somebody's password; none for whoever has none.
    ///
    /// # Errors
    /// As the database's.
    pub async fn password_hash(&self, person: &str) -> Result<Option<String>, StoreError> {
        let person = person.to_owned();
        self.read_once(move |sql| {
            Box::pin(async move {
                let query = "SELECT hash FROM passwords WHERE person_id = $1";
                let row = sql.row(query, args![person]).await?;
                row.map(|mut row| row.text()).transpose()
            })
        })
        .await
    }

    /// Gives somebody the password of which this is the PHC string. Whoever is signed in as them
    /// is signed out, but for the session `but`.
    ///
    /// # Errors
    /// As the database's.
    pub async fn set_password_hash(
        &self,
        person: &str,
        hash: String,
        but: Option<[u8; 32]>,
        by: Audited,
    ) -> Result<(), StoreError> {
        let person = person.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let put = "INSERT INTO passwords (person_id, hash, changed_at) \
                           VALUES ($1, $2, $3) ON CONFLICT (person_id) \
                           DO UPDATE SET hash = excluded.hash, changed_at = excluded.changed_at";
                sql.run(put.into(), args![&person, &hash, by.at()]).await?;
                let end = "DELETE FROM sessions WHERE person_id = $1 AND hash <> $2";
                // No session has an empty hash.
                let but = but.map_or_else(Vec::new, |but| but.to_vec());
                sql.run(end.into(), args![&person, but]).await?;
                let told = "Set a password";
                by.record(sql, "person.password", told, &[&person]).await
            })
        })
        .await
    }

    /// Takes somebody's password away, and signs them out everywhere; tells whether they had one.
    ///
    /// # Errors
    /// As the database's.
    pub async fn remove_password(&self, person: &str, by: Audited) -> Result<bool, StoreError> {
        let person = person.to_owned();
        self.write(move |sql| {
            Box::pin(async move {
                let delete = "DELETE FROM passwords WHERE person_id = $1";
                let had = sql.run(delete.into(), args![&person]).await? == 1;
                let end = "DELETE FROM sessions WHERE person_id = $1";
                sql.run(end.into(), args![&person]).await?;
                let told = "Took the password away, and signed out";
                by.record(sql, "person.password.remove", told, &[&person])
                    .await?;
                Ok(had)
            })
        })
        .await
    }
}

fn read_session(row: &mut Row) -> Result<Session, StoreError> {
    Ok(Session {
        person: row.text()?,
        key: row.maybe_text()?,
        created_at: row.int()?,
        seen_at: row.int()?,
        expires: row.int()?,
    })
}
