//! Calls about groups and what they did.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::activities::Activity;
use super::super::groups::{Group, no_such_group};
use super::super::spec::{GroupChange, GroupSpec};
use super::{
    asked_group, done, instances, instant, page_of, shown_template, size, tags, wanted_template,
};

/// `CreateAutoScalingGroup`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let (tags, kept) = tags::read(input);
    let spec = GroupSpec {
        name: input.required("AutoScalingGroupName")?,
        min: size(input, "MinSize")?.unwrap_or(0),
        max: size(input, "MaxSize")?.unwrap_or(0),
        desired: size(input, "DesiredCapacity")?,
        launch_template: None,
        launch_configuration: input.text("LaunchConfigurationName"),
        tags,
        termination_policies: input.texts("TerminationPolicies"),
    };
    let wanted = wanted_template(world, &input.inner("LaunchTemplate"))?;
    if wanted.is_none() && spec.launch_configuration.is_none() {
        return Err(AwsError::validation(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, \
             InstanceId or MixedInstancesPolicy parameter.",
        ));
    }
    let protects_new = input
        .truth("NewInstancesProtectedFromScaleIn")
        .unwrap_or(false);
    world.make_group(spec, wanted, kept, protects_new)?;
    Ok(done())
}

/// `UpdateAutoScalingGroup`.
pub(super) fn update(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let change = GroupChange {
        min: size(input, "MinSize")?,
        max: size(input, "MaxSize")?,
        desired: size(input, "DesiredCapacity")?,
        launch_template: None,
        launch_configuration: input.text("LaunchConfigurationName"),
        tags: None,
        termination_policies: input
            .has("TerminationPolicies")
            .then(|| input.texts("TerminationPolicies")),
    };
    let wanted = wanted_template(world, &input.inner("LaunchTemplate"))?;
    let protects_new = input.truth("NewInstancesProtectedFromScaleIn");
    world.change_group(&name, change, wanted, protects_new)?;
    Ok(done())
}

/// `DeleteAutoScalingGroup`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let is_empty = world
        .autoscaling
        .group(&name)
        .is_none_or(|group| group.members().next().is_none());
    if !is_empty && input.truth("ForceDelete") != Some(true) {
        return Err(AwsError::new(
            400,
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot \
             instance request(s) still in the group.",
        ));
    }
    world.delete_group(&name);
    Ok(done())
}

/// `DescribeAutoScalingGroups`: groups that do not exist are left out.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let names = input.texts("AutoScalingGroupNames");
    let filters = input.items("Filters");
    let found: Vec<&Group> = world
        .autoscaling
        .groups()
        .filter(|group| names.is_empty() || names.contains(&group.name))
        .filter(|group| filters.iter().all(|filter| passes(group, filter)))
        .collect();
    let page = page_of(input, found, |group| group.name.clone(), (50, 100))?;
    let groups: Vec<Value> = page
        .items
        .into_iter()
        .map(|group| shown(world, group))
        .collect();
    Ok(json!({ "AutoScalingGroups": groups, "NextToken": page.next }))
}

fn passes(group: &Group, filter: &Input) -> bool {
    let (name, values) = (
        filter.text("Name").unwrap_or_default(),
        filter.texts("Values"),
    );
    if let Some(tag) = name.strip_prefix("tag:") {
        return group
            .tags
            .get(tag)
            .is_some_and(|value| values.contains(value));
    }
    match name.as_str() {
        "tag-key" => group.tags.keys().any(|key| values.contains(key)),
        "tag-value" => group.tags.values().any(|value| values.contains(value)),
        _ => false,
    }
}

/// `SetDesiredCapacity`.
pub(super) fn set_desired(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let wanted = size(input, "DesiredCapacity")?.unwrap_or(0);
    let group = world
        .autoscaling
        .group(&name)
        .ok_or_else(|| no_such_group(&name))?;
    if wanted > group.max {
        return Err(AwsError::validation(format!(
            "New SetDesiredCapacity value {wanted} is above max value {} for the AutoScalingGroup.",
            group.max
        )));
    }
    if wanted < group.min {
        return Err(AwsError::validation(format!(
            "New SetDesiredCapacity value {wanted} is below min value {} for the AutoScalingGroup.",
            group.min
        )));
    }
    let change = GroupChange {
        desired: Some(wanted),
        ..GroupChange::default()
    };
    world.update_group(&name, change)?;
    Ok(done())
}

/// The processes that can be suspended.
const PROCESSES: [&str; 9] = [
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
];

