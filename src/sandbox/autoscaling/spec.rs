//! What callers say to and see of Auto Scaling.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One version of a launch template, by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateVersion {
    /// The launch template's id.
    pub id: String,
    /// The version.
    pub version: u64,
}

/// The launch template version that a group wants: a fixed one, or one that moves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WantedVersion {
    /// The launch template's id.
    pub id: String,
    /// A number, `$Latest` or `$Default`.
    pub version: String,
}

impl From<TemplateVersion> for WantedVersion {
    fn from(fixed: TemplateVersion) -> Self {
        Self {
            id: fixed.id,
            version: fixed.version.to_string(),
        }
    }
}

/// What a group is made from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// The name.
    pub name: String,
    /// The fewest instances.
    pub min: u32,
    /// The most instances.
    pub max: u32,
    /// How many are wanted; `min` when not said.
    pub desired: Option<u32>,
    /// The launch template version.
    pub launch_template: Option<TemplateVersion>,
    /// The launch configuration, where there is no launch template.
    pub launch_configuration: Option<String>,
    /// Tags, handed on to instances. CloudFormation puts
    /// `aws:cloudformation:stack-name` and `aws:cloudformation:logical-id` here,
    /// which is how a booted instance knows whom to signal.
    pub tags: BTreeMap<String, String>,
    /// Termination policies, such as `NewestInstance`.
    pub termination_policies: Vec<String>,
}

/// A change to a group: what is `None` stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupChange {
    /// The fewest instances.
    pub min: Option<u32>,
    /// The most instances.
    pub max: Option<u32>,
    /// How many are wanted.
    pub desired: Option<u32>,
    /// The launch template version for new members, in place of any launch configuration.
    pub launch_template: Option<TemplateVersion>,
    /// The launch configuration for new members, in place of any launch template.
    pub launch_configuration: Option<String>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Termination policies.
    pub termination_policies: Option<Vec<String>>,
}

/// A lifecycle hook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// The name.
    pub name: String,
    /// Whether it holds instances on the way out (and else on the way in).
    pub terminating: bool,
    /// Seconds without a heartbeat until the default result.
    pub heartbeat_secs: u64,
    /// `CONTINUE` or `ABANDON`.
    pub default_result: String,
    /// Whether a handler (the rack's drain function) listens and completes the hook.
    pub has_handler: bool,
    /// What it tells whoever listens, besides.
    #[serde(default)]
    pub metadata: Option<String>,
}

/// A member as CloudFormation's rolling update sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The instance id.
    pub instance: String,
    /// The lifecycle state, such as `InService` or `Terminating:Wait`.
    pub lifecycle: String,
    /// The launch template version that it was started from.
    pub launch_template: Option<TemplateVersion>,
}

/// A group as CloudFormation's rolling update sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupView {
    /// The fewest instances.
    pub min: u32,
    /// The most instances.
    pub max: u32,
    /// How many are wanted.
    pub desired: u32,
    /// The members, oldest first, those on the way out included.
    pub members: Vec<MemberView>,
    /// The launch template version for new members.
    pub launch_template: Option<TemplateVersion>,
    /// Why the last launch failed, if it did since the group last changed.
    pub launch_failure: Option<String>,
}
