//! How an Auto Scaling group's instances come and go: its hooks, and its past launches.

use aws_sdk_autoscaling::types::{Activity, LifecycleHook, ScalingActivityStatusCode};

use super::account::Clients;
use super::error::Call;
use super::services::count_of;
use super::stacks::timestamp_of;
use crate::rack::{Hook, Launch, PortError};

/// What Auto Scaling waits for a heartbeat where a hook says nothing (API reference).
const HEARTBEAT_SECS: i32 = 3600;

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

fn hook_of(hook: LifecycleHook) -> Hook {
    let transition = hook.lifecycle_transition.unwrap_or_default();
    Hook {
        is_terminating: transition.ends_with("TERMINATING"),
        heartbeat_secs: count_of(hook.heartbeat_timeout.unwrap_or(HEARTBEAT_SECS)),
        default_result: hook.default_result.unwrap_or_else(|| "ABANDON".to_owned()),
        is_handled: hook
            .notification_target_arn
            .is_some_and(|arn| !arn.is_empty()),
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
