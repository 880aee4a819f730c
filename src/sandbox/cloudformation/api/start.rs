//! Actions that begin an operation: create, update, delete.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::template::Evaluator;

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::lookup::{Known, evaluator};
use super::super::operation::{self, Kind};
use super::super::stack::{Stack, Target};
use super::super::{failure, with_stack};
use super::existing;
use super::request::{self, Request};

pub(super) fn create_stack(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    check_name(&name)?;
    if let Some(stack) = world.cloudformation.stack(&name) {
        let token = request::token(input)?;
        if let Some(known) = repeated(stack, token.as_deref(), "CreateStack")? {
            return Ok(json!({ "StackId": stack.id, "OperationId": known }));
        }
        let message = format!("Stack [{name}] already exists");
        return Err(AwsError::new(400, "AlreadyExistsException", message));
    }
    let id = new_id(world, &name);
    let request = Request::read(world, input, (&id, &name), None)?;
    let mut stack = Stack::new(id.clone(), name, request.target.clone(), world.now);
    let operation = start_create(world, &mut stack, request, "CreateStack");
    world.cloudformation.stacks.insert(id.clone(), stack);
    Ok(json!({ "StackId": id, "OperationId": operation }))
}

/// Refuses a name that no stack can have.
pub(in super::super) fn check_name(name: &str) -> Result<(), AwsError> {
    let good = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.len() <= 128
        && name
            .chars()
            .all(|each| each.is_ascii_alphanumeric() || each == '-');
    if good {
        return Ok(());
    }
    Err(AwsError::validation(format!(
        "1 validation error detected: Value '{name}' at 'stackName' failed to satisfy \
         constraint: Member must satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]*"
    )))
}

/// Makes the ARN of a new stack.
pub(in super::super) fn new_id(world: &mut World, name: &str) -> String {
    let id = world.chance.uuid();
    world.arn("cloudformation", &format!("stack/{name}/{id}"))
}

/// Begins to create a stack and returns the operation's id.
pub(in super::super) fn start_create(
    world: &mut World,
    stack: &mut Stack,
    request: Request,
    action: &str,
) -> String {
    stack.target = request.target;
    stack.disable_rollback = request.disable_rollback;
    stack.deployment_mode = request.deployment_mode;
    world.cloudformation.outdate_change_sets(&stack.id);
    let token = request.token;
    let operation = operation::begin(world, stack, Kind::Create, "CREATE_STACK", token.clone());
    operation::remember_token(stack, action, token.as_deref());
    stack.turn(
        world,
        "CREATE_IN_PROGRESS",
        Some("User Initiated".to_owned()),
    );
    operation
}

/// Finds the operation that a token began, when the same action is only sent again.
pub(super) fn repeated(
    stack: &Stack,
    token: Option<&str>,
    action: &str,
) -> Result<Option<String>, AwsError> {
    let Some((token, used)) = token.and_then(|token| Some((token, stack.tokens.get(token)?)))
    else {
        return Ok(None);
    };
    if used.action == action {
        return Ok(Some(used.operation.clone()));
    }
    Err(AwsError::new(
        400,
        "TokenAlreadyExistsException",
        format!("A client request token {token} already exists for another operation"),
    ))
}

pub(super) fn update_stack(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let stack = existing(world, &name)?;
    let token = request::token(input)?;
    if let Some(known) = repeated(stack, token.as_deref(), "UpdateStack")? {
        return Ok(json!({ "StackId": stack.id, "OperationId": known }));
    }
    check_updatable(stack)?;
    let previous = Some((&stack.target, &stack.resources));
    let request = Request::read(world, input, (&stack.id, &stack.name), previous)?;
    if is_unchanged(world, stack, &request.target)? {
        return Err(AwsError::validation("No updates are to be performed."));
    }
    let id = stack.id.clone();
    let operation = with_stack(world, &id, |world, stack| {
        start_update(world, stack, request, "UpdateStack")
    });
    Ok(json!({ "StackId": id, "OperationId": operation }))
}

/// Refuses an update of a stack that is busy or wedged.
pub(in super::super) fn check_updatable(stack: &Stack) -> Result<(), AwsError> {
    let ready = [
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_FAILED",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    ];
    if ready.contains(&stack.status.as_str()) {
        return Ok(());
    }
    Err(AwsError::validation(format!(
        "Stack:{} is in {} state and can not be updated.",
        stack.id, stack.status
    )))
}

/// Begins an update and returns the operation's id.
pub(in super::super) fn start_update(
    world: &mut World,
    stack: &mut Stack,
    request: Request,
    action: &str,
) -> String {
    stack.keep_for_undo();
    stack.target = request.target;
    stack.disable_rollback = request.disable_rollback;
    stack.deployment_mode = request.deployment_mode;
    stack.updated = Some(world.now);
    world.cloudformation.outdate_change_sets(&stack.id);
    let token = request.token;
    let operation = operation::begin(world, stack, Kind::Update, "UPDATE_STACK", token.clone());
    operation::remember_token(stack, action, token.as_deref());
    stack.turn(
        world,
        "UPDATE_IN_PROGRESS",
        Some("User Initiated".to_owned()),
    );
    operation
}

/// Tells whether a target is what the stack already is, as far as anybody could notice.
pub(in super::super) fn is_unchanged(
    world: &World,
    stack: &Stack,
    target: &Target,
) -> Result<bool, AwsError> {
    let old = &stack.target;
    if old.tags != target.tags || old.notification_arns != target.notification_arns {
        return Ok(false);
    }
    let known = Known {
        world,
        resources: &stack.resources,
    };
    let fault = |error| request::template_error(&error);
    let evaluator = evaluator(&known, &stack.id, &stack.name, target).map_err(fault)?;
    let wanted = evaluator.resources().map_err(fault)?;
    let same = wanted.len() == stack.resources.len()
        && wanted.iter().all(|wanted| {
            stack.resources.get(&wanted.logical_id).is_some_and(|now| {
                !now.dirty && now.kind == wanted.kind && now.properties.0 == wanted.properties
            })
        });
    Ok(same && outputs(&evaluator) == stack.evaluate(world, |e| Ok(outputs(e))).ok().flatten())
}

fn outputs(evaluator: &Evaluator<'_>) -> Option<BTreeMap<String, Value>> {
    evaluator.outputs().ok()
}

pub(super) fn delete_stack(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let token = request::token(input)?;
    // A stack that is not there is deleted already.
    let outcome = with_stack(world, &name, |world, stack| {
        if stack.is_deleted() || stack.status == "DELETE_IN_PROGRESS" {
            return Ok(());
        }
        repeated(stack, token.as_deref(), "DeleteStack")?;
        start_delete(world, stack, token);
        Ok(())
    });
    outcome.unwrap_or(Ok(()))?;
    Ok(json!({}))
}

/// Begins to delete a stack, whatever else it is at.
pub(in super::super) fn start_delete(world: &mut World, stack: &mut Stack, token: Option<String>) {
    if stack.operation.is_some() {
        failure::cancel_siblings(world, stack);
    }
    stack.disable_rollback = false;
    let used = token.clone();
    operation::begin(world, stack, Kind::Delete, "DELETE_STACK", token);
    operation::remember_token(stack, "DeleteStack", used.as_deref());
    stack.turn(
        world,
        "DELETE_IN_PROGRESS",
        Some("User Initiated".to_owned()),
    );
}
