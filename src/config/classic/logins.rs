//! Passwords of this person's logins, and those that a roll has not proven yet.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

use super::files::{Files, Locked};
use super::json::Entries;
use crate::config::ConfigError;
use crate::ids::RollId;

type Result<T> = std::result::Result<T, ConfigError>;

/// The classic's file: host to password.
pub(super) const AUTH: &str = "auth";
/// Ours, beside it: host to a password that is being rolled in.
const PENDING: &str = "pending.json";

/// The passwords of logins, by host, and of rolls that are under way.
///
/// A roll stages its new password before it installs it, and promotes or discards it
/// afterwards: whatever happens in between, no value that a rack may still accept is
/// lost. The old and the new one are both in the files until the roll has ended.
#[derive(Debug, Clone)]
pub struct Logins {
    files: Files,
}

/// A password that a roll is bringing in, not proven yet.
#[derive(Debug, Clone)]
pub struct Staged {
    /// The new password.
    pub password: SecretString,
    /// The roll that made it.
    pub roll: RollId,
    /// What the login held before [`Logins::adopt`] put the new password there.
    pub previous: Option<SecretString>,
}

/// The form of [`Staged`] in the file.
#[derive(Serialize, Deserialize)]
struct Entry {
    password: String,
    roll: RollId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<String>,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.password.zeroize();
        self.previous.zeroize();
    }
}

type Pending = BTreeMap<String, Entry>;

impl Logins {
    pub(super) fn new(files: Files) -> Self {
        Self { files }
    }

    /// Returns the password of the login at `host`, where there is one.
    ///
    /// # Errors
    /// A file that cannot be read, is damaged, or lets others read it.
    pub fn stored(&self, host: &str) -> Result<Option<SecretString>> {
        Ok(self.auth()?.get(host))
    }

    /// Lists the hosts that there are logins for.
    ///
    /// # Errors
    /// As [`Logins::stored`].
    pub fn hosts(&self) -> Result<Vec<String>> {
        Ok(self.auth()?.names().cloned().collect())
    }

    /// Keeps a password for `host`, and those of all others as they are.
    ///
    /// # Errors
    /// As [`Logins::stored`], and when the file cannot be written.
    pub fn store(&self, host: &str, password: &SecretString) -> Result<()> {
        let locked = self.files.lock()?;
        self.write(&locked, host, password)
    }

    /// Stores a password under a lock that is held already.
    pub(super) fn write(
        &self,
        locked: &Locked<'_>,
        host: &str,
        password: &SecretString,
    ) -> Result<()> {
        let mut auth = self.auth()?;
        auth.set(host, password.expose_secret());
        locked.replace_json(AUTH, &auth)
    }

    /// Forgets the login at `host` under a lock, and tells whether there was one.
    pub(super) fn remove(&self, locked: &Locked<'_>, host: &str) -> Result<bool> {
        let mut auth = self.auth()?;
        let was_there = auth.remove(host);
        if was_there {
            locked.replace_json(AUTH, &auth)?;
        }
        Ok(was_there)
    }

    /// Returns the password that a roll has staged for `host`.
    ///
    /// # Errors
    /// As [`Logins::stored`].
    pub fn staged(&self, host: &str) -> Result<Option<Staged>> {
        Ok(self.pending()?.get(host).map(|entry| Staged {
            password: SecretString::from(entry.password.as_str()),
            roll: entry.roll.clone(),
            previous: entry.previous.as_deref().map(SecretString::from),
        }))
    }

    /// Keeps the new password of a roll beside the login, which stays as it is.
    ///
    /// # Errors
    /// [`ConfigError::AlreadyStaged`] when another roll has one there, which may be the
    /// only copy of what the rack accepts; and as [`Logins::store`].
    pub fn stage(&self, host: &str, password: &SecretString, roll: &RollId) -> Result<()> {
        let locked = self.files.lock()?;
        let mut pending = self.pending()?;
        let previous = match pending.get_mut(host) {
            Some(other) if other.roll != *roll => {
                return Err(ConfigError::AlreadyStaged {
                    host: host.to_owned(),
                    roll: other.roll.clone(),
                });
            }
            Some(same) => same.previous.take(),
            None => None,
        };
        let entry = Entry {
            password: password.expose_secret().to_owned(),
            roll: roll.clone(),
            previous,
        };
        pending.insert(host.to_owned(), entry);
        locked.replace_json(PENDING, &pending)
    }

    /// Makes the staged password the login, once the rack has proven it.
    ///
    /// Returns false when this roll has nothing staged there: it was promoted before.
    ///
    /// # Errors
    /// As [`Logins::store`]; done again it changes nothing.
    pub fn promote(&self, host: &str, roll: &RollId) -> Result<bool> {
        let locked = self.files.lock()?;
        let mut pending = self.pending()?;
        let Some(entry) = take(&mut pending, host, roll) else {
            return Ok(false);
        };
        self.write(&locked, host, &SecretString::from(entry.password.as_str()))?;
        locked.replace_json(PENDING, &pending)?;
        Ok(true)
    }

    /// Forgets the staged password, and restores the login if it had been put there.
    ///
    /// Returns false when this roll has nothing staged there.
    ///
    /// # Errors
    /// As [`Logins::store`]; done again it changes nothing.
    pub fn discard(&self, host: &str, roll: &RollId) -> Result<bool> {
        let locked = self.files.lock()?;
        let mut pending = self.pending()?;
        let Some(entry) = take(&mut pending, host, roll) else {
            return Ok(false);
        };
        if let Some(previous) = &entry.previous
            && self.holds(host, &entry.password)?
        {
            self.write(&locked, host, &SecretString::from(previous.as_str()))?;
        }
        locked.replace_json(PENDING, &pending)?;
        Ok(true)
    }

    /// Puts the staged password where the login is, because the rack accepts it and
    /// refuses the login; or the login back, when it is the other way round.
    ///
    /// Unlike [`Logins::promote`] it keeps both: the roll has not ended and may yet go back.
    /// Returns false when nothing is staged there.
    ///
    /// # Errors
    /// As [`Logins::store`].
    pub fn adopt(&self, host: &str, accepted: &SecretString) -> Result<bool> {
        let locked = self.files.lock()?;
        let mut pending = self.pending()?;
        let Some(entry) = pending.get_mut(host) else {
            return Ok(false);
        };
        if let Some(stored) = self.stored(host)?
            && stored.expose_secret() != entry.password
        {
            entry.previous = Some(stored.expose_secret().to_owned());
            locked.replace_json(PENDING, &pending)?;
        }
        self.write(&locked, host, accepted)?;
        Ok(true)
    }

    fn holds(&self, host: &str, password: &str) -> Result<bool> {
        let stored = self.stored(host)?;
        Ok(stored.is_some_and(|stored| stored.expose_secret() == password))
    }

    fn auth(&self) -> Result<Entries> {
        self.files.json(AUTH)
    }

    fn pending(&self) -> Result<Pending> {
        self.files.json(PENDING)
    }
}

fn take(pending: &mut Pending, host: &str, roll: &RollId) -> Option<Entry> {
    if pending.get(host)?.roll != *roll {
        return None;
    }
    pending.remove(host)
}
