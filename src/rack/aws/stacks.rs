//! CloudFormation stacks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_cloudformation::error::ProvideErrorMetadata;
use aws_sdk_cloudformation::types::{
    Capability, DeploymentConfig, DeploymentConfigMode, Parameter, Stack as SdkStack,
    StackEvent as SdkEvent, Tag, TemplateStage,
};
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use super::account::Clients;
use super::error::Call;
use crate::rack::{
    EventPage, PortError, ResourceChange, Stack, StackEvent, StackParameter, StackResource,
    StackStatus, Stacks, TemplateBody, UpdateAccepted, UpdateRequest,
};
use crate::template::Template;

/// The tags by which a Convox rack is known among stacks.
const RACK_TAGS: [(&str, &str); 2] = [("System", "convox"), ("Type", "rack")];

/// CloudFormation, as a port.
pub(super) struct AwsStacks {
    pub(super) clients: Arc<Clients>,
}

impl AwsStacks {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    pub(super) fn client(&self) -> &aws_sdk_cloudformation::Client {
        self.clients.cloudformation()
    }

    async fn resources_of(&self, stack: &str) -> Result<Vec<StackResource>, PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "ListStackResources", &what);
        let mut resources = Vec::new();
        let mut token = None;
        loop {
            let page = self.client().list_stack_resources().stack_name(stack);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            for summary in page.stack_resource_summaries.unwrap_or_default() {
                resources.push(StackResource {
                    stack: stack.to_owned(),
                    logical_id: summary.logical_resource_id.unwrap_or_default(),
                    physical_id: summary.physical_resource_id.unwrap_or_default(),
                    resource_type: summary.resource_type.unwrap_or_default(),
                    status: text_of(summary.resource_status.as_ref().map(|s| s.as_str())),
                    status_reason: summary.resource_status_reason,
                });
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(resources);
            }
        }
    }

    async fn template_at(&self, stack: &str, stage: TemplateStage) -> Result<String, PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "GetTemplate", &what);
        let answer = self
            .client()
            .get_template()
            .stack_name(stack)
            .template_stage(stage)
            .send();
        let answer = answer.await.map_err(|error| call.failed(error))?;
        Ok(answer.template_body.unwrap_or_default())
    }
}

