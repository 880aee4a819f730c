//! How the console gets at a rack that it has a record of.

use std::sync::Arc;

use async_trait::async_trait;

use crate::clock::Clock;
use crate::rack::remote::Remote;
use crate::rack::{ApiProbe, PortError, Rack, System};
use crate::store::RackRecord;

/// A rack, and how it is reached.
pub enum FoundRack {
    /// In its account, where the console does itself what the rack's API would do.
    InAccount {
        /// The rack.
        rack: Box<Rack>,
        /// The clock of the place where it is.
        clock: Clock,
    },
    /// Over its API, with the key that is in the record.
    OverApi {
        /// The API.
        remote: Box<Remote>,
        /// The clock of the place where it is.
        clock: Clock,
    },
}

impl FoundRack {
    /// Returns the clock of the place where the rack is.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        match self {
            Self::InAccount { clock, .. } | Self::OverApi { clock, .. } => clock,
        }
    }

    /// Returns the rack as an operator sees it.
    #[must_use]
    pub fn system(&self) -> Arc<dyn System> {
        match self {
            Self::InAccount { rack, .. } => Arc::clone(&rack.system),
            Self::OverApi { remote, .. } => Arc::new((**remote).clone()),
        }
    }

    /// Returns whom to ask whether a key opens the rack's API.
    #[must_use]
    pub fn probe(&self) -> Option<Arc<dyn ApiProbe>> {
        match self {
            Self::InAccount { rack, .. } => rack.probe.clone(),
            Self::OverApi { remote, .. } => Some(Arc::new((**remote).clone())),
        }
    }
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
