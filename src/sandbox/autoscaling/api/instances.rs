//! Calls about members.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::groups::{no_such_group, reconcile};
use super::super::members::{Member, no_such_member};
use super::{asked_group, done, groups, page_of, shown_version};

/// A member as Auto Scaling shows it.
pub(super) fn shown(world: &World, member: &Member) -> Value {
    let instance = world.ec2.instance(&member.instance);
    json!({
        "InstanceId": member.instance,
        "InstanceType": instance.map(|it| &it.instance_type),
        "AvailabilityZone": instance.map(|it| &it.zone),
        "LifecycleState": member.lifecycle.as_str(),
        "HealthStatus": "Healthy",
        "LaunchTemplate": shown_version(world, member.launch_template.as_ref()),
        "LaunchConfigurationName": member.launch_configuration,
        "ProtectedFromScaleIn": member.protected,
    })
}

/// `DescribeAutoScalingInstances`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("InstanceIds");
    let all = world.autoscaling.places.keys();
    let found = all.filter(|id| ids.is_empty() || ids.contains(id));
    let page = page_of(input, found, |id| (*id).clone(), (50, 50))?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .filter_map(|id| {
            let (group, member) = world.autoscaling.member(id)?;
            let mut row = shown(world, member);
            let fields = row.as_object_mut()?;
            fields.insert("AutoScalingGroupName".to_owned(), group.name.clone().into());
            // This call alone has always written the health in capitals.
            fields.insert("HealthStatus".to_owned(), "HEALTHY".into());
            Some(row)
        })
        .collect();
    Ok(json!({ "AutoScalingInstances": set, "NextToken": page.next }))
}

/// `TerminateInstanceInAutoScalingGroup`.
pub(super) fn terminate(world: &mut World, input: &Input) -> Answer {
    let id = input.required("InstanceId")?;
    let shrink = input
        .truth("ShouldDecrementDesiredCapacity")
        .unwrap_or(false);
    let (group, _) = world
        .autoscaling
        .member(&id)
        .ok_or_else(|| no_such_member(&id))?;
    let name = group.name.clone();
    if shrink && group.desired <= group.min {
        return Err(too_small(group.min));
    }
    world.terminate_member(&id, shrink)?;
    let activity = world.autoscaling.member(&id).and_then(|(group, member)| {
        Some(groups::shown_activity(
            &name,
            group.activities.get(member.activity)?,
        ))
    });
    Ok(json!({ "Activity": activity }))
}

fn too_small(min: u32) -> AwsError {
    AwsError::validation(format!(
        "Currently, desiredSize equals minSize ({min}). Terminating instance without replacement \
         will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag \
         to false or lower group's min size."
    ))
}

/// `SetInstanceProtection`.
pub(super) fn protect(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let protected = input.truth("ProtectedFromScaleIn").unwrap_or(false);
    let ids = input.texts("InstanceIds");
    let group = world
        .autoscaling
        .groups
        .get_mut(&name)
        .ok_or_else(|| no_such_group(&name))?;
    let is_member = |id: &&String| group.members.values().any(|member| member.instance == **id);
    if let Some(stranger) = ids.iter().find(|id| !is_member(id)) {
        return Err(AwsError::validation(format!(
            "The instance {stranger} is not part of Auto Scaling group {name}."
        )));
    }
    for member in group
        .members
        .values_mut()
        .filter(|member| ids.contains(&member.instance))
    {
        member.protected = protected;
    }
    // A group that could not shrink for want of a victim does so now.
    reconcile(world, &name);
    Ok(done())
}

/// `DetachInstances`: the instances live on without the group.
pub(super) fn detach(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let shrink = input
        .truth("ShouldDecrementDesiredCapacity")
        .unwrap_or(false);
    let ids = input.texts("InstanceIds");
    let in_group = |id: &&String| {
        world
            .autoscaling
            .member(id)
            .is_some_and(|(group, _)| group.name == name)
    };
    if let Some(stranger) = ids.iter().find(|id| !in_group(id)) {
        return Err(AwsError::validation(format!(
            "The instance {stranger} is not part of Auto Scaling group {name}."
        )));
    }
    let group = world
        .autoscaling
        .group(&name)
        .ok_or_else(|| no_such_group(&name))?;
    let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
    if shrink && group.desired.saturating_sub(count) < group.min {
        return Err(too_small(group.min));
    }
    let activities: Vec<Value> = ids
        .iter()
        .filter_map(|id| world.detach_member(id, shrink))
        .map(|activity| groups::shown_activity(&name, &activity))
        .collect();
    Ok(json!({ "Activities": activities }))
}
