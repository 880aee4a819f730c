//! Calls about lifecycle hooks.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::hooks;
use super::super::spec::HookSpec;
use super::{asked_group, done};

const TERMINATING: &str = "autoscaling:EC2_INSTANCE_TERMINATING";
const LAUNCHING: &str = "autoscaling:EC2_INSTANCE_LAUNCHING";

/// The topic that the rack's drain function listens to: that of the group's stack.
fn topic(world: &World, group: &str) -> String {
    let stacks = world.cloudformation.stacks();
    let mut stacks = stacks.filter(|stack| {
        let mut resources = stack.resources();
        resources.any(|resource| resource.physical_id == group)
    });
    let own = stacks.next().and_then(|stack| {
        let resources = stack.resources();
        let topics = resources.filter(|resource| resource.kind == "AWS::SNS::Topic");
        // A rack has topics for other things too.
        let topic = topics.min_by_key(|topic| !topic.logical_id.contains("Lifecycle"))?;
        Some(topic.physical_id.clone()).filter(|arn| !arn.is_empty())
    });
    own.unwrap_or_else(|| world.arn("sns", "InstancesLifecycleTopic"))
}

/// `PutLifecycleHook`. Nobody listens to a hook that does not notify the rack's topic: callers
/// complete it themselves. What is not said of a hook that is there stays, and an empty target
/// takes its listener away (Auto Scaling API reference).
pub(super) fn put(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let name = input.required("LifecycleHookName")?;
    let old = world
        .autoscaling
        .group(&group)
        .and_then(|group| group.hooks.get(&name))
        .cloned();
    let transition = input.text("LifecycleTransition");
    let terminating = match (transition.as_deref(), &old) {
        (Some(TERMINATING), _) => true,
        (Some(LAUNCHING), _) => false,
        (None, Some(old)) => old.terminating,
        _ => {
            return Err(AwsError::validation(format!(
                "Invalid lifecycle transition: {}",
                transition.unwrap_or_default()
            )));
        }
    };
    let heartbeat = input
        .integer("HeartbeatTimeout")
        .and_then(|secs| u64::try_from(secs).ok());
    let hook = HookSpec {
        name,
        terminating,
        heartbeat_secs: heartbeat
            .or_else(|| old.as_ref().map(|old| old.heartbeat_secs))
            .unwrap_or(3600),
        default_result: input
            .text("DefaultResult")
            .or_else(|| old.as_ref().map(|old| old.default_result.clone()))
            .unwrap_or_else(|| "ABANDON".to_owned()),
        has_handler: match input.text("NotificationTargetARN") {
            Some(target) => target == topic(world, &group),
            None => old.as_ref().is_some_and(|old| old.has_handler),
        },
        metadata: input
            .text("NotificationMetadata")
            .or_else(|| old.and_then(|old| old.metadata)),
    };
    world.put_lifecycle_hook(&group, hook);
    Ok(done())
}

/// `DeleteLifecycleHook`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let name = input.required("LifecycleHookName")?;
    world.delete_lifecycle_hook(&group, &name);
    Ok(done())
}

/// `DescribeLifecycleHooks`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let name = asked_group(world, input)?;
    let names = input.texts("LifecycleHookNames");
    let hooks = world.autoscaling.group(&name).map(|group| &group.hooks);
    let set: Vec<Value> = hooks
        .into_iter()
        .flatten()
        .map(|(_, hook)| hook)
        .filter(|hook| names.is_empty() || names.contains(&hook.name))
        .map(|hook| {
            json!({
                "LifecycleHookName": hook.name,
                "AutoScalingGroupName": name,
                "LifecycleTransition": if hook.terminating { TERMINATING } else { LAUNCHING },
                "HeartbeatTimeout": hook.heartbeat_secs,
                "GlobalTimeout": (hook.heartbeat_secs * 100).min(172_800),
                "DefaultResult": hook.default_result,
                "NotificationTargetARN": hook.has_handler.then(|| topic(world, &name)),
                "RoleARN": hook
                    .has_handler
                    .then(|| world.arn("iam", "role/InstancesLifecycleRole")),
                "NotificationMetadata": hook.metadata,
            })
        })
        .collect();
    Ok(json!({ "LifecycleHooks": set }))
}

/// Finds the member that a call means, by its id or by the token of what holds it.
fn held(world: &World, input: &Input, group: &str, hook: &str) -> Result<String, AwsError> {
    if let Some(id) = input.text("InstanceId") {
        return Ok(id);
    }
    let token = input.required("LifecycleActionToken")?;
    let members = world
        .autoscaling
        .group(group)
        .into_iter()
        .flat_map(|group| group.members());
    members
        .filter(|member| {
            member
                .waits
                .get(hook)
                .is_some_and(|wait| wait.token == token)
        })
        .map(|member| member.instance.clone())
        .next()
        .ok_or_else(|| {
            AwsError::validation(format!(
                "No active Lifecycle Action found with token {token}"
            ))
        })
}

fn nothing_held(instance: &str) -> AwsError {
    AwsError::validation(format!(
        "No active Lifecycle Action found with instance ID {instance}"
    ))
}

/// `CompleteLifecycleAction`.
pub(super) fn complete(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let hook = input.required("LifecycleHookName")?;
    let goes_on = input.required("LifecycleActionResult")? == "CONTINUE";
    let instance = held(world, input, &group, &hook)?;
    if hooks::complete(world, &instance, &hook, goes_on) {
        Ok(done())
    } else {
        Err(nothing_held(&instance))
    }
}

/// `RecordLifecycleActionHeartbeat`.
pub(super) fn heartbeat(world: &mut World, input: &Input) -> Answer {
    let group = asked_group(world, input)?;
    let hook = input.required("LifecycleHookName")?;
    let instance = held(world, input, &group, &hook)?;
    if hooks::heartbeat(world, &instance, &hook) {
        Ok(done())
    } else {
        Err(nothing_held(&instance))
    }
}
