//! Actions that look at stacks and their resources.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::stack::{Resource, Stack};
use super::{PAGE, existing, page, time};

/// What stands for the value of a `NoEcho` parameter.
const MASK: &str = "****";

pub(super) fn describe_stacks(world: &World, input: &Input) -> Answer {
    let stacks: Vec<&Stack> = match input.text("StackName") {
        Some(name) => {
            let stack = world.cloudformation.stack(&name).ok_or_else(|| {
                AwsError::validation(format!("Stack with id {name} does not exist"))
            })?;
            vec![stack]
        }
        None => world
            .cloudformation
            .stacks()
            .filter(|stack| !stack.is_deleted())
            .collect(),
    };
    let (stacks, next) = page(stacks, input)?;
    let stacks: Vec<Value> = stacks.into_iter().map(stack_tree).collect();
    Ok(json!({ "Stacks": stacks, "NextToken": next }))
}

fn stack_tree(stack: &Stack) -> Value {
    let target = &stack.target;
    let pairs = |map: &std::collections::BTreeMap<String, String>| -> Vec<Value> {
        map.iter()
            .map(|(key, value)| json!({ "Key": key, "Value": value }))
            .collect()
    };
    let outputs = stack.outputs.iter().map(|output| {
        json!({
            "OutputKey": output.key,
            "OutputValue": output.value,
            "Description": output.description,
            "ExportName": output.export,
        })
    });
    let operations =
        stack.operations.iter().rev().take(2).map(
            |operation| json!({ "OperationType": operation.kind, "OperationId": operation.id }),
        );
    json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "ChangeSetId": stack.change_set,
        "Description": target.template.description(),
        "Parameters": parameters(stack),
        "CreationTime": time(stack.created),
        "LastUpdatedTime": stack.updated.map(time),
        "DeletionTime": stack.deleted.map(time),
        "RollbackConfiguration": {},
        "StackStatus": stack.status,
        "StackStatusReason": stack.status_reason,
        "DisableRollback": stack.disable_rollback,
        "NotificationARNs": target.notification_arns,
        "Capabilities": target.capabilities,
        "Outputs": outputs.collect::<Vec<_>>(),
        "ParentId": stack.parent,
        "RootId": stack.root,
        "RoleARN": target.role_arn,
        "Tags": pairs(&target.tags),
        "EnableTerminationProtection": false,
        "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
        "DeploymentConfig": {
            "Mode": stack.deployment_mode,
            "DisableRollback": stack.disable_rollback,
        },
        "LastOperations": operations.collect::<Vec<_>>(),
    })
}

/// Lists the parameters of a stack, masked where the template says so.
pub(in super::super) fn parameters(stack: &Stack) -> Vec<Value> {
    let declared = stack.target.template.parameters();
    let known = stack.target.parameters.0.iter();
    known
        .map(|(key, value)| {
            let declaration = declared.get(key);
            let shown = if declaration.is_some_and(|d| d.no_echo) {
                MASK
            } else {
                value.as_str()
            };
            let resolved = declaration
                .filter(|declaration| declaration.is_ssm())
                .and_then(|_| stack.target.ssm.get(value));
            json!({ "ParameterKey": key, "ParameterValue": shown, "ResolvedValue": resolved })
        })
        .collect()
}

pub(super) fn list_stacks(world: &World, input: &Input) -> Answer {
    let wanted = input.texts("StackStatusFilter");
    let found: Vec<&Stack> = world
        .cloudformation
        .stacks()
        .filter(|stack| wanted.is_empty() || wanted.contains(&stack.status))
        .collect();
    let (found, next) = page(found, input)?;
    let summaries: Vec<Value> = found
        .into_iter()
        .map(|stack| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "TemplateDescription": stack.target.template.description(),
                "CreationTime": time(stack.created),
                "LastUpdatedTime": stack.updated.map(time),
                "DeletionTime": stack.deleted.map(time),
                "StackStatus": stack.status,
                "StackStatusReason": stack.status_reason,
                "ParentId": stack.parent,
                "RootId": stack.root,
                "DriftInformation": { "StackDriftStatus": "NOT_CHECKED" },
            })
        })
        .collect();
    Ok(json!({ "StackSummaries": summaries, "NextToken": next }))
}

