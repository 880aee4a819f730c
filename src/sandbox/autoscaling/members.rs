//! Members: on the way in, in service, on the way out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::ec2::{GROUP_TAG, Owner};
use super::super::world::World;
use super::activities::Activity;
use super::groups::{Group, reconcile};
use super::hooks::{self, Wait};
use super::spec::TemplateVersion;

/// Where a member is in its life, by Auto Scaling's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifecycle {
    /// `Pending`.
    Pending,
    /// `Pending:Wait`: held by hooks on the way in.
    PendingWait,
    /// `Pending:Proceed`.
    PendingProceed,
    /// `InService`.
    InService,
    /// `Standby`.
    Standby,
    /// `Terminating`.
    Terminating,
    /// `Terminating:Wait`: held by hooks on the way out.
    TerminatingWait,
    /// `Terminating:Proceed`.
    TerminatingProceed,
}

impl Lifecycle {
    /// Returns Auto Scaling's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::PendingWait => "Pending:Wait",
            Self::PendingProceed => "Pending:Proceed",
            Self::InService => "InService",
            Self::Standby => "Standby",
            Self::Terminating => "Terminating",
            Self::TerminatingWait => "Terminating:Wait",
            Self::TerminatingProceed => "Terminating:Proceed",
        }
    }

    /// Tells whether the member is on the way out.
    #[must_use]
    pub fn is_leaving(self) -> bool {
        matches!(
            self,
            Self::Terminating | Self::TerminatingWait | Self::TerminatingProceed
        )
    }
}

/// A member of a group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Member {
    /// The instance.
    pub instance: String,
    /// Where it is in its life.
    pub lifecycle: Lifecycle,
    /// The launch template version that it was started from.
    pub launch_template: Option<TemplateVersion>,
    /// The launch configuration that it was started from.
    pub launch_configuration: Option<String>,
    /// Whether it is protected from scale-in.
    pub protected: bool,
    /// Since when it has been in service.
    pub in_service_since: Option<Timestamp>,
    /// The hooks that hold it, by name.
    pub(super) waits: BTreeMap<String, Wait>,
    /// The activity that brought it in, and then the one that takes it out.
    pub(super) activity: u64,
}

impl Member {
    /// Tells whether it was started from what new members of its group are started from, where
    /// `wanted` is the group's launch template version.
    pub(crate) fn starts_as(&self, group: &Group, wanted: Option<&TemplateVersion>) -> bool {
        self.launch_template.as_ref() == wanted
            && self.launch_configuration == group.launch_configuration
    }
}

impl World {
    /// Starts to terminate a member, through its hooks; with `shrink` it is not replaced.
    ///
    /// A member that is already on the way out is left alone.
    ///
    /// # Errors
    /// When no group has that instance.
    pub fn terminate_member(&mut self, instance: &str, shrink: bool) -> Result<(), AwsError> {
        let Some((group, number)) = self.autoscaling.places.get(instance).cloned() else {
            return Err(no_such_member(instance));
        };
        let Some(found) = self.autoscaling.groups.get_mut(&group) else {
            return Err(no_such_member(instance));
        };
        if found.leaving.contains(&number) {
            return Ok(());
        }
        let mut cause = "in response to a user request".to_owned();
        if shrink {
            let desired = found.desired.saturating_sub(1);
            cause.push_str(&format!(
                ", shrinking the capacity from {} to {desired}",
                found.desired
            ));
            found.desired = desired;
            found.min = found.min.min(desired);
        }
        leave(self, instance, &cause);
        reconcile(self, &group);
        Ok(())
    }
}

impl World {
    /// Takes a member out of its group without terminating it, and returns what was written down.
    pub(super) fn detach_member(&mut self, instance: &str, shrink: bool) -> Option<Activity> {
        let (name, number) = self.autoscaling.places.remove(instance)?;
        let id = self.chance.uuid();
        let now = self.now;
        let group = self.autoscaling.groups.get_mut(&name)?;
        group.members.remove(&number)?;
        group.leaving.remove(&number);
        if shrink {
            group.desired = group.desired.saturating_sub(1);
        }
        let cause =
            format!("At {now:.0} instance {instance} was detached in response to a user request.");
        let what = format!("Detaching EC2 instance: {instance}");
        let activity = group.activities.begin(id, now, what, cause);
        group.activities.end(activity, now, "Successful", None);
        let written = group.activities.get(activity).cloned();
        self.ec2.disown(instance);
        reconcile(self, &name);
        written
    }
}

/// Auto Scaling's answer about an instance that is in no group.
pub(super) fn no_such_member(instance: &str) -> AwsError {
    AwsError::validation(format!(
        "Instance Id not found - No managed instance found for instance ID: {instance}"
    ))
}

