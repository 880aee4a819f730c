//! A rack's HTTP API as what a roll of its key asks for a proof.

use async_trait::async_trait;
use secrecy::SecretString;

use super::Remote;
use crate::rack::{ApiProbe, PortError};

#[async_trait]
impl ApiProbe for Remote {
    fn describe(&self) -> String {
        self.host().to_owned()
    }

    async fn accepts(&self, password: &SecretString) -> Result<bool, PortError> {
        Ok(Self::accepts(self, password).await?)
    }
}
