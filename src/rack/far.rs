//! A rack of which nothing can be reached but its HTTP API.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

use super::api_key::{ApiKeyHolder, ApiProbe};
use super::error::PortError;
use super::ports::KeyStore;
use super::system::SystemDescription;

type Result<T> = std::result::Result<T, PortError>;

/// A rack's HTTP API, asked with one key or another: which of them it takes changes while its
/// key is rolled.
#[async_trait]
pub trait RackApi: ApiProbe {
    /// Describes the rack (`GET /system`).
    ///
    /// # Errors
    /// [`PortError::Remote`] with status 401 when the process that answered refuses `password`.
    async fn describe_with(&self, password: &SecretString) -> Result<SystemDescription>;
    /// Sets parameters, all of them in one update that the rack carries out by itself
    /// (`PUT /system`). Returns once it is accepted.
    ///
    /// # Errors
    /// [`PortError::NoChanges`] when the stack has those values already, [`PortError::Busy`]
    /// while another update is under way; whether an error that
    /// [is unanswered](PortError::is_unanswered) was carried out, nobody knows.
    async fn set_with(
        &self,
        password: &SecretString,
        changes: &BTreeMap<String, String>,
    ) -> Result<()>;
}

/// Everything that the engine needs to roll the key of a rack that is reached over its API.
#[derive(Clone)]
pub struct FarRack {
    /// The API.
    pub api: Arc<dyn RackApi>,
    /// The key that opens it, as this machine was told.
    pub password: SecretString,
    /// Who keeps the key.
    pub holders: Vec<Arc<dyn ApiKeyHolder>>,
    /// Where the new key is kept for as long as a roll lasts.
    pub keys: Arc<dyn KeyStore>,
}

impl FarRack {
    /// Returns the key that worked before any roll that is under way.
    ///
    /// # Errors
    /// When somebody who keeps it cannot be read.
    pub async fn current(&self) -> Result<SecretString> {
        for holder in &self.holders {
            if let Some(current) = holder.current().await? {
                return Ok(current);
            }
        }
        Ok(self.password.clone())
    }
}
