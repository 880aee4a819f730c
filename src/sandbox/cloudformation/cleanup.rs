//! The end of an operation: what is no longer needed goes, and the stack comes to rest.

use std::time::Duration;

use super::super::world::World;
use super::event::STACK;
use super::operation::{self, Kind};
use super::stack::Stack;
use super::{OperationDue, resources};

/// How soon a stack looks again whether those nested in it have cleaned up.
const AGAIN: Duration = Duration::from_secs(5);

/// Every resource has settled.
pub(super) fn conclude(world: &mut World, stack: &mut Stack) {
    let Some(operation) = &stack.operation else {
        return;
    };
    match operation.kind {
        Kind::Create => rest(world, stack, "CREATE_COMPLETE"),
        Kind::CreateRollback => rest(world, stack, "ROLLBACK_COMPLETE"),
        Kind::Delete => {
            rest(world, stack, "DELETE_COMPLETE");
            stack.deleted = Some(world.now);
            stack.outputs.clear();
            world.cloudformation.forget_change_sets(&stack.id);
        }
        Kind::Update => {
            let gone: Vec<_> = stack
                .resources
                .keys()
                .filter(|name| !operation.steps.contains_key(*name))
                .cloned()
                .collect();
            for name in gone {
                stack.leftovers.extend(stack.resources.remove(&name));
            }
            // Launch template versions that nobody uses any more are no resources of their own,
            // and stay (aws-cloudformation/cloudformation-coverage-roadmap issue 1518).
            stack.turn(world, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", None);
            if parent_is_at_work(world, stack) {
                if let Some(operation) = &mut stack.operation {
                    operation.awaits_parent = true;
                }
                stack.refresh_outputs(world);
                return;
            }
            clean(world, stack);
        }
        Kind::Rollback => {
            let before = stack.undo.iter().flat_map(|undo| &undo.before);
            let made: Vec<_> = before
                .filter(|(_, before)| before.is_none())
                .map(|(name, _)| name.clone())
                .collect();
            for name in made {
                stack.leftovers.extend(stack.resources.remove(&name));
            }
            stack.turn(world, "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS", None);
            clean(world, stack);
        }
    }
}

/// Tells whether the stack is nested in one that may still have to go back.
fn parent_is_at_work(world: &World, stack: &Stack) -> bool {
    let parent = stack.parent.as_deref();
    let parent = parent.and_then(|parent| world.cloudformation.stack(parent));
    parent.is_some_and(|parent| parent.operation.is_some())
}

/// Deletes what is left over.
pub(super) fn clean(world: &mut World, stack: &mut Stack) {
    if let Some(operation) = &mut stack.operation {
        operation.awaits_parent = false;
    }
    resources::release(world, stack);
    stack.leftovers.retain(|leftover| {
        leftover.deletion_policy != "Retain" && !leftover.physical_id.is_empty()
    });
    for leftover in stack.leftovers.clone() {
        let names = (
            &*leftover.logical_id,
            &*leftover.physical_id,
            &*leftover.kind,
        );
        stack.tell_leftover(world, names, "DELETE_IN_PROGRESS");
        if leftover.kind == STACK {
            drop(resources::delete(world, &leftover));
        }
    }
    let after = world.chance.span(world.pace.configure_ms);
    operation::later(world, stack, after, OperationDue::Cleaned);
}

/// What was left over is gone.
pub(super) fn finish(world: &mut World, stack: &mut Stack) {
    if resources::are_busy(world, stack) {
        operation::later(world, stack, AGAIN, OperationDue::Cleaned);
        return;
    }
    for leftover in std::mem::take(&mut stack.leftovers) {
        // One that cannot be deleted stays behind, and the stack completes all the same
        // (CloudFormation guide, "Monitor the progress of a stack update").
        let deleted = match leftover.kind.as_str() {
            STACK => resources::is_gone(world, &leftover.physical_id),
            _ => resources::delete(world, &leftover).is_ok(),
        };
        let names = (
            &*leftover.logical_id,
            &*leftover.physical_id,
            &*leftover.kind,
        );
        let status = if deleted {
            "DELETE_COMPLETE"
        } else {
            "DELETE_FAILED"
        };
        stack.tell_leftover(world, names, status);
    }
    stack.undo = None;
    match stack.operation.as_ref().map(|operation| operation.kind) {
        Some(Kind::Rollback) => rest(world, stack, "UPDATE_ROLLBACK_COMPLETE"),
        _ => rest(world, stack, "UPDATE_COMPLETE"),
    }
}

fn rest(world: &mut World, stack: &mut Stack, status: &str) {
    stack.turn(world, status, None);
    stack.operation = None;
    stack.refresh_outputs(world);
}
