//! Groups: what they want, and how they get there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::world::{self, World};
use super::activities::Activities;
use super::members::{self, Lifecycle, Member};
use super::refresh::Refresh;
use super::spec::{
    GroupChange, GroupSpec, GroupView, HookSpec, MemberView, TemplateVersion, WantedVersion,
};
use super::{AutoScaling, Due};

/// How long a group waits after a launch that failed.
const RETRY: Duration = Duration::from_secs(30);

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The part of the ARN that tells it from another group of the same name.
    pub uuid: String,
    /// The fewest instances.
    pub min: u32,
    /// The most instances.
    pub max: u32,
    /// How many are wanted.
    pub desired: u32,
    /// The launch template version for new members.
    pub launch_template: Option<WantedVersion>,
    /// The launch configuration for new members, where there is no launch template.
    pub launch_configuration: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// The tags that are not handed on to instances.
    pub kept_tags: BTreeSet<String>,
    /// Termination policies.
    pub termination_policies: Vec<String>,
    /// When it was made.
    pub created: Timestamp,
    /// Whether new members are protected from scale-in.
    pub protects_new: bool,
    /// Hooks, by name.
    pub hooks: BTreeMap<String, HookSpec>,
    /// Processes that are suspended.
    pub suspended: BTreeSet<String>,
    /// What it did.
    pub activities: Activities,
    /// Why the last launch failed, if it did since the group last changed.
    pub launch_failure: Option<String>,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// The refresh that is under way.
    pub refresh: Option<String>,
    /// How many members a refresh has it keep above what is wanted.
    #[serde(default)]
    pub(super) surge: u32,
    /// Members, by number: oldest first.
    pub(super) members: BTreeMap<u64, Member>,
    /// The numbers of those members that no longer count, being on the way out.
    pub(super) leaving: BTreeSet<u64>,
    /// The number of the next member.
    pub(super) next_member: u64,
    /// Whether it waits to try again after a launch that failed.
    waits_to_retry: bool,
}

impl Group {
    /// Returns how many members count towards what is wanted.
    #[must_use]
    pub fn active(&self) -> usize {
        self.members.len() - self.leaving.len()
    }

    /// Goes through the members, oldest first, those on the way out included.
    pub fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    fn wants(&self) -> usize {
        usize::try_from(self.desired.saturating_add(self.surge)).unwrap_or(usize::MAX)
    }
}

impl AutoScaling {
    /// Returns a group.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.get(name)
    }

    /// Goes through the groups, by name.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.groups.values()
    }

    /// Returns the group that an instance belongs to, and its member there.
    #[must_use]
    pub fn member(&self, instance: &str) -> Option<(&Group, &Member)> {
        let (group, number) = self.places.get(instance)?;
        let group = self.groups.get(group)?;
        Some((group, group.members.get(number)?))
    }
}

impl World {
    /// Makes a group, which then starts instances until it has as many as it wants.
    ///
    /// # Errors
    /// AWS's own refusal, when the launch template names a key pair that does not exist.
    pub fn create_group(&mut self, spec: GroupSpec) -> Result<(), AwsError> {
        let wanted = spec.launch_template.clone().map(WantedVersion::from);
        self.make_group(spec, wanted, BTreeSet::new(), false)
    }

    /// Makes a group whose launch template version may move.
    pub(super) fn make_group(
        &mut self,
        spec: GroupSpec,
        launch_template: Option<WantedVersion>,
        kept_tags: BTreeSet<String>,
        protects_new: bool,
    ) -> Result<(), AwsError> {
        let GroupSpec {
            name,
            min,
            max,
            desired,
            launch_configuration,
            tags,
            termination_policies,
            ..
        } = spec;
        if self.autoscaling.groups.contains_key(&name) {
            return Err(AwsError::new(
                400,
                "AlreadyExists",
                "AutoScalingGroup by this name already exists - A group with the name \
                 already exists",
            ));
        }
        check_sizes(min, max, desired)?;
        if let Some(wanted) = &launch_template {
            self.check_template(wanted)?;
        }
        if let Some(name) = &launch_configuration {
            self.check_configuration(name)?;
        }
        let uuid = self.chance.uuid();
        let group = Group {
            name: name.clone(),
            uuid,
            min,
            max,
            desired: desired.unwrap_or(min),
            launch_template,
            launch_configuration,
            tags,
            kept_tags,
            termination_policies,
            created: self.now,
            protects_new,
            hooks: BTreeMap::new(),
            suspended: BTreeSet::new(),
            activities: Activities::default(),
            launch_failure: None,
            deleting: false,
            refresh: None,
            surge: 0,
            members: BTreeMap::new(),
            leaving: BTreeSet::new(),
            next_member: 0,
            waits_to_retry: false,
        };
        self.autoscaling.groups.insert(name.clone(), group);
        reconcile(self, &name);
        Ok(())
    }

