//! The hooks that hold instances on their way out.
//!
//! A group's own handled hooks (the rack's drain function) give an instance five minutes and then
//! let it go, whatever still runs there. They are taken off for as long as the roll lasts, and a
//! hook of ours stands in for each, which keeps what it stands in for in its own metadata: so what
//! was there can be put back by anybody, from any machine, with no journal.
//!
//! Taking a hook off lets everybody go whom it holds. So the two are on the group side by side when
//! one takes the other's place, and none is taken off while it alone holds somebody.

use serde::{Deserialize, Serialize};

use crate::ids::RollId;
use crate::rack::{Hook, PortError, Rack};

/// What the names of our hooks begin with.
const PREFIX: &str = "convox-roll-";
/// What a hook of ours that stands in for none is called besides.
const ALONE: &str = "drain";
/// How long an instance is held without a heartbeat, in seconds: time enough to take a roll up
/// again that was killed.
const HEARTBEAT_SECS: u32 = 3600;
/// The most letters that a hook may say besides (Auto Scaling API reference, `PutLifecycleHook`).
const METADATA: usize = 1023;

/// What a hook of ours says in its metadata.
#[derive(Debug, Serialize, Deserialize)]
struct Mark {
    /// The roll that put it there.
    roll: String,
    /// What it stands in for, if for anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Hook>,
}

/// Tells whether a hook is one of ours.
pub(super) fn is_ours(hook: &Hook) -> bool {
    hook.name.starts_with(PREFIX)
}

/// Tells whether a hook is one that ours stand in for.
pub(super) fn is_replaced(hook: &Hook) -> bool {
    hook.is_terminating && hook.is_handled && !is_ours(hook)
}

/// Returns the roll that left a hook of ours, where the hook tells.
pub(super) fn left_by(hook: &Hook) -> Option<String> {
    mark_of(hook).map(|mark| mark.roll)
}

/// Looks whether the hooks of a group can be put back once they are taken off: each fits into the
/// metadata of the one that stands in for it, and may be put.
///
/// # Errors
/// As the port, and when one is too long. Nothing is changed.
pub(super) async fn prove(rack: &Rack, group: &str, roll: &RollId) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    let replaced: Vec<_> = found.iter().filter(|hook| is_replaced(hook)).collect();
    for hook in &replaced {
        let metadata = stand_in(hook, roll).metadata.unwrap_or_default();
        if metadata.len() > METADATA {
            let message = format!(
                "hook {} says so much besides that no other hook can keep it: {} letters, and {METADATA} fit",
                hook.name,
                metadata.len()
            );
            return Err(PortError::LimitExceeded { message });
        }
    }
    for hook in replaced {
        rack.fleet.put_hook(group, hook).await?;
    }
    Ok(())
}

/// Puts our hooks on a group, beside those that they stand in for.
pub(super) async fn join(rack: &Rack, group: &str, roll: &RollId) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    let mut has_ours = found.iter().any(is_ours);
    for hook in found.iter().filter(|hook| is_replaced(hook)) {
        rack.fleet.put_hook(group, &stand_in(hook, roll)).await?;
        has_ours = true;
    }
    if !has_ours {
        let hook = ours(ALONE, roll, None);
        rack.fleet.put_hook(group, &hook).await?;
    }
    Ok(())
}

/// Takes off what our hooks stand in for, which lets go whatever it holds.
pub(super) async fn take_off(rack: &Rack, group: &str) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    for hook in found.iter().filter(|hook| is_replaced(hook)) {
        rack.fleet.delete_hook(group, &hook.name).await?;
    }
    Ok(())
}

/// Puts back what our hooks stand in for, beside ours.
pub(super) async fn put_back(rack: &Rack, group: &str) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    for hook in found.iter().filter(|hook| is_ours(hook)) {
        match mark_of(hook) {
            Some(mark) => {
                if let Some(kept) = mark.kept {
                    rack.fleet.put_hook(group, &kept).await?;
                }
            }
            None if hook.name == format!("{PREFIX}{ALONE}") => {}
            None => {
                let what = format!("the hook of {group} that {} stands in for", hook.name);
                return Err(PortError::NotFound { what });
            }
        }
    }
    Ok(())
}

/// Takes our hooks off a group, which lets go whatever they hold.
pub(super) async fn leave(rack: &Rack, group: &str) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    for hook in found.iter().filter(|hook| is_ours(hook)) {
        rack.fleet.delete_hook(group, &hook.name).await?;
    }
    Ok(())
}

fn mark_of(hook: &Hook) -> Option<Mark> {
    let said = hook.metadata.as_deref().filter(|_| is_ours(hook))?;
    serde_json::from_str(said).ok()
}

fn stand_in(hook: &Hook, roll: &RollId) -> Hook {
    ours(&hook.name, roll, Some(hook.clone()))
}

fn ours(name: &str, roll: &RollId, kept: Option<Hook>) -> Hook {
    let roll = roll.to_string();
    Hook {
        name: format!("{PREFIX}{name}"),
        is_terminating: true,
        heartbeat_secs: HEARTBEAT_SECS,
        default_result: "CONTINUE".to_owned(),
        is_handled: false,
        target: None,
        role: None,
        metadata: serde_json::to_string(&Mark { roll, kept }).ok(),
    }
}
