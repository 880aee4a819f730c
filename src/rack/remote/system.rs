//! The face of a rack that an operator sees, over HTTP.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::client::Remote;
use crate::rack::{PortError, System, SystemDescription, SystemInstance};

/// What CloudFormation says of an update that changes nothing; a rack passes it on.
const NO_CHANGES: &str = "No updates are to be performed";

type Result<T> = std::result::Result<T, PortError>;

#[async_trait]
impl System for Remote {
    async fn describe(&self) -> Result<SystemDescription> {
        Ok(self.system().await?)
    }

    async fn instances(&self) -> Result<Vec<SystemInstance>> {
        Ok(Self::instances(self).await?)
    }

    async fn set_parameters(&self, changes: &BTreeMap<String, String>) -> Result<()> {
        let updated = self.update_system(changes).await;
        updated.map_err(|error| match error.to_string().contains(NO_CHANGES) {
            true => PortError::NoChanges,
            false => error.into(),
        })
    }

    async fn terminate(&self, instance: &str) -> Result<()> {
        Ok(Self::terminate(self, instance).await?)
    }
}
