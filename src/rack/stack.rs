//! A CloudFormation stack, in our own types.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A stack's status as CloudFormation spells it, such as `UPDATE_IN_PROGRESS`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StackStatus(pub String);

/// What a stack status means to somebody who waits for an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusClass {
    /// Complete, and an update may start.
    Good,
    /// Rolled back in full; an update may start (`UPDATE_ROLLBACK_COMPLETE`).
    RolledBack,
    /// An operation is going forward.
    InProgress,
    /// An operation is going back.
    RollingBack,
    /// An update failed and was not rolled back (`UPDATE_FAILED`, rollback disabled).
    Failed,
    /// A rollback failed: only `ContinueUpdateRollback` or deletion gets out.
    RollbackFailed,
    /// The stack is being deleted.
    Deleting,
    /// The stack is gone.
    Deleted,
    /// Never created, or in a state that no update starts from.
    Unusable,
}

impl StackStatus {
    /// Sorts the status into a class (the 23 values of the CloudFormation API reference, `Stack`).
    #[must_use]
    pub fn class(&self) -> StatusClass {
        match self.0.as_str() {
            "CREATE_COMPLETE" | "UPDATE_COMPLETE" | "IMPORT_COMPLETE" => StatusClass::Good,
            "UPDATE_ROLLBACK_COMPLETE" | "IMPORT_ROLLBACK_COMPLETE" => StatusClass::RolledBack,
            "UPDATE_ROLLBACK_FAILED" | "IMPORT_ROLLBACK_FAILED" => StatusClass::RollbackFailed,
            "UPDATE_FAILED" => StatusClass::Failed,
            "DELETE_IN_PROGRESS" => StatusClass::Deleting,
            "DELETE_COMPLETE" => StatusClass::Deleted,
            status if status.contains("ROLLBACK") && status.ends_with("_IN_PROGRESS") => {
                StatusClass::RollingBack
            }
            status if status.ends_with("_IN_PROGRESS") => StatusClass::InProgress,
            _ => StatusClass::Unusable,
        }
    }

    /// Tells whether an operation is under way, forward, back or deleting.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.0.ends_with("_IN_PROGRESS") && self.0 != "REVIEW_IN_PROGRESS"
    }
}

impl fmt::Display for StackStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A stack as `DescribeStacks` tells it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    /// The ARN; unlike the name it still finds the stack once it is deleted.
    pub id: String,
    /// The name.
    pub name: String,
    /// The status.
    pub status: StackStatus,
    /// Why it has that status, where CloudFormation says so.
    pub status_reason: Option<String>,
    /// The parameters in the order of the template; NoEcho values read `****`.
    pub parameters: Vec<StackParameter>,
    /// Capabilities that the stack was last updated with, such as `CAPABILITY_IAM`.
    pub capabilities: Vec<String>,
    /// SNS topics that are told of events.
    pub notification_arns: Vec<String>,
    /// Tags, without those that AWS itself sets (`aws:`).
    pub tags: BTreeMap<String, String>,
    /// The service role that CloudFormation assumes, if any.
    pub role_arn: Option<String>,
    /// Whether a failed update is left as it is rather than rolled back.
    pub disable_rollback: bool,
    /// `STANDARD` or `EXPRESS`, where the account tells it.
    pub deployment_mode: Option<String>,
    /// When the last update began.
    pub updated_at: Option<Timestamp>,
    /// The outputs, as the last finished operation left them.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
}

impl Stack {
    /// Returns the value of parameter `key`, as last given.
    #[must_use]
    pub fn parameter(&self, key: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|p| p.key == key)
            .map(|p| p.value.as_str())
    }
}

/// One parameter of a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackParameter {
    /// The name.
    pub key: String,
    /// The value as given: for an SSM-typed parameter the name of the SSM parameter.
    pub value: String,
    /// What an SSM-typed parameter resolved to at the last update.
    pub resolved: Option<String>,
}

/// One resource of a stack, or of a stack nested in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackResource {
    /// The stack that holds it: its name or ARN.
    pub stack: String,
    /// The name in the template.
    pub logical_id: String,
    /// The name or id in AWS; empty before it is made.
    pub physical_id: String,
    /// The type, such as `AWS::AutoScaling::AutoScalingGroup`.
    pub resource_type: String,
    /// The status, such as `UPDATE_COMPLETE`.
    pub status: String,
    /// Why it has that status.
    pub status_reason: Option<String>,
}

/// One line of a stack's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StackEvent {
    /// Unique within the account.
    pub id: String,
    /// The ARN of the stack that it belongs to.
    pub stack_id: String,
    /// The name of that stack.
    pub stack_name: String,
    /// The resource; the stack's own name for events of the stack itself.
    pub logical_id: String,
    /// The resource's name in AWS; the stack's own ARN for events of the stack itself.
    pub physical_id: String,
    /// The resource's type, `AWS::CloudFormation::Stack` for a stack.
    pub resource_type: String,
    /// The status that began with this event; the same one again when only the reason is news.
    pub status: String,
    /// Why, or what is going on.
    pub reason: Option<String>,
    /// When, to the millisecond. Several events may share it.
    pub at: Timestamp,
    /// The client request token of the call that caused it.
    pub token: Option<String>,
    /// The operation it belongs to. A rollback has one of its own.
    pub operation_id: Option<String>,
}