#[async_trait]
impl Stacks for AwsStacks {
    async fn describe(&self, stack: &str) -> Result<Stack, PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "DescribeStacks", &what);
        let answer = self
            .client()
            .describe_stacks()
            .stack_name(stack)
            .send()
            .await;
        let answer = answer.map_err(|error| call.failed(error))?;
        let first = answer.stacks.unwrap_or_default().into_iter().next();
        first.map(stack_of).ok_or(PortError::NotFound { what })
    }

    async fn racks(&self) -> Result<Vec<String>, PortError> {
        let call = Call::new("cloudformation", "DescribeStacks", "stacks");
        let mut names = BTreeSet::new();
        let mut token = None;
        loop {
            let page = self
                .client()
                .describe_stacks()
                .set_next_token(token)
                .send()
                .await;
            let page = page.map_err(|error| call.failed(error))?;
            for stack in page.stacks.unwrap_or_default() {
                let tagged = |(key, value): (&str, &str)| {
                    let mut tags = stack.tags().iter();
                    tags.any(|tag| tag.key() == Some(key) && tag.value() == Some(value))
                };
                if RACK_TAGS.into_iter().all(tagged) && stack.parent_id().is_none() {
                    names.extend(stack.stack_name);
                }
            }
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(names.into_iter().collect());
            }
        }
    }

    async fn resources(&self, stack: &str) -> Result<Vec<StackResource>, PortError> {
        let mut found = Vec::new();
        let mut seen = BTreeSet::new();
        let mut waiting = vec![stack.to_owned()];
        while let Some(next) = waiting.pop() {
            if !seen.insert(next.clone()) {
                continue;
            }
            let resources = self.resources_of(&next).await?;
            let nested = resources.iter().filter(|resource| {
                resource.resource_type == "AWS::CloudFormation::Stack"
                    && !resource.physical_id.is_empty()
                    && resource.status != "DELETE_COMPLETE"
            });
            waiting.extend(nested.map(|resource| resource.physical_id.clone()));
            found.extend(resources);
        }
        Ok(found)
    }

    async fn template(&self, stack: &str) -> Result<TemplateBody, PortError> {
        let text = self.template_at(stack, TemplateStage::Processed).await?;
        let template = Template::parse(&text).map_err(|error| PortError::Rejected {
            api: "GetTemplate",
            code: "UnreadableTemplate".to_owned(),
            message: error.to_string(),
        })?;
        Ok(TemplateBody(template.tree().clone()))
    }

    async fn events(&self, stack: &str, page: Option<String>) -> Result<EventPage, PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "DescribeStackEvents", &what);
        let answer = self.client().describe_stack_events().stack_name(stack);
        let answer = answer.set_next_token(page).send().await;
        let answer = answer.map_err(|error| call.failed(error))?;
        Ok(EventPage {
            events: answer
                .stack_events
                .unwrap_or_default()
                .into_iter()
                .map(event_of)
                .collect(),
            next: answer.next_token.filter(|token| !token.is_empty()),
        })
    }

    async fn update(&self, request: &UpdateRequest) -> Result<UpdateAccepted, PortError> {
        let what = format!("stack {}", request.stack);
        let call = Call::new("cloudformation", "UpdateStack", &what);
        // A roll proves nothing about a stack that is complete before its resources are.
        let standard = DeploymentConfig::builder()
            .mode(DeploymentConfigMode::Standard)
            .build();
        let answer = self
            .client()
            .update_stack()
            .stack_name(&request.stack)
            .use_previous_template(true)
            .client_request_token(&request.token)
            .set_parameters(Some(parameters_of(request)))
            .set_capabilities(capabilities_of(request))
            .set_notification_arns(some_of(&request.notification_arns))
            .set_tags(tags_of(request))
            .set_role_arn(request.role_arn.clone())
            .set_disable_rollback(request.disable_rollback.then_some(true))
            .deployment_config(standard)
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(UpdateAccepted {
                operation_id: answer.operation_id,
            }),
            // Only this very roll has this token: the update was begun by an earlier attempt.
            Err(error) if error.code() == Some("TokenAlreadyExistsException") => {
                Ok(UpdateAccepted::default())
            }
            Err(error) => Err(call.failed(error)),
        }
    }

    async fn preview(
        &self,
        request: &UpdateRequest,
    ) -> Result<Option<Vec<ResourceChange>>, PortError> {
        self.preview_by_change_set(request).await
    }

    async fn cancel_update(&self, stack: &str, token: &str) -> Result<(), PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "CancelUpdateStack", &what);
        let answer = self.client().cancel_update_stack().stack_name(stack);
        match answer.client_request_token(token).send().await {
            Err(error) if error.code() != Some("TokenAlreadyExistsException") => {
                Err(call.failed(error))
            }
            _ => Ok(()),
        }
    }

    async fn continue_rollback(
        &self,
        stack: &str,
        skip: &[String],
        token: &str,
    ) -> Result<(), PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "ContinueUpdateRollback", &what);
        let answer = self
            .client()
            .continue_update_rollback()
            .stack_name(stack)
            .set_resources_to_skip(some_of(skip))
            .client_request_token(token)
            .send()
            .await;
        match answer {
            Err(error) if error.code() != Some("TokenAlreadyExistsException") => {
                Err(call.failed(error))
            }
            _ => Ok(()),
        }
    }

    async fn rollback(&self, stack: &str, token: &str) -> Result<(), PortError> {
        let what = format!("stack {stack}");
        let call = Call::new("cloudformation", "RollbackStack", &what);
        let answer = self.client().rollback_stack().stack_name(stack);
        match answer.client_request_token(token).send().await {
            Err(error) if error.code() != Some("TokenAlreadyExistsException") => {
                Err(call.failed(error))
            }
            _ => Ok(()),
        }
    }
}

