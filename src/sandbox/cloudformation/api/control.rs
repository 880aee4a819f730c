//! Actions on an operation: cancel, continue, roll back, signal.

use serde_json::json;

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::operation::{self, Kind};
use super::super::stack::Stack;
use super::super::{failure, signals, with_stack};
use super::request::token;
use super::start::repeated;

/// Lets `act` work on a stack that must be there.
fn on_stack(
    world: &mut World,
    name: &str,
    act: impl FnOnce(&mut World, &mut Stack) -> Answer,
) -> Answer {
    with_stack(world, name, act).unwrap_or_else(|| {
        Err(AwsError::validation(format!(
            "Stack [{name}] does not exist"
        )))
    })
}

pub(super) fn cancel_update_stack(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let token = token(input)?;
    on_stack(world, &name, |world, stack| {
        if repeated(stack, token.as_deref(), "CancelUpdateStack")?.is_some() {
            return Ok(json!({}));
        }
        if stack.status != "UPDATE_IN_PROGRESS" {
            return Err(AwsError::validation(
                "CancelUpdateStack cannot be called from current stack status",
            ));
        }
        let update = stack
            .operation
            .as_ref()
            .and_then(|operation| operation.token.clone());
        failure::cancel_siblings(world, stack);
        let reason = Some("User Initiated".to_owned());
        let mark = token.clone().or(update);
        failure::roll_back(world, stack, "ROLLBACK", mark, reason);
        operation::remember_token(stack, "CancelUpdateStack", token.as_deref());
        Ok(json!({}))
    })
}

pub(super) fn continue_update_rollback(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let token = token(input)?;
    let skip = input.texts("ResourcesToSkip");
    on_stack(world, &name, |world, stack| {
        if let Some(known) = repeated(stack, token.as_deref(), "ContinueUpdateRollback")? {
            return Ok(json!({ "OperationId": known }));
        }
        if stack.status != "UPDATE_ROLLBACK_FAILED" {
            return Err(AwsError::validation(format!(
                "Stack:{} is in {} state and can not continue rollback.",
                stack.id, stack.status
            )));
        }
        for skipped in &skip {
            let failed = stack
                .resources
                .get(skipped)
                .is_some_and(|resource| resource.status == "UPDATE_FAILED");
            if !failed {
                return Err(AwsError::validation(format!(
                    "Resource [{skipped}] is not in UPDATE_FAILED state and can not be skipped"
                )));
            }
        }
        let reason = Some("User Initiated".to_owned());
        let name = "CONTINUE_ROLLBACK";
        let id = failure::roll_back(world, stack, name, token.clone(), reason);
        operation::remember_token(stack, "ContinueUpdateRollback", token.as_deref());
        if let Some(operation) = &mut stack.operation {
            operation.skip = skip.into_iter().collect();
        }
        Ok(json!({ "OperationId": id }))
    })
}

pub(super) fn rollback_stack(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let token = token(input)?;
    on_stack(world, &name, |world, stack| {
        if let Some(known) = repeated(stack, token.as_deref(), "RollbackStack")? {
            return Ok(json!({ "StackId": stack.id, "OperationId": known }));
        }
        let reason = Some("User Initiated".to_owned());
        let id = match stack.status.as_str() {
            "UPDATE_FAILED" => failure::roll_back(world, stack, "ROLLBACK", token.clone(), reason),
            "CREATE_FAILED" => {
                let kind = Kind::CreateRollback;
                let id = operation::begin(world, stack, kind, "ROLLBACK", token.clone());
                stack.turn(world, "ROLLBACK_IN_PROGRESS", reason);
                id
            }
            status => {
                return Err(AwsError::validation(format!(
                    "Stack:{} is in {status} state and can not be rolled back.",
                    stack.id
                )));
            }
        };
        operation::remember_token(stack, "RollbackStack", token.as_deref());
        Ok(json!({ "StackId": stack.id, "OperationId": id }))
    })
}

pub(super) fn signal_resource(world: &mut World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let logical_id = input.required("LogicalResourceId")?;
    let unique_id = input.required("UniqueId")?;
    let success = match input.required("Status")?.as_str() {
        "SUCCESS" => true,
        "FAILURE" => false,
        other => {
            return Err(AwsError::validation(format!(
                "1 validation error detected: Value '{other}' at 'status' failed to satisfy \
                 constraint: Member must satisfy enum value set: [SUCCESS, FAILURE]"
            )));
        }
    };
    on_stack(world, &name, |world, stack| {
        let Some(resource) = stack.resources.get(&logical_id) else {
            return Err(AwsError::validation(format!(
                "Resource {logical_id} does not exist for stack {name}"
            )));
        };
        if !resource.status.ends_with("_IN_PROGRESS") {
            return Err(AwsError::validation(format!(
                "Resource {logical_id} is in {} state and can not be signaled",
                resource.status
            )));
        }
        signals::receive(world, stack, &logical_id, &unique_id, success);
        Ok(json!({}))
    })
}
