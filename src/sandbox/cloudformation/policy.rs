//! The attributes of a resource that say how it is created and updated.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::autoscaling::{RefreshWishes, Stance};

/// `AutoScalingRollingUpdate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RollingPolicy {
    pub max_batch_size: u32,
    pub min_instances_in_service: u32,
    pub min_successful_percent: u32,
    /// `PauseTime` as written, such as `PT5M`: events repeat it.
    pub pause_text: String,
    pub pause: Duration,
    pub wait_on_signals: bool,
    pub suspend: Vec<String>,
}

/// `AutoScalingInstanceRefresh`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RefreshPolicy {
    pub wishes: RefreshWishes,
    pub replaces_root_volume: bool,
}

/// How a group's update replaces instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GroupPolicy {
    /// By a rolling update that CloudFormation leads.
    Rolling(RollingPolicy),
    /// By an instance refresh.
    Refresh(RefreshPolicy),
    /// Not at all.
    Nothing,
}

impl GroupPolicy {
    /// Reads an `UpdatePolicy`; defaults as in the CloudFormation guide, "UpdatePolicy attribute".
    pub(super) fn read(policy: &Value) -> Self {
        if let Some(rolling) = policy.get("AutoScalingRollingUpdate") {
            let wait_on_signals = truth(rolling.get("WaitOnResourceSignals"));
            let usual = if wait_on_signals { "PT5M" } else { "PT0S" };
            let pause_text = rolling
                .get("PauseTime")
                .and_then(Value::as_str)
                .unwrap_or(usual)
                .to_owned();
            let suspend = rolling.get("SuspendProcesses").and_then(Value::as_array);
            return Self::Rolling(RollingPolicy {
                max_batch_size: number(rolling.get("MaxBatchSize")).unwrap_or(1).max(1),
                min_instances_in_service: number(rolling.get("MinInstancesInService")).unwrap_or(0),
                min_successful_percent: number(rolling.get("MinSuccessfulInstancesPercent"))
                    .unwrap_or(100)
                    .min(100),
                pause: span(&pause_text),
                pause_text,
                wait_on_signals,
                suspend: suspend
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            });
        }
        if let Some(refresh) = policy.get("AutoScalingInstanceRefresh") {
            let preferences = refresh.get("Preferences").unwrap_or(refresh);
            let strategy = refresh.get("Strategy").and_then(Value::as_str);
            return Self::Refresh(RefreshPolicy {
                wishes: wishes(preferences),
                replaces_root_volume: strategy == Some("ReplaceRootVolume"),
            });
        }
        Self::Nothing
    }
}

/// Reads the preferences of an instance refresh; defaults as of `StartInstanceRefresh`.
fn wishes(preferences: &Value) -> RefreshWishes {
    let usual = RefreshWishes::default();
    let seconds = |name: &str, usual| number(preferences.get(name)).map_or(usual, u64::from);
    let stance = |name: &str, usual| {
        let word = preferences.get(name).and_then(Value::as_str);
        word.and_then(Stance::read).unwrap_or(usual)
    };
    let list = |value: Option<&Value>| {
        let items = value.and_then(Value::as_array);
        items.cloned().unwrap_or_default()
    };
    let alarms = preferences.pointer("/AlarmSpecification/Alarms");
    RefreshWishes {
        min_healthy_percent: number(preferences.get("MinHealthyPercentage"))
            .unwrap_or(usual.min_healthy_percent),
        max_healthy_percent: number(preferences.get("MaxHealthyPercentage"))
            .unwrap_or(usual.max_healthy_percent),
        warmup_secs: seconds("InstanceWarmup", usual.warmup_secs),
        checkpoints: list(preferences.get("CheckpointPercentages"))
            .iter()
            .filter_map(|percent| number(Some(percent)))
            .collect(),
        checkpoint_delay_secs: seconds("CheckpointDelay", usual.checkpoint_delay_secs),
        bake_secs: seconds("BakeTime", usual.bake_secs),
        skip_matching: truth(preferences.get("SkipMatching")),
        protected: stance("ScaleInProtectedInstances", usual.protected),
        standby: stance("StandbyInstances", usual.standby),
        alarms: list(alarms)
            .iter()
            .filter_map(|name| name.as_str().map(str::to_owned))
            .collect(),
        ..usual
    }
}

/// Reads a number, which templates often write as text.
pub(super) fn number(value: Option<&Value>) -> Option<u32> {
    match value? {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Reads a truth value, which templates often write as text.
pub(super) fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(truth)) => *truth,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

/// Reads an ISO 8601 span such as `PT5M`; nothing for what is none.
pub(super) fn span(text: &str) -> Duration {
    text.parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| Duration::try_from(span).ok())
        .unwrap_or_default()
}
