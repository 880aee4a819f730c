//! What CloudFormation keeps of a stack.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::Template;

use super::super::world::World;
use super::event::Event;
use super::operation::Operation;
use super::resources::{Inherited, Site};

/// Something that may hold secrets, and so is never shown by `Debug`.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Veiled<T>(pub T);

impl<T> fmt::Debug for Veiled<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[veiled]")
    }
}

/// A text that several stacks may share.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub(super) struct SharedText(Arc<str>);

impl SharedText {
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<String> for SharedText {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<SharedText> for String {
    fn from(text: SharedText) -> Self {
        text.0.as_ref().to_owned()
    }
}

/// A stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stack {
    /// The ARN.
    pub id: String,
    /// The name.
    pub name: String,
    /// The id of the stack that it is nested in.
    pub(super) parent: Option<String>,
    /// The id of the outermost stack that it is nested in.
    pub(super) root: Option<String>,
    /// The status, such as `UPDATE_IN_PROGRESS`.
    pub status: String,
    /// Why it has that status.
    pub status_reason: Option<String>,
    /// What it is, or is on the way to be.
    pub(super) target: Target,
    /// Its resources by logical id.
    pub(super) resources: BTreeMap<String, Resource>,
    /// Resources that are no longer part of it, and will be deleted.
    pub(super) leftovers: Vec<Resource>,
    /// What it gives out.
    pub(super) outputs: Vec<Output>,
    /// Its history, oldest first.
    pub(super) events: Vec<Event>,
    /// An event that is told late.
    pub(super) held: Option<Event>,
    /// Client request tokens, and what they were used for.
    pub(super) tokens: BTreeMap<String, TokenUse>,
    /// Operations, oldest first.
    pub(super) operations: Vec<OperationRecord>,
    /// The operation under way.
    pub(super) operation: Option<Operation>,
    /// How to get back to where the update began.
    pub(super) undo: Option<Undo>,
    /// Whether a failed operation is left as it is.
    pub(super) disable_rollback: bool,
    /// `STANDARD` or `EXPRESS`.
    pub(super) deployment_mode: String,
    /// The change set that it was last made or changed by.
    pub(super) change_set: Option<String>,
    /// When it was made.
    pub(super) created: Timestamp,
    /// When the last update began.
    pub(super) updated: Option<Timestamp>,
    /// When it was deleted.
    pub(super) deleted: Option<Timestamp>,
}

/// What a stack should be.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Target {
    /// The template as it was sent.
    pub body: Veiled<SharedText>,
    /// The template as a tree.
    pub template: Template,
    /// The text of every parameter.
    pub parameters: Veiled<BTreeMap<String, String>>,
    /// The values of the SSM parameters that parameters name.
    pub ssm: BTreeMap<String, String>,
    /// The stack's tags.
    pub tags: BTreeMap<String, String>,
    /// Topics to tell of events.
    pub notification_arns: Vec<String>,
    /// Capabilities that were granted.
    pub capabilities: Vec<String>,
    /// The service role.
    pub role_arn: Option<String>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters and the defaults in a template may be secrets.
        f.debug_struct("Target")
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// A resource of a stack.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Resource {
    /// The name in the template.
    pub logical_id: String,
    /// The name or id in AWS.
    pub physical_id: String,
    /// The type.
    pub kind: String,
    /// The status.
    pub status: String,
    /// Why it has that status.
    pub reason: Option<String>,
    /// When its status last changed.
    pub updated: Timestamp,
    /// What it was last made to be.
    pub(super) properties: Veiled<Value>,
    /// What `Fn::GetAtt` yields.
    pub(super) attributes: BTreeMap<String, Value>,
    /// Its `UpdatePolicy`.
    pub(super) update_policy: Value,
    /// Its `DeletionPolicy`.
    pub(super) deletion_policy: String,
    /// Whether its last change broke off, so that nobody knows what it is.
    pub(super) dirty: bool,
}

