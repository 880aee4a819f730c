//! `AWS::AutoScaling::AutoScalingGroup` and its lifecycle hooks.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::super::api::AwsError;
use super::super::super::autoscaling::{
    GroupChange, GroupSpec, HookSpec, Lifecycle, TemplateVersion,
};
use super::super::super::world::World;
use super::super::policy::{GroupPolicy, number};
use super::super::rolling::{Roll, Sizes, launch_failed, obsolete_members};
use super::super::stack::Resource;
use super::launch_template::tags;
use super::{Begun, Made, Site, Wait, attributes, moment, refusal, text};

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let properties = &wanted.properties;
    let name = match text(properties, "AutoScalingGroupName") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    let sizes = sizes(properties);
    let spec = GroupSpec {
        name: name.clone(),
        min: sizes.min,
        max: sizes.max,
        desired: sizes.desired,
        launch_template: launch_template(world, properties),
        launch_configuration: text(properties, "LaunchConfigurationName"),
        tags: group_tags(site, properties),
        termination_policies: policies(properties),
    };
    world
        .create_group(spec)
        .map_err(|error| refused(world, &error))?;
    let arn = group_arn(world, &name);
    Ok(Made {
        attributes: attributes([("AutoScalingGroupARN", arn.into())]),
        begun: Begun::Wait(Wait::InService(name.clone())),
        physical_id: name,
    })
}

pub(super) fn update(
    world: &mut World,
    site: &Site,
    now: &Resource,
    wanted: &EvaluatedResource,
    goes_back: bool,
) -> Result<Made, String> {
    let properties = &wanted.properties;
    let name = now.physical_id.clone();
    let template = launch_template(world, properties);
    let policy = GroupPolicy::read(&wanted.update_policy);
    let sizes = sizes(properties);
    if let GroupPolicy::Rolling(rolling) = &policy
        && rolling.min_instances_in_service >= sizes.max
    {
        return Err(
            "MinInstancesInService must be less than the autoscaling group's MaxSize".to_owned(),
        );
    }
    // The sizes wait until it is clear who must be replaced: shrinking a group that was
    // raised by a roll that broke off is for the end of the roll back.
    let change = GroupChange {
        max: Some(sizes.max),
        launch_template: template.clone(),
        launch_configuration: text(properties, "LaunchConfigurationName"),
        tags: Some(group_tags(site, properties)),
        termination_policies: Some(policies(properties)),
        ..GroupChange::default()
    };
    if goes_back {
        world.abort_refresh(&name);
    }
    world
        .update_group(&name, change)
        .map_err(|error| refused(world, &error))?;
    let obsolete = match world.autoscaling.group(&name) {
        Some(group) if !world.rolls_replace_nothing() => obsolete_members(group, template.as_ref()),
        _ => Default::default(),
    };
    let begun = match policy {
        GroupPolicy::Rolling(rolling) if !obsolete.is_empty() => {
            match world.autoscaling.group(&name) {
                Some(group) => Begun::Roll(Box::new(Roll::new(group, rolling, sizes, obsolete))),
                None => Begun::Soon(moment(world)),
            }
        }
        GroupPolicy::Refresh(refresh) if !obsolete.is_empty() && !refresh.replaces_root_volume => {
            resize(world, &name, sizes)?;
            let mut wishes = refresh.wishes;
            // Going back replaces what has been replaced, and no more, whatever made it go back.
            if goes_back {
                wishes.skip_matching = true;
                wishes.checkpoints.clear();
                wishes.alarms.clear();
            }
            let started = world.start_refresh(&name, wishes);
            let id = started.map_err(|error| refused(world, &error))?;
            Begun::Wait(Wait::Refresh(id))
        }
        policy => {
            if let GroupPolicy::Rolling(rolling) = policy {
                world.resume_processes(&name, &rolling.suspend);
            }
            resize(world, &name, sizes)?;
            Begun::Soon(moment(world))
        }
    };
    Ok(Made {
        physical_id: name,
        attributes: now.attributes.clone(),
        begun,
    })
}

fn resize(world: &mut World, name: &str, sizes: Sizes) -> Result<(), String> {
    let desired = sizes
        .desired
        .map(|desired| desired.clamp(sizes.min, sizes.max));
    let change = GroupChange {
        min: Some(sizes.min),
        max: Some(sizes.max),
        desired,
        ..GroupChange::default()
    };
    world
        .update_group(name, change)
        .map_err(|error| refused(world, &error))
}