    /// Changes a group, which then starts or stops instances as it must.
    ///
    /// A wanted number that is not said is brought between the new bounds.
    ///
    /// # Errors
    /// AWS's own refusal, when a new launch template names a key pair that does not exist,
    /// the sizes contradict each other, or there is no such group.
    pub fn update_group(&mut self, name: &str, change: GroupChange) -> Result<(), AwsError> {
        let wanted = change.launch_template.clone().map(WantedVersion::from);
        self.change_group(name, change, wanted, None)
    }

    /// Changes a group, whose launch template version may move.
    pub(super) fn change_group(
        &mut self,
        name: &str,
        change: GroupChange,
        launch_template: Option<WantedVersion>,
        protects_new: Option<bool>,
    ) -> Result<(), AwsError> {
        let GroupChange {
            min,
            max,
            desired,
            launch_configuration,
            tags,
            termination_policies,
            ..
        } = change;
        if let Some(name) = &launch_configuration {
            self.check_configuration(name)?;
        }
        self.set_template(name, launch_template, |group| {
            let (min, max) = (min.unwrap_or(group.min), max.unwrap_or(group.max));
            check_sizes(min, max, desired)?;
            group.min = min;
            group.max = max;
            group.desired = desired.unwrap_or(group.desired).clamp(min, max);
            group.protects_new = protects_new.unwrap_or(group.protects_new);
            if launch_configuration.is_some() {
                group.launch_configuration = launch_configuration;
                group.launch_template = None;
            }
            if let Some(tags) = tags {
                group.kept_tags.retain(|name| tags.contains_key(name));
                group.tags = tags;
            }
            if let Some(policies) = termination_policies {
                group.termination_policies = policies;
            }
            Ok(())
        })
    }

    /// Changes a group in any way, its launch template included, and lets it act on that.
    pub(super) fn set_template(
        &mut self,
        name: &str,
        launch_template: Option<WantedVersion>,
        change: impl FnOnce(&mut Group) -> Result<(), AwsError>,
    ) -> Result<(), AwsError> {
        if !self.autoscaling.groups.contains_key(name) {
            return Err(no_such_group(name));
        }
        if let Some(wanted) = &launch_template {
            self.check_template(wanted)?;
        }
        let Some(group) = self.autoscaling.groups.get_mut(name) else {
            return Err(no_such_group(name));
        };
        change(group)?;
        if launch_template.is_some() {
            group.launch_template = launch_template;
            group.launch_configuration = None;
        }
        group.launch_failure = None;
        group.waits_to_retry = false;
        reconcile(self, name);
        Ok(())
    }

    /// Deletes a group and its instances, hooks or not; it is gone when they are.
    pub fn delete_group(&mut self, name: &str) {
        let Some(group) = self.autoscaling.groups.get_mut(name) else {
            return;
        };
        group.deleting = true;
        group.desired = 0;
        group.min = 0;
        let members: Vec<String> = group
            .members
            .values()
            .map(|member| member.instance.clone())
            .collect();
        if members.is_empty() {
            self.autoscaling.groups.remove(name);
            return;
        }
        for instance in members {
            members::leave(self, &instance, "in response to a user request");
        }
    }

    /// Looks at a group.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<GroupView> {
        let group = self.autoscaling.groups.get(name)?;
        let members = group.members.values().map(|member| MemberView {
            instance: member.instance.clone(),
            lifecycle: member.lifecycle.as_str().to_owned(),
            launch_template: member.launch_template.clone(),
        });
        Some(GroupView {
            min: group.min,
            max: group.max,
            desired: group.desired,
            members: members.collect(),
            launch_template: group
                .launch_template
                .as_ref()
                .and_then(|wanted| self.resolve(wanted)),
            launch_failure: group.launch_failure.clone(),
        })
    }

    /// Suspends processes of a group, such as `ScheduledActions`.
    pub fn suspend_processes(&mut self, group: &str, processes: &[String]) {
        if let Some(group) = self.autoscaling.groups.get_mut(group) {
            group.suspended.extend(processes.iter().cloned());
        }
    }

    /// Resumes processes of a group.
    pub fn resume_processes(&mut self, group: &str, processes: &[String]) {
        if let Some(found) = self.autoscaling.groups.get_mut(group) {
            found
                .suspended
                .retain(|process| !processes.contains(process));
            reconcile(self, group);
        }
    }

    /// Turns a wanted version into the number that it stands for now.
    pub(super) fn resolve(&self, wanted: &WantedVersion) -> Option<TemplateVersion> {
        let version = self.launch_template(&wanted.id)?.resolve(&wanted.version)?;
        Some(TemplateVersion {
            id: wanted.id.clone(),
            version,
        })
    }

    /// Returns the launch template version that new members of a group are started from.
    pub(super) fn starts_from<'a>(&'a self, group: &'a Group) -> Option<&'a WantedVersion> {
        let refresh = group.refresh.as_ref();
        let refresh = refresh.and_then(|id| self.autoscaling.refreshes.get(id));
        let desired = refresh.and_then(Refresh::starts_from);
        desired.or(group.launch_template.as_ref())
    }

    /// Checks a launch template as Auto Scaling does when it is given one.
    pub(super) fn check_template(&self, wanted: &WantedVersion) -> Result<(), AwsError> {
        let refused = |why: String| {
            Err(AwsError::validation(format!(
                "You must use a valid fully-formed launch template. {why}"
            )))
        };
        let Some(template) = self.launch_template(&wanted.id) else {
            return refused(format!(
                "The specified launch template, with template ID {}, does not exist.",
                wanted.id
            ));
        };
        let version = template.resolve(&wanted.version);
        let Some(version) = version.and_then(|number| template.versions.get(&number)) else {
            return refused(format!(
                "Could not find launch template version {} for template ID {}.",
                wanted.version, wanted.id
            ));
        };
        match &version.data.key_name {
            Some(name) if self.ec2.key_pair(name).is_none() => {
                refused(format!("The key pair '{name}' does not exist"))
            }
            _ => Ok(()),
        }
    }
}

