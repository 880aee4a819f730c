//! `AWS::CloudFormation::Stack`: a stack of its own, which goes the way of the stack around it.
//!
//! A nested stack that has been updated keeps what it would need to go back until the stack
//! around it is sure of its own update: it stays in `UPDATE_COMPLETE_CLEANUP_IN_PROGRESS`
//! (CloudFormation guide, "Monitor the progress of a stack update").

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::template::EvaluatedResource;

use super::super::super::api::{AwsError, Input};
use super::super::super::world::World;
use super::super::api::{
    Request, check_updatable, is_unchanged, new_id, start_create, start_delete, start_update,
};
use super::super::event::STACK;
use super::super::stack::{Resource, Stack};
use super::super::{cleanup, failure, with_stack};
use super::{Begun, Made, Site, Wait, moment};

/// What a stack waits for in one that is nested in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) enum Goal {
    /// It is created.
    Created,
    /// It is updated.
    Updated,
    /// It is what it was before an update.
    PutBack,
    /// It is gone.
    Deleted,
}

/// What a nested stack takes over from the stack around it.
#[derive(Debug, Clone)]
pub(in super::super) struct Inherited {
    /// The outermost stack's id.
    pub root: String,
    pub tags: BTreeMap<String, String>,
    pub capabilities: Vec<String>,
    pub token: Option<String>,
    pub disable_rollback: bool,
    pub deployment_mode: String,
}

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let name = site.unique_name(world);
    let id = new_id(world, &name);
    let request = request(world, site, &wanted.properties, (&id, &name))?;
    let mut stack = Stack::new(id.clone(), name, request.target.clone(), world.now);
    stack.parent = Some(site.stack_id.clone());
    stack.root = Some(site.inherited.root.clone());
    start_create(world, &mut stack, request, "CreateStack");
    world.cloudformation.stacks.insert(id.clone(), stack);
    Ok(made(id, Goal::Created))
}

pub(super) fn update(
    world: &mut World,
    site: &Site,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let id = now.physical_id.clone();
    let stack = world
        .cloudformation
        .stack(&id)
        .ok_or_else(|| missing(&id))?;
    let name = stack.name.clone();
    let request = request(world, site, &wanted.properties, (&id, &name))?;
    if is_unchanged(world, stack, &request.target).map_err(|error| error.message)? {
        return Ok(as_it_is(world, id));
    }
    if !stack.awaits_parent() {
        check_updatable(stack).map_err(|error| error.message)?;
    }
    with_stack(world, &id, |world, stack| {
        start_update(world, stack, request, "UpdateStack");
    });
    Ok(made(id, Goal::Updated))
}

/// Makes a nested stack again what it was, whether or not it is on the way there already.
pub(super) fn restore(world: &mut World, site: &Site, id: &str) -> Result<Made, String> {
    let token = site.inherited.token.clone();
    let goes_back = with_stack(world, id, |world, stack| {
        let action = match stack.status.as_str() {
            "UPDATE_ROLLBACK_FAILED" => "CONTINUE_ROLLBACK",
            "UPDATE_FAILED" => "ROLLBACK",
            _ if stack.awaits_parent() => "ROLLBACK",
            _ => return stack.is_busy(),
        };
        failure::roll_back(world, stack, action, token, None);
        true
    });
    match goes_back {
        Some(true) => Ok(made(id.to_owned(), Goal::PutBack)),
        Some(false) => Ok(as_it_is(world, id.to_owned())),
        None => Err(missing(id)),
    }
}

/// Begins to delete a nested stack, unless it is gone or on the way out.
pub(super) fn delete(world: &mut World, id: &str) -> Begun {
    with_stack(world, id, |world, stack| {
        if !stack.is_deleted() && stack.status != "DELETE_IN_PROGRESS" {
            start_delete(world, stack, None);
        }
    });
    Begun::Wait(Wait::Nested {
        stack: id.to_owned(),
        goal: Goal::Deleted,
    })
}

/// Looks how far a nested stack is: `None` while it is on the way.
pub(super) fn look(world: &World, id: &str, goal: Goal) -> Option<Result<(), String>> {
    let Some(stack) = world.cloudformation.stack(id) else {
        return Some(Err(missing(id)));
    };
    let status = stack.status.as_str();
    let failed = |what: &str| {
        let (status, reason) = blame(stack);
        let state = match goal {
            Goal::Updated | Goal::PutBack => format!(". Currently in {status} with reason"),
            Goal::Created | Goal::Deleted => String::new(),
        };
        Some(Err(format!(
            "Embedded stack {id} was not successfully {what}{state}: {reason}"
        )))
    };
    match (goal, status) {
        (Goal::Created, "CREATE_COMPLETE") | (Goal::Deleted, "DELETE_COMPLETE") => Some(Ok(())),
        (Goal::Created, "CREATE_IN_PROGRESS") | (Goal::Deleted, "DELETE_IN_PROGRESS") => None,
        (Goal::Updated, "UPDATE_IN_PROGRESS") => None,
        (Goal::Updated, "UPDATE_COMPLETE" | "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS") => Some(Ok(())),
        (Goal::PutBack, "UPDATE_ROLLBACK_FAILED") => failed("updated"),
        (Goal::PutBack, status) => (!status.ends_with("_IN_PROGRESS")).then_some(Ok(())),
        (Goal::Created, _) => failed("created"),
        (Goal::Updated, _) => failed("updated"),
        (Goal::Deleted, _) => failed("deleted"),
    }
}

