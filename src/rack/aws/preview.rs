//! What an update would do, from a change set that never outlives the question.

use std::time::Duration;

use aws_sdk_cloudformation::types::{Change, ChangeSetStatus};

use super::error::Call;
use super::stacks::{AwsStacks, capabilities_of, parameters_of, some_of, tags_of};
use crate::rack::{PortError, ResourceChange, UpdateRequest};

/// How often a change set is looked at, and how many times before it is given up.
const PAUSE: Duration = Duration::from_secs(2);
const LOOKS: u32 = 60;

/// What CloudFormation says of a change set that would change nothing.
const NO_CHANGE: [&str; 2] = ["didn't contain changes", "No updates are to be performed"];

impl AwsStacks {
    /// Makes a change set, reads it and deletes it again, whatever came of it.
    pub(super) async fn preview_by_change_set(
        &self,
        request: &UpdateRequest,
    ) -> Result<Option<Vec<ResourceChange>>, PortError> {
        let name = format!("convox-preview-{}", request.token);
        let what = format!("stack {}", request.stack);
        let call = Call::new("cloudformation", "CreateChangeSet", &what);
        let made = self
            .client()
            .create_change_set()
            .stack_name(&request.stack)
            .change_set_name(&name)
            .use_previous_template(true)
            .client_token(&request.token)
            .description("What an update of parameters would change. Never executed.")
            .set_parameters(Some(parameters_of(request)))
            .set_capabilities(capabilities_of(request))
            .set_notification_arns(some_of(&request.notification_arns))
            .set_tags(tags_of(request))
            .set_role_arn(request.role_arn.clone())
            .send()
            .await;
        let made = match made.map_err(|error| call.failed(error)) {
            Ok(made) => made.id.unwrap_or(name),
            Err(PortError::NoChanges) => return Ok(Some(Vec::new())),
            // A preview is a courtesy: an account that has none is rolled without.
            Err(PortError::Denied { .. } | PortError::Unanswered { .. }) => return Ok(None),
            Err(PortError::Rejected { code, .. }) if is_unknown_action(&code) => return Ok(None),
            Err(error) => return Err(error),
        };
        let seen = self.read_change_set(&request.stack, &made).await;
        let gone = self.client().delete_change_set().stack_name(&request.stack);
        // A change set that stays is untidy, and no reason to refuse the roll.
        let _ = gone.change_set_name(&made).send().await;
        match seen {
            Err(PortError::Denied { .. } | PortError::Unanswered { .. }) => Ok(None),
            seen => seen,
        }
    }

    async fn read_change_set(
        &self,
        stack: &str,
        name: &str,
    ) -> Result<Option<Vec<ResourceChange>>, PortError> {
        let what = format!("change set {name}");
        let call = Call::new("cloudformation", "DescribeChangeSet", &what);
        let mut changes = Vec::new();
        let mut token: Option<String> = None;
        let mut looks = 0;
        loop {
            let page = self
                .client()
                .describe_change_set()
                .stack_name(stack)
                .change_set_name(name);
            let page = page.set_next_token(token.clone()).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            match page.status() {
                Some(ChangeSetStatus::CreateComplete) => {}
                Some(ChangeSetStatus::Failed) => {
                    let reason = page.status_reason.unwrap_or_default();
                    if NO_CHANGE.iter().any(|text| reason.contains(text)) {
                        return Ok(Some(Vec::new()));
                    }
                    return Err(PortError::Rejected {
                        api: "CreateChangeSet",
                        code: "FAILED".to_owned(),
                        message: reason,
                    });
                }
                _ => {
                    looks += 1;
                    if looks == LOOKS {
                        return Ok(None);
                    }
                    self.clients.clock().sleep(PAUSE).await;
                    continue;
                }
            }
            changes.extend(
                page.changes
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(change_of),
            );
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(Some(changes));
            }
        }
    }
}

fn is_unknown_action(code: &str) -> bool {
    matches!(
        code,
        "InvalidAction" | "UnknownOperationException" | "NotImplemented"
    )
}

fn change_of(change: Change) -> Option<ResourceChange> {
    let change = change.resource_change?;
    Some(ResourceChange {
        action: change
            .action
            .map(|action| action.as_str().to_owned())
            .unwrap_or_default(),
        logical_id: change.logical_resource_id.unwrap_or_default(),
        physical_id: change.physical_resource_id.filter(|id| !id.is_empty()),
        resource_type: change.resource_type.unwrap_or_default(),
        replacement: change
            .replacement
            .map(|replacement| replacement.as_str().to_owned()),
    })
}