/// Reads which processes a call is about; none means all.
fn asked_processes(input: &Input) -> Result<Vec<String>, AwsError> {
    let asked = input.texts("ScalingProcesses");
    if let Some(unknown) = asked
        .iter()
        .find(|name| !PROCESSES.contains(&name.as_str()))
    {
        return Err(AwsError::validation(format!(
            "Process type {unknown} not supported"
        )));
    }
    if asked.is_empty() {
        return Ok(PROCESSES.into_iter().map(str::to_owned).collect());
    }
    Ok(asked)
}

/// `SuspendProcesses`.
pub(super) fn suspend(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    world.suspend_processes(&name, &asked_processes(input)?);
    Ok(done())
}

/// `ResumeProcesses`.
pub(super) fn resume(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    world.resume_processes(&name, &asked_processes(input)?);
    Ok(done())
}

/// `DescribeScalingActivities`, newest first; without a group, one group after the other.
pub(super) fn activities(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("ActivityIds");
    let groups: Vec<&Group> = match input.text("AutoScalingGroupName") {
        Some(name) => vec![
            world
                .autoscaling
                .group(&name)
                .ok_or_else(|| no_such_group(&name))?,
        ],
        None => world.autoscaling.groups().collect(),
    };
    let found = groups.into_iter().flat_map(|group| {
        let numbered = group.activities.newest_first_numbered();
        numbered.map(move |(number, activity)| (group, number, activity))
    });
    let found = found.filter(|(_, _, activity)| ids.is_empty() || ids.contains(&activity.id));
    let key = |(group, number, _): &(&Group, u64, &Activity)| {
        format!("{} {:020}", group.name, u64::MAX - number)
    };
    let page = page_of(input, found, key, (100, 100))?;
    let shown: Vec<Value> = page
        .items
        .into_iter()
        .map(|(group, _, activity)| shown_activity(&group.name, activity))
        .collect();
    Ok(json!({ "Activities": shown, "NextToken": page.next }))
}

/// An activity as Auto Scaling shows it.
pub(super) fn shown_activity(group: &str, activity: &Activity) -> Value {
    json!({
        "ActivityId": activity.id,
        "AutoScalingGroupName": group,
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": instant(activity.started),
        "EndTime": activity.ended.map(instant),
        "StatusCode": activity.status,
        "StatusMessage": activity.message,
        "Progress": if activity.ended.is_some() { 100 } else { 50 },
        "Details": "{}",
    })
}

fn shown(world: &World, group: &Group) -> Value {
    let template = group.launch_template.as_ref();
    let members: Vec<Value> = group
        .members()
        .map(|member| instances::shown(world, member))
        .collect();
    let zones: Vec<String> = ["a", "b", "c"]
        .iter()
        .map(|zone| format!("{}{zone}", world.region))
        .collect();
    let suspended: Vec<Value> = group
        .suspended
        .iter()
        .map(|name| json!({ "ProcessName": name, "SuspensionReason": "User suspended" }))
        .collect();
    let policies = if group.termination_policies.is_empty() {
        json!(["Default"])
    } else {
        json!(group.termination_policies)
    };
    json!({
        "AutoScalingGroupName": group.name,
        "AutoScalingGroupARN": world.arn(
            "autoscaling",
            &format!("autoScalingGroup:{}:autoScalingGroupName/{}", group.uuid, group.name),
        ),
        "LaunchTemplate": template.map(|it| shown_template(world, &it.id, &it.version)),
        "LaunchConfigurationName": group.launch_configuration,
        "MinSize": group.min,
        "MaxSize": group.max,
        "DesiredCapacity": group.desired,
        "DefaultCooldown": 300,
        "AvailabilityZones": zones,
        "LoadBalancerNames": [],
        "TargetGroupARNs": [],
        "HealthCheckType": "EC2",
        "HealthCheckGracePeriod": 120,
        "Instances": members,
        "CreatedTime": instant(group.created),
        "SuspendedProcesses": suspended,
        "VPCZoneIdentifier": "",
        "EnabledMetrics": [],
        "Status": group.deleting.then_some("Delete in progress"),
        "Tags": tags::listed(group),
        "TerminationPolicies": policies,
        "NewInstancesProtectedFromScaleIn": group.protects_new,
        "ServiceLinkedRoleARN": format!(
            "arn:aws:iam::{}:role/aws-service-role/autoscaling.amazonaws.com/\
             AWSServiceRoleForAutoScaling",
            world.account
        ),
        "TrafficSources": [],
        "CapacityRebalance": false,
    })
}