/// Finds the status of a nested stack that says why it failed, and the reason.
fn blame(stack: &Stack) -> (&str, &str) {
    let mut events = stack.events.iter().rev();
    let event = events.find(|event| {
        let failed =
            event.status.ends_with("_FAILED") || event.status.ends_with("ROLLBACK_IN_PROGRESS");
        failed && event.physical_id == stack.id && event.reason.is_some()
    });
    let Some(event) = event else {
        return (&stack.status, "");
    };
    let reason = event.reason.as_deref().unwrap_or_default();
    let reason = reason.strip_suffix(failure::BY_USER).unwrap_or(reason);
    (&event.status, reason.trim_end())
}

/// Breaks off what a nested stack is doing, since the stack around it has failed.
pub(in super::super) fn cancel(world: &mut World, id: &str, reason: &str) {
    with_stack(world, id, |world, stack| {
        let on_its_way = ["CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS"];
        if stack.operation.is_some() && on_its_way.contains(&stack.status.as_str()) {
            failure::cancel_siblings(world, stack);
            failure::fail_stack(world, stack, reason.to_owned());
        }
    });
}

/// Lets the nested stacks clean up that have waited for the stack around them.
pub(in super::super) fn release(world: &mut World, stack: &Stack) {
    for id in ids(stack.resources.values()) {
        with_stack(world, &id, |world, nested| {
            if nested.awaits_parent() {
                cleanup::clean(world, nested);
            }
        });
    }
}

/// Tells whether a nested stack is not at rest yet, or one that is left over not yet gone.
pub(in super::super) fn are_busy(world: &World, stack: &Stack) -> bool {
    let all = stack.resources.values().chain(&stack.leftovers);
    ids(all).any(|id| {
        let nested = world.cloudformation.stack(&id);
        nested.is_some_and(Stack::is_busy)
    })
}

/// Tells whether a nested stack is deleted.
pub(in super::super) fn is_gone(world: &World, id: &str) -> bool {
    let stack = world.cloudformation.stack(id);
    stack.is_none_or(Stack::is_deleted)
}

/// Returns an output of a nested stack.
pub(super) fn output(world: &World, id: &str, name: &str) -> Option<Value> {
    let stack = world.cloudformation.stack(id)?;
    let output = stack.outputs.iter().find(|output| output.key == name)?;
    Some(output.value.as_str().into())
}

fn ids<'a>(resources: impl Iterator<Item = &'a Resource>) -> impl Iterator<Item = String> {
    let nested = resources.filter(|resource| resource.kind == STACK);
    nested
        .map(|resource| resource.physical_id.clone())
        .collect::<Vec<_>>()
        .into_iter()
}

fn made(id: String, goal: Goal) -> Made {
    Made {
        physical_id: id.clone(),
        attributes: BTreeMap::new(),
        begun: Begun::Wait(Wait::Nested { stack: id, goal }),
    }
}

fn as_it_is(world: &mut World, id: String) -> Made {
    Made {
        physical_id: id,
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    }
}

fn missing(id: &str) -> String {
    format!("Stack [{id}] does not exist")
}

/// Reads the properties of a nested stack as the call that they stand for.
fn request(
    world: &World,
    site: &Site,
    properties: &Value,
    stack: (&str, &str),
) -> Result<Request, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items = items.iter().map(|item| match item {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            items.collect::<Vec<_>>().join(",")
        }
        other => other.to_string(),
    };
    let parameters = properties.get("Parameters").and_then(Value::as_object);
    let parameters: Vec<Value> = parameters
        .into_iter()
        .flatten()
        .map(|(key, value)| json!({ "ParameterKey": key, "ParameterValue": text(value) }))
        .collect();
    let inherited = &site.inherited;
    let input = json!({
        "TemplateURL": properties.get("TemplateURL"),
        "Parameters": parameters,
        "Tags": properties.get("Tags"),
        "NotificationARNs": properties.get("NotificationARNs"),
        "Capabilities": inherited.capabilities,
        "DisableRollback": inherited.disable_rollback,
        "DeploymentConfig": { "Mode": inherited.deployment_mode },
        "ClientRequestToken": inherited.token,
    });
    let refused = |error: AwsError| error.message;
    let mut request = Request::read(world, &Input(input), stack, None).map_err(refused)?;
    let own = std::mem::take(&mut request.target.tags);
    request.target.tags.clone_from(&inherited.tags);
    request.target.tags.extend(own);
    Ok(request)
}
