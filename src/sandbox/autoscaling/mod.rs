//! Auto Scaling: groups, their members, activities, hooks and refreshes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::api::{Answer, AwsError, Input};
use super::world::World;

/// Auto Scaling's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AutoScaling {}

/// Auto Scaling's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {}

/// One version of a launch template, by number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateVersion {
    /// The launch template's id.
    pub id: String,
    /// The version.
    pub version: u64,
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
    /// The launch template version for new members.
    pub launch_template: Option<TemplateVersion>,
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

/// Carries out what is due.
pub fn on_due(_world: &mut World, due: Due) {
    match due {}
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(_world: &mut World, _action: &str, _input: &Input) -> Option<Answer> {
    None
}

impl World {
    /// Makes a group, which then starts instances until it has as many as it wants.
    ///
    /// # Errors
    /// AWS's own refusal, when the launch template names a key pair that does not exist.
    pub fn create_group(&mut self, _spec: GroupSpec) -> Result<(), AwsError> {
        Ok(())
    }

    /// Changes a group, which then starts or stops instances as it must.
    ///
    /// # Errors
    /// AWS's own refusal, when a new launch template names a key pair that does not exist.
    pub fn update_group(&mut self, _name: &str, _change: GroupChange) -> Result<(), AwsError> {
        Ok(())
    }

    /// Deletes a group and its instances.
    pub fn delete_group(&mut self, _name: &str) {}

    /// Looks at a group.
    #[must_use]
    pub fn group(&self, _name: &str) -> Option<GroupView> {
        None
    }

    /// Starts to terminate a member, through its hooks; with `shrink` it is not replaced.
    ///
    /// # Errors
    /// When no group has that instance.
    pub fn terminate_member(&mut self, _instance: &str, _shrink: bool) -> Result<(), AwsError> {
        Ok(())
    }

    /// Suspends processes of a group, such as `ScheduledActions`.
    pub fn suspend_processes(&mut self, _group: &str, _processes: &[String]) {}

    /// Resumes processes of a group.
    pub fn resume_processes(&mut self, _group: &str, _processes: &[String]) {}

    /// Puts a lifecycle hook on a group, in place of one of the same name.
    pub fn put_lifecycle_hook(&mut self, _group: &str, _hook: HookSpec) {}

    /// Takes a lifecycle hook off a group.
    pub fn delete_lifecycle_hook(&mut self, _group: &str, _name: &str) {}

    /// Starts an instance refresh and returns its id.
    ///
    /// # Errors
    /// When one is under way, or the group does not exist.
    pub fn start_instance_refresh(
        &mut self,
        _group: &str,
        _min_healthy_percent: u32,
    ) -> Result<String, AwsError> {
        Ok(String::new())
    }

    /// Returns a refresh's status (`Successful`, `Failed`, ...) and how many percent it has done.
    #[must_use]
    pub fn instance_refresh(&self, _id: &str) -> Option<(String, u32)> {
        None
    }
}
