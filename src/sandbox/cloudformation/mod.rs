//! CloudFormation: stacks, their operations, events and change sets.

use serde::{Deserialize, Serialize};

use super::api::{Answer, Input};
use super::world::World;

/// CloudFormation's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CloudFormation {}

/// CloudFormation's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {}

/// Carries out what is due.
pub fn on_due(_world: &mut World, due: Due) {
    match due {}
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(_world: &mut World, _action: &str, _input: &Input) -> Option<Answer> {
    None
}

/// Takes a resource signal, as `cfn-signal` sends it at the end of a boot script.
pub fn on_signal(
    _world: &mut World,
    _stack: &str,
    _logical_id: &str,
    _unique_id: &str,
    _success: bool,
) {
}
