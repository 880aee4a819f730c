//! How the console gets at a rack that it has a record of.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::rack::{Gateway, PortError, Rack};
use crate::store::RackRecord;

/// A rack in its account, where the console does itself what the rack's API would do.
pub struct FoundRack {
    /// The rack.
    pub rack: Rack,
    /// The clock of the place where it is.
    pub clock: Clock,
}

/// A rack of which nothing but its API is reached.
#[derive(Clone)]
pub struct FoundGateway {
    /// Its API.
    pub gateway: Arc<dyn Gateway>,
    /// The clock of whoever asks it.
    pub clock: Clock,
}

/// Finds racks by their records.
#[async_trait]
pub trait RackFinder: Send + Sync {
    /// Finds a rack.
    ///
    /// # Errors
    /// When its settings are not good, or nobody answers where it is.
    async fn find(&self, rack: &RackRecord) -> Result<FoundRack, PortError>;

    /// Finds the API of a rack that is reached over it.
    ///
    /// # Errors
    /// When its settings are not good.
    async fn gateway(&self, rack: &RackRecord) -> Result<FoundGateway, PortError> {
        Err(PortError::NotFound {
            what: format!("a way to the API of {}", rack.full_name()),
        })
    }
}