/// Looks whether a group has as many instances in service as it wants.
pub(super) fn look(world: &World, name: &str) -> Option<Result<(), String>> {
    let group = world.autoscaling.group(name)?;
    if let Some(failure) = &group.launch_failure {
        return Some(Err(launch_failed(failure)));
    }
    let serving = group
        .members()
        .filter(|member| member.lifecycle == Lifecycle::InService)
        .count();
    (u32::try_from(serving).unwrap_or(u32::MAX) >= group.desired).then_some(Ok(()))
}

fn refused(world: &mut World, error: &AwsError) -> String {
    refusal(
        world,
        "AutoScaling",
        error.status,
        &error.message,
        "InvalidRequest",
    )
}

fn group_arn(world: &mut World, name: &str) -> String {
    let id = match world.autoscaling.group(name) {
        Some(group) => group.uuid.clone(),
        None => world.chance.uuid(),
    };
    world.arn(
        "autoscaling",
        &format!("autoScalingGroup:{id}:autoScalingGroupName/{name}"),
    )
}

fn sizes(properties: &Value) -> Sizes {
    let min = number(properties.get("MinSize")).unwrap_or(0);
    let max = number(properties.get("MaxSize")).unwrap_or(min).max(min);
    Sizes {
        min,
        max,
        desired: number(properties.get("DesiredCapacity")),
    }
}

/// Finds the launch template version that a group names, plainly or in a mixed policy.
fn launch_template(world: &World, properties: &Value) -> Option<TemplateVersion> {
    let mixed = "/MixedInstancesPolicy/LaunchTemplate/LaunchTemplateSpecification";
    let named = properties
        .get("LaunchTemplate")
        .or_else(|| properties.pointer(mixed))?;
    let id = text(named, "LaunchTemplateId").or_else(|| text(named, "LaunchTemplateName"))?;
    let version = text(named, "Version").unwrap_or_default();
    let version = match world.launch_template(&id) {
        Some(template) => template.resolve(&version).or_else(|| version.parse().ok()),
        None => version.parse().ok(),
    };
    Some(TemplateVersion {
        id,
        version: version?,
    })
}

fn group_tags(site: &Site, properties: &Value) -> BTreeMap<String, String> {
    let mut all = tags(properties.get("Tags"));
    for (key, value) in [
        ("stack-name", &site.stack_name),
        ("stack-id", &site.stack_id),
        ("logical-id", &site.logical_id),
    ] {
        all.insert(format!("aws:cloudformation:{key}"), value.clone());
    }
    all
}

fn policies(properties: &Value) -> Vec<String> {
    let named = properties
        .get("TerminationPolicies")
        .and_then(Value::as_array);
    named
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect()
}

pub(super) fn create_hook(world: &mut World, site: &Site, wanted: &EvaluatedResource) -> Made {
    let name = match text(&wanted.properties, "LifecycleHookName") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    put_hook(world, &name, &wanted.properties);
    Made {
        physical_id: name,
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn update_hook(world: &mut World, now: &Resource, wanted: &EvaluatedResource) -> Made {
    put_hook(world, &now.physical_id, &wanted.properties);
    Made {
        physical_id: now.physical_id.clone(),
        attributes: now.attributes.clone(),
        begun: Begun::Soon(moment(world)),
    }
}

fn put_hook(world: &mut World, name: &str, properties: &Value) {
    let transition = text(properties, "LifecycleTransition").unwrap_or_default();
    let hook = HookSpec {
        name: name.to_owned(),
        terminating: transition.ends_with("TERMINATING"),
        heartbeat_secs: number(properties.get("HeartbeatTimeout"))
            .unwrap_or(3600)
            .into(),
        default_result: text(properties, "DefaultResult").unwrap_or_else(|| "ABANDON".to_owned()),
        has_handler: properties.get("NotificationTargetARN").is_some(),
        metadata: text(properties, "NotificationMetadata"),
    };
    world.put_lifecycle_hook(&group_of_hook(properties), hook);
}

pub(super) fn group_of_hook(properties: &Value) -> String {
    text(properties, "AutoScalingGroupName").unwrap_or_default()
}
