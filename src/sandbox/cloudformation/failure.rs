//! What becomes of a stack when something fails, or somebody has had enough.

use super::super::world::World;
use super::event::STACK;
use super::operation::{self, Kind, Step, Verb};
use super::resources;
use super::stack::Stack;

/// How CloudFormation ends the reason of a new stack's rollback.
pub(super) const BY_USER: &str = "Rollback requested by user.";

/// A resource has failed: its siblings are cancelled, and the stack turns back if it can.
pub(super) fn fail(world: &mut World, stack: &mut Stack, logical_id: &str, reason: String) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let Some(Step::Running(verb)) = operation.steps.get(logical_id).copied() else {
        return;
    };
    operation
        .steps
        .insert(logical_id.to_owned(), Step::Failed(verb));
    stack.turn_resource(world, logical_id, &verb.status("FAILED"), Some(reason));
    if let Some(resource) = stack.resources.get_mut(logical_id) {
        resource.dirty = true;
    }
    cancel_siblings(world, stack);
    let sentence = failed_sentence(stack);
    fail_stack(world, stack, sentence);
}

/// Breaks off whatever is running, and forgets what has not been begun.
pub(super) fn cancel_siblings(world: &mut World, stack: &mut Stack) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let mut running = Vec::new();
    for (name, step) in &mut operation.steps {
        match *step {
            Step::Running(verb) => {
                *step = Step::Failed(verb);
                running.push((name.clone(), verb));
            }
            Step::Waiting => *step = Step::Cancelled,
            _ => {}
        }
    }
    operation.rolls.clear();
    operation.waits.clear();
    operation.signals.clear();
    for (name, verb) in running {
        let nested = stack.resources.get_mut(&name).and_then(|resource| {
            resource.dirty = true;
            (resource.kind == STACK).then(|| resource.physical_id.clone())
        });
        let what = match verb {
            Verb::Create => "Resource creation cancelled",
            Verb::Update => "Resource update cancelled",
            Verb::Delete => "Resource deletion cancelled",
        };
        if let Some(nested) = nested {
            resources::cancel(world, &nested, what);
        }
        stack.turn_resource(world, &name, &verb.status("FAILED"), Some(what.to_owned()));
    }
}

/// Says which resources failed, in CloudFormation's words (with the blank at the end).
fn failed_sentence(stack: &Stack) -> String {
    let mut sentence = String::new();
    for (verb, word) in [
        (Verb::Create, "create"),
        (Verb::Update, "update"),
        (Verb::Delete, "delete"),
    ] {
        let steps = stack
            .operation
            .iter()
            .flat_map(|operation| &operation.steps);
        let names: Vec<_> = steps
            .filter(|(_, step)| **step == Step::Failed(verb))
            .map(|(name, _)| name.as_str())
            .collect();
        if !names.is_empty() {
            let names = names.join(", ");
            sentence.push_str(&format!(
                "The following resource(s) failed to {word}: [{names}]. "
            ));
        }
    }
    sentence
}

/// The operation has failed as a whole.
pub(super) fn fail_stack(world: &mut World, stack: &mut Stack, reason: String) {
    let Some(operation) = &stack.operation else {
        return;
    };
    let status = match operation.kind {
        Kind::Create if stack.disable_rollback => "CREATE_FAILED",
        Kind::Create => {
            let token = operation.token.clone();
            let reason = format!("{reason}{BY_USER}");
            operation::begin(world, stack, Kind::CreateRollback, "ROLLBACK", token);
            stack.turn(world, "ROLLBACK_IN_PROGRESS", Some(reason));
            return;
        }
        Kind::Update if stack.disable_rollback => "UPDATE_FAILED",
        Kind::Update => {
            let token = operation.token.clone();
            roll_back(world, stack, "ROLLBACK", token, Some(reason));
            return;
        }
        Kind::Rollback => "UPDATE_ROLLBACK_FAILED",
        Kind::CreateRollback => "ROLLBACK_FAILED",
        Kind::Delete => "DELETE_FAILED",
    };
    stack.turn(world, status, Some(reason));
    stack.operation = None;
}

/// Turns an update back, as an operation of its own.
pub(super) fn roll_back(
    world: &mut World,
    stack: &mut Stack,
    name: &str,
    token: Option<String>,
    reason: Option<String>,
) -> String {
    if let Some(undo) = &stack.undo {
        stack.target = undo.target.clone();
    }
    let id = operation::begin(world, stack, Kind::Rollback, name, token);
    stack.turn(world, "UPDATE_ROLLBACK_IN_PROGRESS", reason);
    id
}
