//! A stored login as somebody who keeps a rack's API key.

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use super::Logins;
use crate::config::ConfigError;
use crate::ids::RollId;
use crate::rack::{ApiKeyHolder, PortError};

type Result<T> = std::result::Result<T, PortError>;

/// The login at one host.
#[derive(Debug, Clone)]
pub struct LoginHolder {
    logins: Logins,
    host: String,
}

impl LoginHolder {
    /// Keeps the key of the login at `host`.
    #[must_use]
    pub fn new(logins: Logins, host: &str) -> Self {
        Self {
            logins,
            host: host.to_owned(),
        }
    }

    fn broken(&self, error: ConfigError) -> PortError {
        let mut message = error.to_string();
        if let ConfigError::AlreadyStaged { .. } = error {
            message = format!("{message}; {}", error.hint());
        }
        PortError::KeyStore {
            store: self.describe(),
            message,
        }
    }
}

#[async_trait]
impl ApiKeyHolder for LoginHolder {
    fn describe(&self) -> String {
        format!("the login at {}", self.host)
    }

    async fn current(&self) -> Result<Option<SecretString>> {
        let staged = self.logins.staged(&self.host);
        let staged = staged.map_err(|error| self.broken(error))?;
        // A command may have put the new key there already, because only that one worked.
        if let Some(previous) = staged.and_then(|staged| staged.previous) {
            return Ok(Some(previous));
        }
        let stored = self.logins.stored(&self.host);
        stored.map_err(|error| self.broken(error))
    }

    async fn pending(&self, roll: &RollId) -> Result<Option<SecretString>> {
        let staged = self.logins.staged(&self.host);
        let staged = staged.map_err(|error| self.broken(error))?;
        let ours = staged.filter(|staged| staged.roll == *roll);
        Ok(ours.map(|staged| staged.password))
    }

    async fn stage(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let staged = self.logins.stage(&self.host, new, roll);
        staged.map_err(|error| self.broken(error))
    }

    async fn promote(&self, new: &SecretString, roll: &RollId) -> Result<()> {
        let promoted = self.logins.promote(&self.host, roll);
        if promoted.map_err(|error| self.broken(error))? {
            return Ok(());
        }
        let stored = self.logins.stored(&self.host);
        let stored = stored.map_err(|error| self.broken(error))?;
        if stored.is_some_and(|stored| stored.expose_secret() == new.expose_secret()) {
            return Ok(());
        }
        let stored = self.logins.store(&self.host, new);
        stored.map_err(|error| self.broken(error))
    }

    async fn discard(&self, roll: &RollId) -> Result<()> {
        let discarded = self.logins.discard(&self.host, roll);
        discarded.map(drop).map_err(|error| self.broken(error))
    }
}
