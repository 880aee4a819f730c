//! Scenarios: a world and what goes wrong in it, and when.

use serde::{Deserialize, Serialize};

use super::world::World;

/// What goes wrong, and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Faults {}

/// A scenario's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {}

/// Carries out what is due.
pub fn on_due(_world: &mut World, due: Due) {
    match due {}
}

impl World {
    /// Decides how the boot of a new instance ends.
    ///
    /// `key_name` is the key pair that the instance was started with, and `logical_id`
    /// the group's name in its template, so a scenario can hit new instances only.
    pub fn boot_fate(&mut self, _logical_id: &str, _key_name: Option<&str>) -> BootFate {
        BootFate::Success
    }

    /// Decides whether EC2 has room for one more instance; a refusal is AWS's sentence.
    pub fn capacity_refusal(&mut self, _running: usize) -> Option<String> {
        None
    }

    /// Tells whether the drain function that should complete a terminating hook is stuck.
    pub fn drain_is_stuck(&mut self) -> bool {
        false
    }

    /// Tells whether rolling updates wrongly replace nothing.
    #[must_use]
    pub fn rolls_replace_nothing(&self) -> bool {
        false
    }

    /// Tells whether events of the same second come in another order than they happened.
    #[must_use]
    pub fn events_are_shuffled(&self) -> bool {
        false
    }
}

/// How the boot of an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootFate {
    /// The boot script signals success.
    Success,
    /// The boot script signals failure.
    Failure,
    /// The boot script never signals.
    Silence,
}
