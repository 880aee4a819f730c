//! Actions that read a stack's history, newest first.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::event::{Event, STACK};
use super::super::stack::Stack;
use super::{PAGE, existing, time};

/// Reads where a page begins: how many events are older than it, or all of them.
///
/// Counting from the oldest makes a token good however many events come after it.
fn older(input: &Input, all: usize) -> Result<usize, AwsError> {
    match input.text("NextToken") {
        None => Ok(all),
        Some(token) => token
            .strip_prefix("events-")
            .and_then(|count| count.parse::<usize>().ok())
            .filter(|count| *count <= all)
            .ok_or_else(|| AwsError::validation(format!("Invalid NextToken: {token}"))),
    }
}

pub(super) fn describe_stack_events(world: &World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let stack = existing(world, &name)?;
    let end = older(input, stack.events.len())?;
    let start = end.saturating_sub(PAGE);
    let events: Vec<Value> = stack
        .events
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .rev()
        .map(|event| event_tree(stack, event))
        .collect();
    let next = (start > 0).then(|| format!("events-{start}"));
    Ok(json!({ "StackEvents": events, "NextToken": next }))
}

fn event_tree(stack: &Stack, event: &Event) -> Value {
    json!({
        "StackId": stack.id,
        "EventId": event.id,
        "StackName": stack.name,
        "LogicalResourceId": event.logical_id,
        "PhysicalResourceId": event.physical_id,
        "ResourceType": event.kind,
        "Timestamp": time(event.at),
        "ResourceStatus": event.status,
        "ResourceStatusReason": event.reason,
        "ClientRequestToken": event.token,
        "OperationId": event.operation,
    })
}

pub(super) fn describe_events(world: &World, input: &Input) -> Answer {
    let operation = input.text("OperationId");
    let stack = match (input.text("StackName"), &operation) {
        (Some(name), _) => existing(world, &name)?,
        (None, Some(id)) => world
            .cloudformation
            .stacks()
            .find(|stack| stack.operations.iter().any(|record| record.id == *id))
            .ok_or_else(|| AwsError::validation(format!("Operation [{id}] does not exist")))?,
        (None, None) => {
            return Err(AwsError::validation(
                "At least one of StackName, ChangeSetName or OperationId must be specified",
            ));
        }
    };
    let only_failed = input.inner("Filters").truth("FailedEvents") == Some(true);
    let end = older(input, stack.events.len())?;
    let mut events = Vec::new();
    let mut start = end;
    while start > 0 && events.len() < PAGE {
        start -= 1;
        let event = &stack.events[start];
        let of_operation = operation.is_none() || event.operation == operation;
        if of_operation && (!only_failed || event.status.ends_with("_FAILED")) {
            events.push(operation_event_tree(stack, event));
        }
    }
    let next = (start > 0).then(|| format!("events-{start}"));
    Ok(json!({ "OperationEvents": events, "NextToken": next }))
}

fn operation_event_tree(stack: &Stack, event: &Event) -> Value {
    let record = stack
        .operations
        .iter()
        .find(|record| Some(&record.id) == event.operation.as_ref());
    let failed = event.status.ends_with("_FAILED");
    let is_stack = event.kind == STACK && event.physical_id == stack.id;
    let kind = match (is_stack, failed) {
        (true, _) => "STACK_EVENT",
        (false, true) => "PROVISIONING_ERROR",
        (false, false) => "PROGRESS_EVENT",
    };
    let status = match event.status.as_str() {
        status if status.ends_with("_IN_PROGRESS") => "IN_PROGRESS",
        _ if failed => "FAILED",
        _ => "SUCCEEDED",
    };
    let mut tree = event_tree(stack, event);
    if let Some(tree) = tree.as_object_mut() {
        tree.remove("StackName");
        tree.insert("EventType".to_owned(), kind.into());
        tree.insert(
            "OperationType".to_owned(),
            record.map(|record| record.kind.as_str()).into(),
        );
        if is_stack {
            tree.insert("OperationStatus".to_owned(), status.into());
        }
    }
    tree
}
