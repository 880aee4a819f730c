//! The right to be at work on a roll, as long as it is renewed.

use super::{LEASE, RENEWAL, later};
use crate::console::service::Service;

/// A term of work on a roll.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) roll: String,
    pub(super) number: i64,
}

impl Term {
    /// Renews the lease again and again; returns once it is somebody else's, or has run out.
    pub(super) async fn hold(&self, service: &Service) {
        let mut until = later(service.now(), LEASE);
        loop {
            service.clock().sleep(RENEWAL).await;
            let next = later(service.now(), LEASE);
            match service
                .store()
                .renew_roll(&self.roll, self.number, next)
                .await
            {
                Ok(true) => until = next,
                Ok(false) => return,
                // Others do not take it up before it has run out.
                Err(_) if service.now() < until => {}
                Err(_) => return,
            }
        }
    }

    /// Lets others take the roll up after `pause`.
    pub(super) async fn release(&self, service: &Service, pause: std::time::Duration) {
        let next = later(service.now(), pause);
        // If that cannot be written, the lease runs out by itself.
        let _ = service
            .store()
            .renew_roll(&self.roll, self.number, next)
            .await;
    }
}
