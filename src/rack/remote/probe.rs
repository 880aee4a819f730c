//! A rack's HTTP API as a roll of its key sees it: whom it asks for a proof, and what it asks to
//! set the key where nothing else of the rack can be reached.

use std::collections::BTreeMap;

use async_trait::async_trait;
use secrecy::SecretString;

use super::Remote;
use super::system::refused_update;
use crate::rack::{ApiProbe, PortError, RackApi, SystemDescription};

#[async_trait]
impl ApiProbe for Remote {
    fn describe(&self) -> String {
        self.host().to_owned()
    }

    async fn accepts(&self, password: &SecretString) -> Result<bool, PortError> {
        Ok(Self::accepts(self, password).await?)
    }
}

#[async_trait]
impl RackApi for Remote {
    async fn describe_with(&self, password: &SecretString) -> Result<SystemDescription, PortError> {
        Ok(self.system_with(Some(password)).await?)
    }

    async fn set_with(
        &self,
        password: &SecretString,
        changes: &BTreeMap<String, String>,
    ) -> Result<(), PortError> {
        let set = self.update_with(Some(password), changes).await;
        set.map_err(|error| refused_update(self, error))
    }
}
