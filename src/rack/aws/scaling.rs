//! How an Auto Scaling group's instances come and go: its hooks, and its past launches.

use aws_sdk_autoscaling::types::{Activity, LifecycleHook, ScalingActivityStatusCode};

use super::account::Clients;
use super::error::Call;
use super::services::count_of;
use super::stacks::timestamp_of;
use crate::rack::{Hook, Launch, PortError};

/// What Auto Scaling waits for a heartbeat where a hook says nothing (API reference).
const HEARTBEAT_SECS: i32 = 3600;
/// How many instances one `SetInstanceProtection` takes (API reference).
const PROTECTED_AT_ONCE: usize = 50;

/// Lists the lifecycle hooks of a group.
pub(super) async fn hooks(clients: &Clients, group: &str) -> Result<Vec<Hook>, PortError> {
    let what = format!("group {group}");
    let call = Call::new("autoscaling", "DescribeLifecycleHooks", &what);
    let answer = clients.autoscaling().describe_lifecycle_hooks();
    let answer = answer.auto_scaling_group_name(group).send().await;
    let answer = answer.map_err(|error| call.failed(error))?;
    let hooks = answer.lifecycle_hooks.unwrap_or_default();
    Ok(hooks.into_iter().map(hook_of).collect())
}

/// Lists the last launches of a group that succeeded, newest first, at most 100.
pub(super) async fn launches(clients: &Clients, group: &str) -> Result<Vec<Launch>, PortError> {
    let what = format!("group {group}");
    let call = Call::new("autoscaling", "DescribeScalingActivities", &what);
    let answer = clients.autoscaling().describe_scaling_activities();
    let answer = answer.auto_scaling_group_name(group).max_records(100);
    let answer = answer.send().await.map_err(|error| call.failed(error))?;
    let activities = answer.activities.unwrap_or_default();
    Ok(activities.iter().filter_map(launch_of).collect())
}

/// Puts a lifecycle hook on a group.
pub(super) async fn put_hook(clients: &Clients, group: &str, hook: &Hook) -> Result<(), PortError> {
    let what = format!("hook {} of group {group}", hook.name);
    let call = Call::new("autoscaling", "PutLifecycleHook", &what);
    let transition = if hook.is_terminating {
        "autoscaling:EC2_INSTANCE_TERMINATING"
    } else {
        "autoscaling:EC2_INSTANCE_LAUNCHING"
    };
    let heartbeat = i32::try_from(hook.heartbeat_secs).unwrap_or(HEARTBEAT_SECS);
    let asked = clients.autoscaling().put_lifecycle_hook();
    let asked = asked
        .auto_scaling_group_name(group)
        .lifecycle_hook_name(&hook.name)
        .lifecycle_transition(transition)
        .heartbeat_timeout(heartbeat)
        .default_result(&hook.default_result)
        .set_notification_target_arn(hook.target.clone())
        .set_role_arn(hook.role.clone())
        .set_notification_metadata(hook.metadata.clone());
    let answer = asked.send().await;
    answer.map(drop).map_err(|error| call.failed(error))
}

/// Takes a lifecycle hook off a group.
pub(super) async fn delete_hook(
    clients: &Clients,
    group: &str,
    name: &str,
) -> Result<(), PortError> {
    let what = format!("hook {name} of group {group}");
    let call = Call::new("autoscaling", "DeleteLifecycleHook", &what);
    let asked = clients.autoscaling().delete_lifecycle_hook();
    let answer = asked
        .auto_scaling_group_name(group)
        .lifecycle_hook_name(name)
        .send()
        .await;
    match answer.map_err(|error| call.failed(error)) {
        // Auto Scaling refuses to delete what is not there.
        Err(PortError::Rejected { .. }) if is_gone(clients, group, name).await => Ok(()),
        answer => answer.map(drop),
    }
}

async fn is_gone(clients: &Clients, group: &str, name: &str) -> bool {
    let found = hooks(clients, group).await;
    found.is_ok_and(|found| found.iter().all(|hook| hook.name != name))
}

