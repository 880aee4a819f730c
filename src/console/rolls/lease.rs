//! The right to be at work on a roll, as long as it is renewed.

use std::time::Duration;

use super::{LEASE, RENEWAL, later};
use crate::console::service::Service;

/// How often a renewal is tried again that could not be written.
const AGAIN: Duration = Duration::from_secs(1);

/// A term of work on a roll.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) roll: String,
    pub(super) number: i64,
    /// Until when the lease was when the term began, in Unix ms.
    pub(super) until: i64,
}

impl Term {
    /// Renews the lease again and again; returns once it is somebody else's, or has run out.
    pub(super) async fn hold(&self, service: &Service) {
        let (clock, store) = (service.clock(), service.store());
        let mut until = self.until;
        loop {
            let left = u64::try_from(until - service.now()).unwrap_or(0);
            let renewed = async {
                clock.sleep(RENEWAL).await;
                loop {
                    let next = later(service.now(), LEASE);
                    match store.renew_roll(&self.roll, self.number, next).await {
                        Ok(is_ours) => return is_ours.then_some(next),
                        Err(_) => clock.sleep(AGAIN).await,
                    }
                }
            };
            // Others take it up when it has run out, whatever this waits for.
            tokio::select! {
                next = renewed => match next {
                    Some(next) => until = next,
                    None => return,
                },
                () = clock.sleep(Duration::from_millis(left)) => return,
            }
        }
    }

    /// Lets others take the roll up after `pause`.
    pub(super) async fn release(&self, service: &Service, pause: Duration) {
        let next = later(service.now(), pause);
        // If that cannot be written, the lease runs out by itself.
        let renewed = service.store().renew_roll(&self.roll, self.number, next);
        let _ = renewed.await;
    }
}