fn check_sizes(min: u32, max: u32, desired: Option<u32>) -> Result<(), AwsError> {
    if min > max {
        return Err(AwsError::validation(format!(
            "Max bound, {max}, must be greater than or equal to min bound, {min}"
        )));
    }
    match desired {
        Some(desired) if !(min..=max).contains(&desired) => Err(AwsError::validation(format!(
            "Desired capacity:{desired} must be between the specified min size:{min} and max \
             size:{max}"
        ))),
        _ => Ok(()),
    }
}

/// Auto Scaling's answer about a group that it does not know.
pub(super) fn no_such_group(name: &str) -> AwsError {
    AwsError::validation(format!(
        "AutoScalingGroup name not found - no such group: {name}"
    ))
}

pub(super) fn on_retry(world: &mut World, name: &str) {
    if let Some(group) = world.autoscaling.groups.get_mut(name)
        && group.waits_to_retry
    {
        group.waits_to_retry = false;
        reconcile(world, name);
    }
}

/// Starts or stops instances until as many count as are wanted.
pub(super) fn reconcile(world: &mut World, name: &str) {
    while let Some(group) = world.autoscaling.groups.get(name) {
        let lacks = group.active() < group.wants();
        if group.deleting || !lacks || group.waits_to_retry || group.suspended.contains("Launch") {
            break;
        }
        if let Err(error) = members::launch(world, name) {
            if let Some(group) = world.autoscaling.groups.get_mut(name) {
                group.launch_failure = Some(error.message);
                group.waits_to_retry = true;
            }
            world.schedule(RETRY, world::Due::AutoScaling(Due::Retry(name.to_owned())));
        }
    }
    let Some(group) = world.autoscaling.groups.get(name) else {
        return;
    };
    let surplus = group.active().saturating_sub(group.wants());
    if surplus == 0 || group.deleting || group.suspended.contains("Terminate") {
        return;
    }
    let wanted = world.starts_from(group);
    let wanted = wanted.and_then(|wanted| world.resolve(wanted));
    let cause = format!(
        "in response to a difference between desired and actual capacity, shrinking the capacity \
         from {} to {}",
        group.active(),
        group.wants()
    );
    for instance in victims(group, wanted.as_ref(), surplus) {
        members::leave(world, &instance, &cause);
    }
}

/// Chooses who has to go. Only the first policy counts, and zones are taken to be in balance.
fn victims(group: &Group, wanted: Option<&TemplateVersion>, count: usize) -> Vec<String> {
    let mut candidates: Vec<(u64, &Member)> = group
        .members
        .iter()
        .filter(|(number, member)| {
            !group.leaving.contains(number)
                && !member.protected
                && member.lifecycle != Lifecycle::Standby
        })
        .map(|(number, member)| (*number, member))
        .collect();
    match group.termination_policies.first().map(String::as_str) {
        Some("NewestInstance") => candidates.reverse(),
        Some("OldestInstance") => {}
        Some("OldestLaunchTemplate") => candidates.sort_by_key(|(number, member)| {
            (
                member
                    .launch_template
                    .as_ref()
                    .map(|template| template.version),
                *number,
            )
        }),
        _ => candidates.sort_by_key(|(number, member)| (member.starts_as(group, wanted), *number)),
    }
    candidates
        .into_iter()
        .take(count)
        .map(|(_, member)| member.instance.clone())
        .collect()
}