fn resource_tree(stack: &Stack, resource: &Resource, time_name: &str) -> Value {
    let mut tree = json!({
        "StackId": stack.id,
        "StackName": stack.name,
        "LogicalResourceId": resource.logical_id,
        "ResourceType": resource.kind,
        "ResourceStatus": resource.status,
        "ResourceStatusReason": resource.reason,
        "DriftInformation": { "StackResourceDriftStatus": "NOT_CHECKED" },
    });
    tree[time_name] = time(resource.updated);
    if !resource.physical_id.is_empty() {
        tree["PhysicalResourceId"] = resource.physical_id.as_str().into();
    }
    tree
}

pub(super) fn describe_stack_resource(world: &World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let logical_id = input.required("LogicalResourceId")?;
    let stack = world
        .cloudformation
        .stack(&name)
        .ok_or_else(|| AwsError::validation(format!("Stack '{name}' does not exist")))?;
    let resource = stack.resources.get(&logical_id).ok_or_else(|| {
        AwsError::validation(format!(
            "Resource {logical_id} does not exist for stack {name}"
        ))
    })?;
    Ok(json!({ "StackResourceDetail": resource_tree(stack, resource, "LastUpdatedTimestamp") }))
}

pub(super) fn describe_stack_resources(world: &World, input: &Input) -> Answer {
    let logical_id = input.text("LogicalResourceId");
    let physical_id = input.text("PhysicalResourceId");
    let stack = match (input.text("StackName"), &physical_id) {
        (Some(name), _) => world
            .cloudformation
            .stack(&name)
            .ok_or_else(|| AwsError::validation(format!("Stack with id {name} does not exist")))?,
        (None, Some(id)) => world
            .cloudformation
            .stacks()
            .find(|stack| stack.resources.values().any(|r| r.physical_id == *id))
            .ok_or_else(|| AwsError::validation(format!("Stack for {id} does not exist")))?,
        (None, None) => {
            return Err(AwsError::validation(
                "Either stackName or physicalResourceId must be specified",
            ));
        }
    };
    let resources: Vec<Value> = stack
        .resources
        .values()
        .filter(|resource| {
            logical_id
                .as_ref()
                .is_none_or(|id| resource.logical_id == *id)
                && physical_id
                    .as_ref()
                    .is_none_or(|id| resource.physical_id == *id)
        })
        .take(PAGE)
        .map(|resource| resource_tree(stack, resource, "Timestamp"))
        .collect();
    Ok(json!({ "StackResources": resources }))
}

pub(super) fn list_stack_resources(world: &World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let stack = existing(world, &name)?;
    let (resources, next) = page(stack.resources.values().collect(), input)?;
    let resources: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            let mut tree = resource_tree(stack, resource, "LastUpdatedTimestamp");
            if let Some(tree) = tree.as_object_mut() {
                tree.remove("StackId");
                tree.remove("StackName");
            }
            tree
        })
        .collect();
    Ok(json!({ "StackResourceSummaries": resources, "NextToken": next }))
}

pub(super) fn list_exports(world: &World, input: &Input) -> Answer {
    let exports: Vec<Value> = world
        .cloudformation
        .stacks()
        .filter(|stack| !stack.is_deleted())
        .flat_map(|stack| stack.outputs.iter().map(move |output| (stack, output)))
        .filter_map(|(stack, output)| {
            let name = output.export.as_ref()?;
            Some(json!({ "ExportingStackId": stack.id, "Name": name, "Value": output.value }))
        })
        .collect();
    let (exports, next) = page(exports, input)?;
    Ok(json!({ "Exports": exports, "NextToken": next }))
}
