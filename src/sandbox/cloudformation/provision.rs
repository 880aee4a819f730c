//! One resource in an operation: created, updated, put back or deleted, until it has settled.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::template::EvaluatedResource;

use super::super::world::World;
use super::event::STACK;
use super::operation::{Kind, Step, Verb, later, proceed};
use super::resources::{self, Begun, Made, Wait};
use super::rolling;
use super::stack::{Resource, Stack, Veiled};
use super::{OperationDue, failure};

/// How often something that takes its time is looked at.
const LOOK: Duration = Duration::from_secs(5);

pub(super) fn set_step(stack: &mut Stack, logical_id: &str, step: Step) {
    if let Some(operation) = &mut stack.operation {
        operation.steps.insert(logical_id.to_owned(), step);
    }
}

/// Creates or updates a resource, or finds that there is nothing to do.
pub(super) fn forward(world: &mut World, stack: &mut Stack, wanted: EvaluatedResource) {
    let name = wanted.logical_id.clone();
    let now = stack.resources.get(&name).cloned();
    // The template of a nested stack may be another one at the same place.
    if let Some(now) = &now
        && now.kind != STACK
        && now.properties.0 == wanted.properties
        && now.kind == wanted.kind
        && !now.dirty
    {
        if let Some(resource) = stack.resources.get_mut(&name) {
            resource.update_policy = wanted.update_policy;
            resource.deletion_policy = wanted.deletion_policy;
        }
        set_step(stack, &name, Step::Settled);
        return;
    }
    if let Some(undo) = &mut stack.undo {
        undo.before
            .entry(name.clone())
            .or_insert_with(|| now.clone());
        undo.restored.retain(|restored| *restored != name);
    }
    let site = stack.site(&name);
    match now {
        Some(now) if now.kind == wanted.kind => {
            set_step(stack, &name, Step::Running(Verb::Update));
            let replaces = resources::replaces(&now, &wanted);
            let reason = replaces.then(|| {
                "Requested update requires the creation of a new physical resource; hence \
                 creating one."
                    .to_owned()
            });
            stack.turn_resource(world, &name, "UPDATE_IN_PROGRESS", reason);
            let made = if replaces {
                resources::create(world, &site, &wanted)
            } else {
                resources::update(world, &site, &now, &wanted)
            };
            take_on(world, stack, wanted, made, replaces.then_some(now));
        }
        replaced => {
            set_step(stack, &name, Step::Running(Verb::Create));
            stack.resources.insert(name.clone(), blank(world, &wanted));
            stack.turn_resource(world, &name, "CREATE_IN_PROGRESS", None);
            let made = resources::create(world, &site, &wanted);
            take_on(world, stack, wanted, made, replaced);
        }
    }
}

/// Makes the record of a resource that does not exist yet.
fn blank(world: &World, wanted: &EvaluatedResource) -> Resource {
    Resource {
        logical_id: wanted.logical_id.clone(),
        physical_id: String::new(),
        kind: wanted.kind.clone(),
        status: String::new(),
        reason: None,
        updated: world.now,
        properties: Veiled::default(),
        attributes: BTreeMap::new(),
        update_policy: wanted.update_policy.clone(),
        deletion_policy: wanted.deletion_policy.clone(),
        dirty: true,
    }
}

/// Writes down what was made of a resource, and waits for it to settle.
fn take_on(
    world: &mut World,
    stack: &mut Stack,
    wanted: EvaluatedResource,
    made: Result<Made, String>,
    replaced: Option<Resource>,
) {
    let name = wanted.logical_id;
    let made = match made {
        Ok(made) => made,
        Err(reason) => {
            if let Some(resource) = stack.resources.get_mut(&name) {
                resource.dirty = true;
            }
            failure::fail(world, stack, &name, reason);
            return;
        }
    };
    let is_new = stack
        .resources
        .get(&name)
        .is_some_and(|r| r.physical_id != made.physical_id);
    if let Some(resource) = stack.resources.get_mut(&name) {
        resource.physical_id = made.physical_id;
        resource.kind = wanted.kind;
        resource.properties = Veiled(wanted.properties);
        resource.attributes = made.attributes;
        resource.update_policy = wanted.update_policy;
        resource.deletion_policy = wanted.deletion_policy;
        resource.dirty = true;
    }
    stack.leftovers.extend(replaced);
    if is_new {
        let verb = if let Some(Step::Running(verb)) = stack
            .operation
            .as_ref()
            .and_then(|operation| operation.steps.get(&name))
        {
            *verb
        } else {
            Verb::Create
        };
        let reason = Some("Resource creation Initiated".to_owned());
        stack.turn_resource(world, &name, &verb.status("IN_PROGRESS"), reason);
    }
    wait_for(world, stack, &name, made.begun);
}

