//! The roll of the rack API's key where nothing but that API can be reached.
//!
//! The new key, the journal, the proof and the ends are those of every roll of an API key. What
//! differs is that the rack changes its stack by itself and says of it only one word at a time,
//! that it may refuse either key while it does, and that nobody can restart its processes.

mod back;
mod drive;
mod engine;
mod install;
mod observe;
mod plan;
mod watch;

use std::ops::{Deref, DerefMut};

pub use engine::FarEngine;

use jiff::Timestamp;
use secrecy::{ExposeSecret as _, SecretString};

use super::base::Base;
use crate::rack::{FarRack, PortError, Progress, SystemDescription};

/// A roll in the making.
pub(super) struct Far<'a> {
    base: Base<'a>,
    rack: FarRack,
    /// The key that worked before, if somebody here still has it.
    old: Option<SecretString>,
    /// What the rack's own word tells of the update so far.
    progress: Progress,
    /// The rack's last word, as it was told.
    said: Option<String>,
    /// Whether the rack may have the update, whose answer nobody has seen.
    unsure: bool,
    /// Whether the rack was asked for the update at all.
    is_asked: bool,
    /// Whether the rack has said that it goes back.
    is_back: bool,
    /// Whether the rack was asked to set the old key again.
    is_cancelled: bool,
    /// Whether another run of the program has begun the roll.
    resumed: bool,
}

impl<'a> Deref for Far<'a> {
    type Target = Base<'a>;

    fn deref(&self) -> &Base<'a> {
        &self.base
    }
}

impl<'a> DerefMut for Far<'a> {
    fn deref_mut(&mut self) -> &mut Base<'a> {
        &mut self.base
    }
}

impl<'a> Far<'a> {
    /// Prepares a roll that asked for its update at `since`, or is about to.
    fn new(base: Base<'a>, rack: FarRack, old: Option<SecretString>, since: Timestamp) -> Self {
        Self {
            base,
            rack,
            old,
            progress: Progress::of_update(since),
            said: None,
            unsure: false,
            is_asked: false,
            is_back: false,
            is_cancelled: false,
            resumed: false,
        }
    }

    /// Describes the rack with whichever of the two keys it takes just now.
    ///
    /// # Errors
    /// When it takes neither, or does not answer: then what it said to the last.
    async fn describe(&mut self) -> Result<SystemDescription, PortError> {
        let new = self.value();
        let mut refused = Err(PortError::Remote {
            status: None,
            transient: false,
            unanswered: false,
            message: "no key of the rack API is known here".to_owned(),
            hint: None,
        });
        for key in [self.old.clone(), new.clone()].into_iter().flatten() {
            let described = self.rack.api.describe_with(&key).await;
            match described {
                Err(PortError::Remote {
                    status: Some(401), ..
                }) => refused = described,
                described => {
                    if described.is_ok() && is_same(&Some(key), &new) {
                        self.progress.see();
                    }
                    return described;
                }
            }
        }
        refused
    }
}

fn is_same(one: &Option<SecretString>, other: &Option<SecretString>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.expose_secret() == other.expose_secret(),
        _ => false,
    }
}
