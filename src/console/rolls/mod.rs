//! Rolls of racks' keys that go on in the background.
//!
//! A roll is a row. Whoever is at work on it has a lease, which is renewed for as long as the
//! process lives; when it runs out, any process of the same database takes the roll up where its
//! journal ends. The engine is the one of the command line, with a journal in the database.

mod begin;
mod holder;
mod keeper;
mod lease;
mod runner;
mod staged;

use std::time::Duration;

pub(super) use begin::{Asker, NotBegun, begin_api, begin_by_itself, begin_ssh, preview};
pub(super) use holder::{RackKeys, keys_of};

use super::service::Service;
use crate::store::{Audited, NewRoll, RollRow, StoreError};

/// For how long whoever is at work on a roll need not be heard of.
const LEASE: Duration = Duration::from_secs(15);
/// How often they are.
const RENEWAL: Duration = Duration::from_secs(4);
/// How often it is looked for rolls that nobody is at work on.
const LOOKING: Duration = Duration::from_secs(2);
/// After how long a roll is tried again that could not be taken up.
const AGAIN: Duration = Duration::from_secs(60);

/// Takes up rolls that nobody is at work on, for as long as there is the service.
pub(super) fn take_up_for_ever(service: &Service) {
    let (clock, service) = (service.clock().clone(), service.weakly());
    tokio::spawn(async move {
        loop {
            let Some(service) = service() else {
                return;
            };
            match claim(&service).await {
                Ok(Some(roll)) => {
                    runner::take_up(&service, roll);
                    continue;
                }
                Ok(None) => {}
                Err(error) => service.log(&format!("rolls cannot be looked for: {error}")),
            }
            drop(service);
            clock.sleep(LOOKING).await;
        }
    });
}

/// Tells whether a roll is not over, and nobody is at work on it before long: a lease never reaches
/// as far as the pause before it is tried again.
pub(super) fn is_left(roll: &RollRow, now: i64) -> bool {
    roll.ended_at.is_none() && roll.lease_until > later(now, LEASE)
}

/// Has a roll that was left taken up now.
///
/// # Errors
/// When it is over, or somebody is at work on it.
pub(super) async fn hasten(service: &Service, roll: &str, by: Audited) -> Result<(), StoreError> {
    let now = service.now();
    let left = later(now, LEASE);
    service.store().hasten_roll(roll, now, left, by).await
}

async fn claim(service: &Service) -> Result<Option<RollRow>, StoreError> {
    let now = service.now();
    service.store().claim_roll(now, later(now, LEASE)).await
}

/// Returns the time that is so much later, in Unix ms.
pub(super) fn later(now: i64, span: Duration) -> i64 {
    now.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX))
}