/// Waits for what was begun on a resource.
fn wait_for(world: &mut World, stack: &mut Stack, name: &str, begun: Begun) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    match begun {
        Begun::Soon(after) => {
            later(world, stack, after, OperationDue::Settled(name.to_owned()));
        }
        // A nested stack is express itself, and what it gives out must be known.
        Begun::Wait(wait @ Wait::Nested { .. }) => {
            operation.waits.insert(name.to_owned(), wait);
            later(world, stack, LOOK, OperationDue::Look(name.to_owned()));
        }
        Begun::Wait(_) | Begun::Roll(_) | Begun::Signals(_) if operation.express => {
            let after = world.chance.span(world.pace.configure_ms);
            later(world, stack, after, OperationDue::Settled(name.to_owned()));
        }
        Begun::Wait(wait) => {
            operation.waits.insert(name.to_owned(), wait);
            let after = LOOK + world.chance.span(world.pace.configure_ms);
            later(world, stack, after, OperationDue::Look(name.to_owned()));
        }
        Begun::Roll(roll) => {
            operation.rolls.insert(name.to_owned(), *roll);
            let after = world.chance.span(world.pace.configure_ms);
            let act = rolling::Act::Start;
            let what = OperationDue::Roll {
                logical_id: name.to_owned(),
                batch: 0,
                act,
            };
            later(world, stack, after, what);
        }
        Begun::Signals(wait) => {
            let after = wait.timeout;
            operation.signals.insert(name.to_owned(), wait);
            later(
                world,
                stack,
                after,
                OperationDue::SignalTimeout(name.to_owned()),
            );
        }
    }
}

/// Makes a resource again what it was before the update.
pub(super) fn back(world: &mut World, stack: &mut Stack, name: &str) {
    let before = stack
        .undo
        .as_ref()
        .and_then(|undo| undo.before.get(name).cloned())
        .flatten();
    let (Some(before), Some(now)) = (before, stack.resources.get(name).cloned()) else {
        set_step(stack, name, Step::Settled);
        return;
    };
    set_step(stack, name, Step::Running(Verb::Update));
    if stack
        .operation
        .as_ref()
        .is_some_and(|operation| operation.skip.contains(name))
    {
        stack.resources.insert(name.to_owned(), before);
        mark_settled(world, stack, name);
        return;
    }
    stack.turn_resource(world, name, "UPDATE_IN_PROGRESS", None);
    if before.physical_id != now.physical_id {
        // The one that was replaced still exists: it simply is the resource again.
        stack
            .leftovers
            .retain(|leftover| leftover.physical_id != before.physical_id);
        let given_up = Resource {
            status: String::new(),
            ..now
        };
        if !given_up.physical_id.is_empty() {
            stack.leftovers.push(given_up);
        }
        stack.resources.insert(
            name.to_owned(),
            Resource {
                dirty: true,
                ..before
            },
        );
        let after = world.chance.span(world.pace.configure_ms);
        wait_for(world, stack, name, Begun::Soon(after));
        return;
    }
    let site = stack.site(name);
    match resources::restore(world, &site, &now, &before) {
        Ok(made) => {
            let status = now.status;
            let restored = Resource {
                dirty: true,
                status,
                attributes: made.attributes,
                reason: None,
                ..before
            };
            stack.resources.insert(name.to_owned(), restored);
            wait_for(world, stack, name, made.begun);
        }
        Err(reason) => failure::fail(world, stack, name, reason),
    }
}

/// Deletes a resource, or leaves it alone where the template says so.
pub(super) fn remove(world: &mut World, stack: &mut Stack, name: &str) {
    let Some(resource) = stack.resources.get(name).cloned() else {
        set_step(stack, name, Step::Settled);
        return;
    };
    if resource.deletion_policy == "Retain" {
        set_step(stack, name, Step::Settled);
        stack.turn_resource(world, name, "DELETE_SKIPPED", None);
        forget(stack, name);
        return;
    }
    set_step(stack, name, Step::Running(Verb::Delete));
    stack.turn_resource(world, name, "DELETE_IN_PROGRESS", None);
    match resources::delete(world, &resource) {
        Ok(begun) => wait_for(world, stack, name, begun),
        Err(reason) => failure::fail(world, stack, name, reason),
    }
}

/// Looks whether what a resource waits for has come.
pub(super) fn look(world: &mut World, stack: &mut Stack, name: &str) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let Some(wait) = operation.waits.get_mut(name) else {
        return;
    };
    match resources::look(world, wait) {
        None => later(world, stack, LOOK, OperationDue::Look(name.to_owned())),
        Some(Ok(())) => {
            operation.waits.remove(name);
            settle(world, stack, name);
        }
        Some(Err(reason)) => failure::fail(world, stack, name, reason),
    }
}

/// A resource is what it should be; those that waited for it may begin.
pub(super) fn settle(world: &mut World, stack: &mut Stack, name: &str) {
    if mark_settled(world, stack, name) {
        proceed(world, stack);
    }
}

/// Writes down that a resource is what it should be, if it was on the way there.
fn mark_settled(world: &mut World, stack: &mut Stack, name: &str) -> bool {
    let Some(operation) = &mut stack.operation else {
        return false;
    };
    let Some(Step::Running(verb)) = operation.steps.get(name).copied() else {
        return false;
    };
    operation.steps.insert(name.to_owned(), Step::Settled);
    let is_rollback = operation.kind == Kind::Rollback;
    if let Some(resource) = stack.resources.get_mut(name) {
        resource.dirty = false;
    }
    stack.turn_resource(world, name, &verb.status("COMPLETE"), None);
    if verb == Verb::Delete {
        forget(stack, name);
    }
    if is_rollback && let Some(undo) = &mut stack.undo {
        undo.restored.push(name.to_owned());
    }
    true
}

/// Forgets a resource, unless the whole stack goes: what a deleted stack had is still listed.
fn forget(stack: &mut Stack, name: &str) {
    let goes = stack.operation.as_ref().map(|operation| operation.kind) == Some(Kind::Delete);
    if !goes {
        stack.resources.remove(name);
    }
}
