//! CloudFormation: stacks, their operations, events and change sets.
//!
//! What a roll can notice follows AWS to the letter: statuses, the sentences of a
//! rolling update and their disorder, rollbacks that roll again, operation ids.
//! Everything happens on the world's agenda, and a stack is taken out of the
//! account while something happens to it, so that the two never alias.

mod api;
mod change_set;
mod cleanup;
mod event;
mod failure;
mod lookup;
mod operation;
mod policy;
mod provision;
mod resources;
mod rolling;
mod signals;
mod stack;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::api::{Answer, Input};
use super::world::{self, World};
use change_set::ChangeSet;
pub use event::Event;
pub use stack::{Resource, Stack};

/// CloudFormation's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CloudFormation {
    /// Stacks by id, deleted ones included.
    stacks: BTreeMap<String, Stack>,
    /// Change sets by id.
    change_sets: BTreeMap<String, ChangeSet>,
}

/// CloudFormation's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// Something about a stack's operation; forgotten once that operation is over.
    Operation {
        /// The stack's id.
        stack: String,
        /// The operation's id.
        operation: String,
        /// What.
        what: OperationDue,
    },
    /// A resource signal arrives.
    Signal {
        /// The stack's name or id.
        stack: String,
        /// The resource.
        logical_id: String,
        /// Who signals.
        unique_id: String,
        /// Whether all is well.
        success: bool,
    },
    /// An event that was held back is told.
    Told {
        /// The stack's id.
        stack: String,
    },
    /// A change set has been worked out.
    ChangeSet {
        /// The change set's id.
        id: String,
    },
}

/// The next moment of an operation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum OperationDue {
    /// Its resources are looked at.
    Begin,
    /// A resource has become what it should be.
    Settled(String),
    /// A resource that takes its time is looked at again.
    Look(String),
    /// A resource has waited long enough for signals.
    SignalTimeout(String),
    /// A group's rolling update goes on.
    Roll {
        /// The group.
        logical_id: String,
        /// The batch it belongs to.
        batch: u32,
        /// What.
        act: rolling::Act,
    },
    /// What was left over is gone.
    Cleaned,
}

impl CloudFormation {
    /// Goes through all stacks, deleted ones included.
    pub fn stacks(&self) -> impl Iterator<Item = &Stack> {
        self.stacks.values()
    }

    /// Finds a stack by name, or by id, which finds deleted ones too.
    #[must_use]
    pub fn stack(&self, name_or_id: &str) -> Option<&Stack> {
        let by_id = self.stacks.get(name_or_id);
        by_id.or_else(|| {
            self.stacks
                .values()
                .find(|s| s.name == name_or_id && !s.is_deleted())
        })
    }
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    match due {
        Due::Operation {
            stack,
            operation,
            what,
        } => {
            with_stack(world, &stack, |world, stack| {
                if stack
                    .operation
                    .as_ref()
                    .is_some_and(|current| current.id == operation)
                {
                    operation::on_due(world, stack, what);
                }
            });
        }
        Due::Signal {
            stack,
            logical_id,
            unique_id,
            success,
        } => {
            with_stack(world, &stack, |world, stack| {
                signals::receive(world, stack, &logical_id, &unique_id, success);
            });
        }
        Due::Told { stack } => {
            with_stack(world, &stack, |_, stack| stack.tell_held());
        }
        Due::ChangeSet { id } => change_set::finish(world, &id),
    }
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    api::handle(world, action, input)
}

/// Takes a resource signal, as `cfn-signal` sends it at the end of a boot script.
///
/// `stack` is the stack's name or id. Signals that nobody waits for are forgotten.
pub fn on_signal(world: &mut World, stack: &str, logical_id: &str, unique_id: &str, success: bool) {
    on_signal_after(world, Duration::ZERO, stack, logical_id, unique_id, success);
}

/// Takes a resource signal that is sent some time from now.
pub(crate) fn on_signal_after(
    world: &mut World,
    after: Duration,
    stack: &str,
    logical_id: &str,
    unique_id: &str,
    success: bool,
) {
    // By way of the agenda, since the signal may come while the stack is at work.
    let due = Due::Signal {
        stack: stack.to_owned(),
        logical_id: logical_id.to_owned(),
        unique_id: unique_id.to_owned(),
        success,
    };
    world.schedule(after, world::Due::CloudFormation(due));
}

/// Takes a stack out of the account, lets `act` work on both, and puts it back.
fn with_stack<T>(
    world: &mut World,
    name_or_id: &str,
    act: impl FnOnce(&mut World, &mut Stack) -> T,
) -> Option<T> {
    let id = world.cloudformation.stack(name_or_id)?.id.clone();
    let mut stack = world.cloudformation.stacks.remove(&id)?;
    let outcome = act(world, &mut stack);
    world.cloudformation.stacks.insert(id, stack);
    Some(outcome)
}
