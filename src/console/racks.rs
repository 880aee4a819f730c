//! How the console gets at a rack that it has a record of.

use async_trait::async_trait;

use crate::clock::Clock;
use crate::rack::{PortError, Rack};
use crate::store::RackRecord;

/// A rack in its account, where the console does itself what the rack's API would do.
pub struct FoundRack {
    /// The rack.
    pub rack: Rack,
    /// The clock of the place where it is.
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
}