/// How to undo an update.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Undo {
    /// What the stack was.
    pub target: Target,
    /// What each touched resource was; `None` for one that did not exist.
    pub before: BTreeMap<String, Option<Resource>>,
    /// Those that are what they were again.
    pub restored: Vec<String>,
}

/// Something that a stack gives out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Output {
    pub key: String,
    pub value: String,
    pub description: Option<String>,
    pub export: Option<String>,
}

/// What a client request token was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TokenUse {
    /// The action, such as `UpdateStack`.
    pub action: String,
    /// The operation that it began.
    pub operation: String,
}

/// An operation, as `LastOperations` lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OperationRecord {
    pub id: String,
    /// The type, such as `UPDATE_STACK`.
    pub kind: String,
}

impl Stack {
    /// Makes the record of a stack that has no resources yet.
    pub(super) fn new(id: String, name: String, target: Target, created: Timestamp) -> Self {
        Self {
            id,
            name,
            parent: None,
            root: None,
            status: String::new(),
            status_reason: None,
            target,
            resources: BTreeMap::new(),
            leftovers: Vec::new(),
            outputs: Vec::new(),
            events: Vec::new(),
            held: None,
            tokens: BTreeMap::new(),
            operations: Vec::new(),
            operation: None,
            undo: None,
            disable_rollback: false,
            deployment_mode: "STANDARD".to_owned(),
            change_set: None,
            created,
            updated: None,
            deleted: None,
        }
    }

    /// Tells whether it is gone, so that only its id finds it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.status == "DELETE_COMPLETE"
    }

    /// Tells whether it is only the place of a change set that would create it.
    pub(super) fn is_in_review(&self) -> bool {
        self.status == "REVIEW_IN_PROGRESS"
    }

    /// Goes through its history, oldest first.
    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> + ExactSizeIterator {
        self.events.iter()
    }

    /// Goes through its resources by logical id.
    pub fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.resources.values()
    }

    /// Lists the names of its parameters, in order.
    #[must_use]
    pub fn parameter_names(&self) -> Vec<String> {
        self.target.parameters.0.keys().cloned().collect()
    }

    /// Returns the text of a parameter, in clear.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.target.parameters.0.get(name).map(String::as_str)
    }

    /// Tells whether an operation is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        self.status.ends_with("_IN_PROGRESS")
    }

    /// Tells whether it is updated and waits with cleaning up for the stack around it.
    pub(super) fn awaits_parent(&self) -> bool {
        let operation = self.operation.as_ref();
        operation.is_some_and(|operation| operation.awaits_parent)
    }

    /// Says where a resource is, for whoever makes it.
    pub(super) fn site(&self, logical_id: &str) -> Site {
        let operation = self.operation.as_ref();
        Site {
            stack_name: self.name.clone(),
            stack_id: self.id.clone(),
            logical_id: logical_id.to_owned(),
            inherited: Inherited {
                root: self.root.clone().unwrap_or_else(|| self.id.clone()),
                tags: self.target.tags.clone(),
                capabilities: self.target.capabilities.clone(),
                token: operation.and_then(|operation| operation.token.clone()),
                disable_rollback: self.disable_rollback,
                deployment_mode: self.deployment_mode.clone(),
            },
        }
    }

    /// Keeps what the stack is, so that an update can be undone.
    pub(super) fn keep_for_undo(&mut self) {
        if self.undo.is_none() {
            let target = self.target.clone();
            self.undo = Some(Undo {
                target,
                before: BTreeMap::new(),
                restored: Vec::new(),
            });
        }
    }

    /// Finds a parameter of type `AWS::EC2::KeyPair::KeyName` whose key pair does not exist.
    pub(super) fn missing_key_pair(&self, world: &World) -> Option<(String, String)> {
        let declared = self.target.template.parameters();
        let mut keys = declared
            .into_values()
            .filter(|d| d.kind == "AWS::EC2::KeyPair::KeyName");
        keys.find_map(|declaration| {
            let value = self.target.parameters.0.get(&declaration.name)?;
            let missing = world.ec2.key_pair(value).is_none();
            missing.then(|| (declaration.name.clone(), value.clone()))
        })
    }
}