/// Sends a heartbeat; `false` when the hook does not hold the instance.
pub(super) async fn hold(
    clients: &Clients,
    group: &str,
    hook: &str,
    instance: &str,
) -> Result<bool, PortError> {
    let what = format!("instance {instance}");
    let call = Call::new("autoscaling", "RecordLifecycleActionHeartbeat", &what);
    let asked = clients.autoscaling().record_lifecycle_action_heartbeat();
    let answer = asked
        .auto_scaling_group_name(group)
        .lifecycle_hook_name(hook)
        .instance_id(instance)
        .send()
        .await;
    held(answer.map(drop).map_err(|error| call.failed(error)))
}

/// Completes a lifecycle action with `CONTINUE`; `false` when there is none.
pub(super) async fn let_go(
    clients: &Clients,
    group: &str,
    hook: &str,
    instance: &str,
) -> Result<bool, PortError> {
    let what = format!("instance {instance}");
    let call = Call::new("autoscaling", "CompleteLifecycleAction", &what);
    let asked = clients.autoscaling().complete_lifecycle_action();
    let answer = asked
        .auto_scaling_group_name(group)
        .lifecycle_hook_name(hook)
        .instance_id(instance)
        .lifecycle_action_result("CONTINUE")
        .send()
        .await;
    held(answer.map(drop).map_err(|error| call.failed(error)))
}

/// Auto Scaling refuses a word about an instance that no hook holds any more.
fn held(answer: Result<(), PortError>) -> Result<bool, PortError> {
    match answer {
        Err(PortError::Rejected { message, .. }) if message.contains("No active Lifecycle") => {
            Ok(false)
        }
        answer => answer.map(|()| true),
    }
}

/// Says whether new members of a group are protected from scale-in.
pub(super) async fn protect_new(
    clients: &Clients,
    group: &str,
    protected: bool,
) -> Result<(), PortError> {
    let what = format!("group {group}");
    let call = Call::new("autoscaling", "UpdateAutoScalingGroup", &what);
    let asked = clients.autoscaling().update_auto_scaling_group();
    let answer = asked
        .auto_scaling_group_name(group)
        .new_instances_protected_from_scale_in(protected)
        .send()
        .await;
    answer.map(drop).map_err(|error| call.failed(error))
}

/// Protects members of a group from scale-in, or no longer, at most 50 a call.
pub(super) async fn protect(
    clients: &Clients,
    group: &str,
    instances: &[String],
    protected: bool,
) -> Result<(), PortError> {
    let what = format!("group {group}");
    let call = Call::new("autoscaling", "SetInstanceProtection", &what);
    for instances in instances.chunks(PROTECTED_AT_ONCE) {
        let asked = clients.autoscaling().set_instance_protection();
        let answer = asked
            .auto_scaling_group_name(group)
            .set_instance_ids(Some(instances.to_vec()))
            .protected_from_scale_in(protected)
            .send()
            .await;
        answer.map(drop).map_err(|error| call.failed(error))?;
    }
    Ok(())
}

fn hook_of(hook: LifecycleHook) -> Hook {
    let transition = hook.lifecycle_transition.unwrap_or_default();
    let target = hook.notification_target_arn.filter(|arn| !arn.is_empty());
    Hook {
        is_terminating: transition.ends_with("TERMINATING"),
        heartbeat_secs: count_of(hook.heartbeat_timeout.unwrap_or(HEARTBEAT_SECS)),
        default_result: hook.default_result.unwrap_or_else(|| "ABANDON".to_owned()),
        is_handled: target.is_some(),
        target,
        role: hook.role_arn.filter(|arn| !arn.is_empty()),
        metadata: hook.notification_metadata.filter(|text| !text.is_empty()),
        name: hook.lifecycle_hook_name.unwrap_or_default(),
    }
}

/// Reads a launch by the words that begin its description, which AWS has never changed.
fn launch_of(activity: &Activity) -> Option<Launch> {
    let what = activity.description.as_deref().unwrap_or_default();
    let is_launch = what.starts_with("Launching a new EC2 instance");
    let is_good = activity.status_code == Some(ScalingActivityStatusCode::Successful);
    if !is_launch || !is_good {
        return None;
    }
    Some(Launch {
        started_at: activity.start_time.as_ref().and_then(timestamp_of)?,
        ended_at: activity.end_time.as_ref().and_then(timestamp_of)?,
    })
}
