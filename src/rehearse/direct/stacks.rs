//! CloudFormation.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Direct, items, maybe, text};
use crate::rack::{
    EventPage, PortError, ResourceChange, Stack, StackEvent, StackParameter, StackResource,
    StackStatus, Stacks, TemplateBody, UpdateAccepted, UpdateRequest,
};
use crate::sandbox::cloudformation;

/// How many events a page has: few, since most polls see only a few new ones.
const PAGE: usize = 10;

#[async_trait]
impl Stacks for Direct {
    async fn describe(&self, stack: &str) -> Result<Stack, PortError> {
        let input = json!({ "StackName": stack });
        let answer = self.call("DescribeStacks", cloudformation::handle, input)?;
        let mut stacks = items(&answer, "Stacks");
        stacks
            .next()
            .map(stack_of)
            .ok_or_else(|| PortError::NotFound {
                what: format!("stack {stack}"),
            })
    }

    async fn racks(&self) -> Result<Vec<String>, PortError> {
        Ok(vec![self.stack.clone()])
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, PortError> {
        let input = json!({ "StackName": stack });
        let answer = self.call("DescribeStackResources", cloudformation::handle, input)?;
        let resource = |it: &Value| StackResource {
            stack: stack.to_owned(),
            logical_id: text(it, "LogicalResourceId"),
            physical_id: text(it, "PhysicalResourceId"),
            resource_type: text(it, "ResourceType"),
            status: text(it, "ResourceStatus"),
            status_reason: maybe(it, "ResourceStatusReason"),
        };
        Ok(items(&answer, "StackResources").map(resource).collect())
    }

    async fn template(&self, stack: &str) -> Result<TemplateBody, PortError> {
        let input = json!({ "StackName": stack });
        let answer = self.call("GetTemplate", cloudformation::handle, input)?;
        let body = text(&answer, "TemplateBody");
        let tree = serde_json::from_str(&body).map_err(|error| PortError::Rejected {
            api: "GetTemplate",
            code: "UnreadableTemplate".to_owned(),
            message: error.to_string(),
        })?;
        Ok(TemplateBody(tree))
    }

    async fn events(&self, stack: &str, page: Option<String>) -> Result<EventPage, PortError> {
        self.sandbox.with(|world| {
            let found = world.cloudformation.stack(stack);
            let found = found.ok_or_else(|| PortError::NotFound {
                what: format!("stack {stack}"),
            })?;
            let all = found.events().len();
            // Counted from the oldest, so that what happens meanwhile shifts nothing.
            let until = page.and_then(|page| page.parse().ok()).unwrap_or(all);
            let newer = all.saturating_sub(until);
            let events = found.events().rev().skip(newer).take(PAGE);
            let from = until.saturating_sub(PAGE);
            Ok(EventPage {
                events: events.map(|event| event_of(found, event)).collect(),
                next: (from > 0).then(|| from.to_string()),
            })
        })
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateAccepted, PortError> {
        let set = request.set.iter();
        let set = set.map(|(key, value)| json!({ "ParameterKey": key, "ParameterValue": value }));
        let keep = request.keep.iter();
        let keep = keep.map(|key| json!({ "ParameterKey": key, "UsePreviousValue": true }));
        let input = json!({
            "StackName": request.stack,
            "UsePreviousTemplate": true,
            "ClientRequestToken": request.token,
            "Parameters": set.chain(keep).collect::<Vec<_>>(),
            "Capabilities": request.capabilities,
        });
        let answer = self.call("UpdateStack", cloudformation::handle, input)?;
        Ok(UpdateAccepted {
            operation_id: maybe(&answer, "OperationId"),
        })
    }

    /// What a change set would tell is of no use in here.
    async fn preview(&self, _: &UpdateRequest) -> Result<Option<Vec<ResourceChange>>, PortError> {
        Ok(None)
    }

    async fn cancel_update(&self, stack: &str, token: &str) -> Result<(), PortError> {
        let input = json!({ "StackName": stack, "ClientRequestToken": token });
        self.call("CancelUpdateStack", cloudformation::handle, input)?;
        Ok(())
    }

    async fn continue_rollback(
        &self,
        stack: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), PortError> {
        let input = json!({
            "StackName": stack, "ClientRequestToken": token, "ResourcesToSkip": skip,
        });
        self.call("ContinueUpdateRollback", cloudformation::handle, input)?;
        Ok(())
    }

    async fn rollback(&self, stack: &str, token: &str) -> Result<(), PortError> {
        let input = json!({ "StackName": stack, "ClientRequestToken": token });
        self.call("RollbackStack", cloudformation::handle, input)?;
        Ok(())
    }
}

fn stack_of(stack: &Value) -> Stack {
    let parameters = items(stack, "Parameters").map(|it| StackParameter {
        key: text(it, "ParameterKey"),
        value: text(it, "ParameterValue"),
        resolved: maybe(it, "ResolvedValue"),
    });
    let words = |name: &str| {
        let words = items(stack, name).filter_map(Value::as_str);
        words.map(str::to_owned).collect()
    };
    let tags = items(stack, "Tags").map(|it| (text(it, "Key"), text(it, "Value")));
    Stack {
        id: text(stack, "StackId"),
        name: text(stack, "StackName"),
        status: StackStatus(text(stack, "StackStatus")),
        status_reason: maybe(stack, "StackStatusReason"),
        parameters: parameters.collect(),
        capabilities: words("Capabilities"),
        notification_arns: words("NotificationARNs"),
        tags: tags.collect(),
        role_arn: maybe(stack, "RoleARN"),
        disable_rollback: stack["DisableRollback"].as_bool().unwrap_or(false),
        deployment_mode: maybe(&stack["DeploymentConfig"], "Mode"),
        updated_at: maybe(stack, "LastUpdatedTime").and_then(|at| at.parse().ok()),
        outputs: items(stack, "Outputs")
            .map(|it| (text(it, "OutputKey"), text(it, "OutputValue")))
            .collect(),
    }
}

fn event_of(stack: &cloudformation::Stack, event: &cloudformation::Event) -> StackEvent {
    StackEvent {
        id: event.id.clone(),
        stack_id: stack.id.clone(),
        stack_name: stack.name.clone(),
        logical_id: event.logical_id.clone(),
        physical_id: event.physical_id.clone(),
        resource_type: event.kind.clone(),
        status: event.status.clone(),
        reason: event.reason.clone(),
        at: event.at,
        token: event.token.clone(),
        operation_id: event.operation.clone(),
    }
}
