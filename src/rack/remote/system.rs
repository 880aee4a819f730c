//! The face of a rack that an operator sees, over HTTP.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::client::Remote;
use super::error::RemoteError;
use crate::rack::{PortError, System, SystemDescription, SystemInstance};

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
        let set = self.update_system(changes).await;
        set.map_err(|error| refused_update(self, error))
    }

    async fn terminate(&self, instance: &str) -> Result<()> {
        Ok(Self::terminate(self, instance).await?)
    }
}

/// Reads why an update was refused out of what CloudFormation said, which a rack passes on.
pub(super) fn refused_update(remote: &Remote, error: RemoteError) -> PortError {
    let RemoteError::Refused { status, message } = &error else {
        return error.into();
    };
    if message.contains("No updates are to be performed") {
        return PortError::NoChanges;
    }
    if !message.contains("ValidationError") {
        return error.into();
    }
    let mut words = message.split(|c: char| !c.is_ascii_uppercase() && c != '_');
    match words.find(|word| word.ends_with("_IN_PROGRESS")) {
        Some(word) => PortError::Busy {
            what: format!("the rack at {}", remote.host()),
            status: word.to_owned(),
        },
        // CloudFormation has looked at the request and has done nothing.
        None => PortError::Remote {
            status: Some(*status),
            transient: false,
            unanswered: false,
            message: message.clone(),
            hint: None,
        },
    }
}