/// Starts one more member, or says why that cannot be done.
pub(super) fn launch(world: &mut World, name: &str) -> Result<(), AwsError> {
    let Some(group) = world.autoscaling.groups.get(name) else {
        return Ok(());
    };
    let wanted = world.starts_from(group);
    let launch_template = wanted.and_then(|wanted| world.resolve(wanted));
    // A refresh may take a group from a launch configuration to a template.
    let launch_configuration = match wanted {
        Some(_) => None,
        None => group.launch_configuration.clone(),
    };
    let configuration = launch_configuration
        .as_deref()
        .and_then(|name| world.autoscaling.launch_configuration(name));
    let mut spec = launch_template
        .as_ref()
        .and_then(|version| world.launch_spec(version))
        .or_else(|| configuration.map(|configuration| configuration.data.spec()))
        .unwrap_or_default();
    let handed_on = group
        .tags
        .iter()
        .filter(|(name, _)| !group.kept_tags.contains(*name));
    spec.tags
        .extend(handed_on.map(|(name, value)| (name.clone(), value.clone())));
    spec.tags.insert(GROUP_TAG.to_owned(), name.to_owned());

    let is_lost = wanted.is_some() && launch_template.is_none();
    let active = group.active();
    let cause = format!(
        "At {:.0} an instance was started in response to a difference between desired and actual \
         capacity, increasing the capacity from {active} to {}.",
        world.now, group.desired
    );
    let started = if is_lost {
        Err(AwsError::validation(
            "The specified launch template version does not exist",
        ))
    } else {
        world.start_instance(spec, Owner::Group(name.to_owned()))
    };
    let now = world.now;
    let id = world.chance.uuid();
    let Some(group) = world.autoscaling.groups.get_mut(name) else {
        return Ok(());
    };
    match started {
        Ok(instance) => {
            let what = format!("Launching a new EC2 instance: {instance}");
            let activity = group.activities.begin(id, now, what, cause);
            group.launch_failure = None;
            let number = group.next_member;
            group.next_member += 1;
            let member = Member {
                instance: instance.clone(),
                lifecycle: Lifecycle::Pending,
                launch_template,
                launch_configuration,
                protected: group.protects_new,
                in_service_since: None,
                waits: BTreeMap::new(),
                activity,
            };
            group.members.insert(number, member);
            world
                .autoscaling
                .places
                .insert(instance, (name.to_owned(), number));
            Ok(())
        }
        Err(error) => {
            let sentence = error.message.trim_end_matches('.');
            let message = format!("{sentence}. Launching EC2 instance failed.");
            let what = format!("Launching a new EC2 instance.  Status Reason: {message}");
            let activity = group.activities.begin(id, now, what, cause);
            group
                .activities
                .end(activity, now, "Failed", Some(message.clone()));
            Err(AwsError { message, ..error })
        }
    }
}

/// A member's instance is up: hooks may hold it, else it is in service.
pub(crate) fn on_instance_running(world: &mut World, instance: &str) {
    let is_pending = world
        .autoscaling
        .member(instance)
        .is_some_and(|(_, member)| member.lifecycle == Lifecycle::Pending);
    if is_pending && !hooks::hold(world, instance, false) {
        enter_service(world, instance);
    }
}

/// Puts a member in service.
pub(super) fn enter_service(world: &mut World, instance: &str) {
    let now = world.now;
    let Some((group, number)) = world.autoscaling.places.get(instance) else {
        return;
    };
    let Some(group) = world.autoscaling.groups.get_mut(group) else {
        return;
    };
    let Some(member) = group.members.get_mut(number) else {
        return;
    };
    member.lifecycle = Lifecycle::InService;
    member.in_service_since = Some(now);
    group
        .activities
        .end(member.activity, now, "Successful", None);
}

/// Sends a member on its way out, through its hooks; it no longer counts.
pub(super) fn leave(world: &mut World, instance: &str, cause: &str) {
    let now = world.now;
    let Some((group, number)) = world.autoscaling.places.get(instance).cloned() else {
        return;
    };
    let Some(group) = world.autoscaling.groups.get_mut(&group) else {
        return;
    };
    let Some(member) = group.members.get_mut(&number) else {
        return;
    };
    if group.leaving.insert(number) {
        let id = world.chance.uuid();
        group
            .activities
            .end(member.activity, now, "Cancelled", None);
        let cause = format!("At {now:.0} instance {instance} was taken out of service {cause}.");
        let what = format!("Terminating EC2 instance: {instance}");
        member.activity = group.activities.begin(id, now, what, cause);
        member.lifecycle = Lifecycle::Terminating;
        member.waits.clear();
        if !group.deleting && hooks::hold(world, instance, true) {
            return;
        }
    } else if !group.deleting {
        return;
    }
    world.terminate_instance(instance, "User initiated");
}

/// Terminates a member that no hook holds any more.
pub(super) fn proceed_out(world: &mut World, instance: &str) {
    set_lifecycle(world, instance, Lifecycle::TerminatingProceed);
    world.terminate_instance(instance, "User initiated");
}

pub(super) fn set_lifecycle(world: &mut World, instance: &str, lifecycle: Lifecycle) {
    let Some((group, number)) = world.autoscaling.places.get(instance) else {
        return;
    };
    if let Some(group) = world.autoscaling.groups.get_mut(group)
        && let Some(member) = group.members.get_mut(number)
    {
        member.lifecycle = lifecycle;
    }
}

/// A member's instance is gone, whoever terminated it; the group replaces it if it must.
pub(crate) fn on_instance_terminated(world: &mut World, instance: &str) {
    let now = world.now;
    let Some((name, number)) = world.autoscaling.places.remove(instance) else {
        return;
    };
    let Some(group) = world.autoscaling.groups.get_mut(&name) else {
        return;
    };
    let Some(member) = group.members.remove(&number) else {
        return;
    };
    let mut activity = member.activity;
    if !group.leaving.remove(&number) {
        let id = world.chance.uuid();
        group.activities.end(activity, now, "Cancelled", None);
        let cause = format!(
            "At {now:.0} an instance was taken out of service in response to an EC2 health check \
             indicating it has been terminated or stopped."
        );
        let what = format!("Terminating EC2 instance: {instance}");
        activity = group.activities.begin(id, now, what, cause);
    }
    group.activities.end(activity, now, "Successful", None);
    if group.deleting && group.members.is_empty() {
        world.autoscaling.groups.remove(&name);
        return;
    }
    reconcile(world, &name);
}
