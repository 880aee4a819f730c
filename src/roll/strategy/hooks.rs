//! The hooks that hold instances on their way out.
//!
//! A group's own handled hooks (the rack's drain function) give an instance five minutes and then
//! let it go, whatever still runs there. They are taken off for as long as the roll lasts, and a
//! hook of ours stands in for each, which keeps what it stands in for in its own metadata: so what
//! was there can be put back by anybody, from any machine, with no journal.

use crate::rack::{Hook, PortError, Rack};

/// What the names of our hooks begin with.
const PREFIX: &str = "convox-roll-";
/// How long an instance is held without a heartbeat, in seconds: time enough to take a roll up
/// again that was killed.
const HEARTBEAT_SECS: u32 = 3600;

/// Tells whether a hook is one of ours.
pub(super) fn is_ours(hook: &Hook) -> bool {
    hook.name.starts_with(PREFIX)
}

/// Puts our hooks on a group, and takes off those that they stand in for.
pub(super) async fn take(rack: &Rack, group: &str) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    let mut has_ours = found.iter().any(is_ours);
    let handled = found
        .iter()
        .filter(|hook| hook.is_terminating && hook.is_handled && !is_ours(hook));
    for hook in handled {
        let kept = serde_json::to_string(hook).unwrap_or_default();
        let name = format!("{PREFIX}{}", hook.name);
        rack.fleet.put_hook(group, &ours(name, Some(kept))).await?;
        rack.fleet.delete_hook(group, &hook.name).await?;
        has_ours = true;
    }
    if !has_ours {
        let hook = ours(format!("{PREFIX}drain"), None);
        rack.fleet.put_hook(group, &hook).await?;
    }
    Ok(())
}

/// Takes our hooks off a group, and puts back those that they stood in for.
pub(super) async fn put_back(rack: &Rack, group: &str) -> Result<(), PortError> {
    let found = rack.fleet.hooks(group).await?;
    for hook in found.iter().filter(|hook| is_ours(hook)) {
        let kept = hook.metadata.as_deref();
        let kept = kept.and_then(|kept| serde_json::from_str::<Hook>(kept).ok());
        if let Some(kept) = kept {
            rack.fleet.put_hook(group, &kept).await?;
        }
        rack.fleet.delete_hook(group, &hook.name).await?;
    }
    Ok(())
}

fn ours(name: String, metadata: Option<String>) -> Hook {
    Hook {
        name,
        is_terminating: true,
        heartbeat_secs: HEARTBEAT_SECS,
        default_result: "CONTINUE".to_owned(),
        is_handled: false,
        target: None,
        role: None,
        metadata,
    }
}