impl StackEvent {
    /// Tells whether the event is about the stack itself, and not one of its resources.
    #[must_use]
    pub fn is_about_the_stack(&self) -> bool {
        self.physical_id == self.stack_id
    }
}

/// One page of events, newest first, as `DescribeStackEvents` returns it.
#[derive(Debug, Clone, Default)]
pub struct EventPage {
    /// The events, newest first. No page size is promised.
    pub events: Vec<StackEvent>,
    /// Asks for the next, older page.
    pub next: Option<String>,
}

/// An update of a stack that keeps its template. Its new values may be secrets, so `Debug`
/// shows only their names.
#[derive(Clone)]
pub struct UpdateRequest {
    /// The stack's ARN or name.
    pub stack: String,
    /// Makes the call safe to repeat, and marks each event that it causes.
    pub token: String,
    /// Parameters that get a new value.
    pub set: BTreeMap<String, String>,
    /// Parameters that keep the value they have.
    pub keep: Vec<String>,
    /// Capabilities to grant again.
    pub capabilities: Vec<String>,
    /// Topics to keep telling.
    pub notification_arns: Vec<String>,
    /// Tags to keep.
    pub tags: BTreeMap<String, String>,
    /// The service role to keep.
    pub role_arn: Option<String>,
    /// The stack's own setting, repeated: a roll does not change it.
    pub disable_rollback: bool,
}

impl fmt::Debug for UpdateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpdateRequest")
            .field("stack", &self.stack)
            .field("token", &self.token)
            .field("set", &self.set.keys())
            .finish_non_exhaustive()
    }
}

impl UpdateRequest {
    /// Sets `set` and keeps everything else that `stack` has.
    #[must_use]
    pub fn keeping(stack: &Stack, token: &str, set: BTreeMap<String, String>) -> Self {
        let keys = stack.parameters.iter().map(|parameter| &parameter.key);
        Self {
            stack: stack.id.clone(),
            token: token.to_owned(),
            keep: keys
                .filter(|key| !set.contains_key(*key))
                .cloned()
                .collect(),
            set,
            capabilities: stack.capabilities.clone(),
            notification_arns: stack.notification_arns.clone(),
            tags: stack.tags.clone(),
            role_arn: stack.role_arn.clone(),
            disable_rollback: stack.disable_rollback,
        }
    }
}

/// The answer to an accepted update.
#[derive(Debug, Clone, Default)]
pub struct UpdateAccepted {
    /// The operation's id, where the account tells it.
    pub operation_id: Option<String>,
}

/// What an update would do to one resource, from a change set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResourceChange {
    /// `Add`, `Modify`, `Remove`, `Dynamic`.
    pub action: String,
    /// The name in the template.
    pub logical_id: String,
    /// The name in AWS, if it exists.
    pub physical_id: Option<String>,
    /// The type.
    pub resource_type: String,
    /// `True`, `False` or `Conditional`, for a modification.
    pub replacement: Option<String>,
}

/// A template in long form: intrinsic functions as `{"Fn::If": [...]}` and `{"Ref": ...}`.
#[derive(Debug, Clone, PartialEq)]
pub struct TemplateBody(pub Value);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_status_has_its_class() {
        let class = |status: &str| StackStatus(status.to_owned()).class();
        for (status, expected) in [
            ("CREATE_COMPLETE", StatusClass::Good),
            ("UPDATE_COMPLETE", StatusClass::Good),
            ("IMPORT_COMPLETE", StatusClass::Good),
            ("CREATE_IN_PROGRESS", StatusClass::InProgress),
            ("UPDATE_IN_PROGRESS", StatusClass::InProgress),
            (
                "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
                StatusClass::InProgress,
            ),
            ("IMPORT_IN_PROGRESS", StatusClass::InProgress),
            ("REVIEW_IN_PROGRESS", StatusClass::InProgress),
            ("ROLLBACK_IN_PROGRESS", StatusClass::RollingBack),
            ("UPDATE_ROLLBACK_IN_PROGRESS", StatusClass::RollingBack),
            (
                "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
                StatusClass::RollingBack,
            ),
            ("IMPORT_ROLLBACK_IN_PROGRESS", StatusClass::RollingBack),
            ("UPDATE_ROLLBACK_COMPLETE", StatusClass::RolledBack),
            ("IMPORT_ROLLBACK_COMPLETE", StatusClass::RolledBack),
            ("UPDATE_FAILED", StatusClass::Failed),
            ("UPDATE_ROLLBACK_FAILED", StatusClass::RollbackFailed),
            ("IMPORT_ROLLBACK_FAILED", StatusClass::RollbackFailed),
            ("DELETE_IN_PROGRESS", StatusClass::Deleting),
            ("DELETE_COMPLETE", StatusClass::Deleted),
            ("DELETE_FAILED", StatusClass::Unusable),
            ("CREATE_FAILED", StatusClass::Unusable),
            ("ROLLBACK_FAILED", StatusClass::Unusable),
            ("ROLLBACK_COMPLETE", StatusClass::Unusable),
        ] {
            assert_eq!(class(status), expected, "{status}");
        }
    }
}