/// Returns new values for what is set, and the previous one for what is kept.
pub(super) fn parameters_of(request: &UpdateRequest) -> Vec<Parameter> {
    let set = request.set.iter().map(|(key, value)| {
        Parameter::builder()
            .parameter_key(key)
            .parameter_value(value)
            .build()
    });
    let keep = request
        .keep
        .iter()
        .filter(|key| !request.set.contains_key(*key));
    let keep = keep.map(|key| {
        Parameter::builder()
            .parameter_key(key)
            .use_previous_value(true)
    });
    set.chain(keep.map(|parameter| parameter.build())).collect()
}

pub(super) fn capabilities_of(request: &UpdateRequest) -> Option<Vec<Capability>> {
    some_of(&request.capabilities).map(|names| {
        names
            .iter()
            .map(|name| Capability::from(name.as_str()))
            .collect()
    })
}

pub(super) fn tags_of(request: &UpdateRequest) -> Option<Vec<Tag>> {
    let tags = request
        .tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    Some(tags.collect::<Vec<_>>()).filter(|tags| !tags.is_empty())
}

/// Returns the list, or nothing where it is empty: AWS then keeps what the stack has.
pub(super) fn some_of(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

fn stack_of(stack: SdkStack) -> Stack {
    let status = text_of(stack.stack_status.as_ref().map(|status| status.as_str()));
    let mode = stack
        .deployment_config
        .as_ref()
        .and_then(|config| config.mode.as_ref());
    let deployment_mode = mode.map(|mode| mode.as_str().to_owned());
    let parameters = stack.parameters.unwrap_or_default().into_iter();
    let tags = stack.tags.unwrap_or_default().into_iter();
    let tags = tags.filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())));
    let tags: BTreeMap<_, _> = tags.filter(|(key, _)| !key.starts_with("aws:")).collect();
    Stack {
        id: stack.stack_id.unwrap_or_default(),
        name: stack.stack_name.unwrap_or_default(),
        status: StackStatus(status),
        status_reason: stack.stack_status_reason,
        parameters: parameters
            .map(|parameter| StackParameter {
                key: parameter.parameter_key.unwrap_or_default(),
                value: parameter.parameter_value.unwrap_or_default(),
                resolved: parameter.resolved_value,
            })
            .collect(),
        capabilities: stack
            .capabilities
            .unwrap_or_default()
            .iter()
            .map(|capability| capability.as_str().to_owned())
            .collect(),
        notification_arns: stack.notification_arns.unwrap_or_default(),
        tags,
        role_arn: stack.role_arn,
        disable_rollback: stack.disable_rollback.unwrap_or(false),
        deployment_mode,
        updated_at: stack.last_updated_time.as_ref().and_then(timestamp_of),
        outputs: stack
            .outputs
            .unwrap_or_default()
            .into_iter()
            .filter_map(|output| Some((output.output_key?, output.output_value?)))
            .collect(),
    }
}

fn event_of(event: SdkEvent) -> StackEvent {
    StackEvent {
        id: event.event_id.unwrap_or_default(),
        stack_id: event.stack_id.unwrap_or_default(),
        stack_name: event.stack_name.unwrap_or_default(),
        logical_id: event.logical_resource_id.unwrap_or_default(),
        physical_id: event.physical_resource_id.unwrap_or_default(),
        resource_type: event.resource_type.unwrap_or_default(),
        status: text_of(event.resource_status.as_ref().map(|status| status.as_str())),
        reason: event
            .resource_status_reason
            .filter(|reason| !reason.is_empty()),
        at: event
            .timestamp
            .as_ref()
            .and_then(timestamp_of)
            .unwrap_or_default(),
        token: event.client_request_token.filter(|token| !token.is_empty()),
        operation_id: event.operation_id.filter(|id| !id.is_empty()),
    }
}

/// Turns an SDK time into ours; one that no calendar has is left out.
pub(super) fn timestamp_of(time: &DateTime) -> Option<Timestamp> {
    Timestamp::from_nanosecond(time.as_nanos()).ok()
}

fn text_of(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}
