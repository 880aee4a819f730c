//! Resource signals, and resources that wait for them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::world::World;
use super::policy::{number, span};
use super::stack::Stack;
use super::{failure, provision, rolling};

/// A resource that is complete once it has had its signals (`CreationPolicy.ResourceSignal`).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SignalWait {
    /// How many signals it needs.
    pub count: u32,
    /// How long it waits.
    pub timeout: Duration,
    /// Who has signalled, and whether all was well.
    pub heard: BTreeMap<String, bool>,
}

impl SignalWait {
    /// Reads a `CreationPolicy`.
    pub(super) fn read(creation_policy: &Value) -> Option<Self> {
        let signal = creation_policy.get("ResourceSignal")?;
        let timeout = signal
            .get("Timeout")
            .and_then(Value::as_str)
            .unwrap_or("PT5M");
        Some(Self {
            count: number(signal.get("Count")).unwrap_or(1),
            timeout: span(timeout),
            heard: BTreeMap::new(),
        })
    }
}

/// Takes a signal. Nobody may be waiting for it.
pub(super) fn receive(
    world: &mut World,
    stack: &mut Stack,
    logical_id: &str,
    unique_id: &str,
    success: bool,
) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    if operation.rolls.contains_key(logical_id) {
        rolling::on_signal(world, stack, logical_id, unique_id, success);
        return;
    }
    let Some(wait) = operation.signals.get_mut(logical_id) else {
        return;
    };
    if wait.heard.insert(unique_id.to_owned(), success).is_some() {
        return;
    }
    let count = wait.count;
    let heard = wait.heard.values().filter(|success| **success).count();
    let complete = u32::try_from(heard).unwrap_or(u32::MAX) >= count;
    let word = if success { "SUCCESS" } else { "FAILURE" };
    let told = format!("Received {word} signal with UniqueId {unique_id}");
    stack.turn_resource(world, logical_id, "CREATE_IN_PROGRESS", Some(told));
    if !success {
        let reason = format!(
            "Received 1 FAILURE signal(s) out of {count}.  Unable to satisfy 100% \
             MinSuccessfulInstancesPercent requirement"
        );
        failure::fail(world, stack, logical_id, reason);
    } else if complete {
        if let Some(operation) = &mut stack.operation {
            operation.signals.remove(logical_id);
        }
        provision::settle(world, stack, logical_id);
    }
}

/// A resource has waited long enough.
pub(super) fn time_out(world: &mut World, stack: &mut Stack, logical_id: &str) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let Some(wait) = operation.signals.remove(logical_id) else {
        return;
    };
    let heard = u32::try_from(wait.heard.len()).unwrap_or(u32::MAX);
    let missing = wait.count.saturating_sub(heard);
    let reason =
        format!("Failed to receive {missing} resource signal(s) within the specified duration");
    failure::fail(world, stack, logical_id, reason);
}
