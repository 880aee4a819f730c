//! Lifecycle hooks: they hold a member until somebody completes them or their time is up.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::ecs;
use super::super::world::{self, World};
use super::Due;
use super::members::{self, Lifecycle, Member};
use super::spec::HookSpec;

/// How long the rack's handler takes to answer when it has nothing to wait for.
const HANDLER: Duration = Duration::from_secs(2);

/// A hook that holds a member.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wait {
    /// Names this one time (`LifecycleActionToken`).
    pub token: String,
    /// When the default result applies, heartbeats considered.
    pub until: Timestamp,
    /// When it applies at the latest, whatever heartbeats come.
    #[serde(default = "never")]
    pub limit: Timestamp,
}

fn never() -> Timestamp {
    Timestamp::MAX
}

/// Returns how long a hook holds a member at most: 48 hours or a hundred times its timeout,
/// whichever is less (EC2 Auto Scaling User Guide, "Amazon EC2 Auto Scaling lifecycle hooks").
fn longest(heartbeat: Duration) -> Duration {
    const MOST: Duration = Duration::from_secs(48 * 3600);
    heartbeat.saturating_mul(100).min(MOST)
}

impl World {
    /// Puts a lifecycle hook on a group, in place of one of the same name.
    pub fn put_lifecycle_hook(&mut self, group: &str, hook: HookSpec) {
        if let Some(group) = self.autoscaling.groups.get_mut(group) {
            group.hooks.insert(hook.name.clone(), hook);
        }
    }

    /// Takes a lifecycle hook off a group; members that it holds go on (AWS completes them).
    pub fn delete_lifecycle_hook(&mut self, group: &str, name: &str) {
        let Some(group) = self.autoscaling.groups.get_mut(group) else {
            return;
        };
        if group.hooks.remove(name).is_none() {
            return;
        }
        let held: Vec<String> = group
            .members
            .values()
            .filter(|member| member.waits.contains_key(name))
            .map(|member| member.instance.clone())
            .collect();
        for instance in held {
            complete(self, &instance, name, true);
        }
    }
}

/// Lets every hook of that direction hold the member; tells whether there is any.
pub(super) fn hold(world: &mut World, instance: &str, terminating: bool) -> bool {
    let Some((group, _)) = world.autoscaling.member(instance) else {
        return false;
    };
    let hooks: Vec<HookSpec> = group
        .hooks
        .values()
        .filter(|hook| hook.terminating == terminating)
        .cloned()
        .collect();
    if hooks.is_empty() {
        return false;
    }
    let lifecycle = if terminating {
        Lifecycle::TerminatingWait
    } else {
        Lifecycle::PendingWait
    };
    members::set_lifecycle(world, instance, lifecycle);
    for hook in hooks {
        let token = world.chance.uuid();
        let heartbeat = Duration::from_secs(hook.heartbeat_secs);
        let until = world
            .now
            .saturating_add(heartbeat)
            .unwrap_or(Timestamp::MAX);
        let limit = world.now.saturating_add(longest(heartbeat));
        let wait = Wait {
            token: token.clone(),
            until,
            limit: limit.unwrap_or(Timestamp::MAX),
        };
        if let Some(member) = member_mut(world, instance) {
            member.waits.insert(hook.name.clone(), wait);
        }
        let (instance, name) = (instance.to_owned(), hook.name.clone());
        if hook.has_handler && !terminating {
            let due = Due::HookAnswered {
                instance: instance.clone(),
                hook: name.clone(),
                token: token.clone(),
            };
            world.schedule(HANDLER, world::Due::AutoScaling(due));
        } else if hook.has_handler && !world.drain_is_stuck() {
            ecs::drain_instance(world, &instance);
        }
        let due = Due::HookTimeout {
            instance,
            hook: name,
            token,
        };
        world.schedule(heartbeat, world::Due::AutoScaling(due));
    }
    true
}

/// The rack's function has drained an instance, or given up: it lets the instance go.
pub(crate) fn on_drained(world: &mut World, instance: &str) {
    let Some((group, member)) = world.autoscaling.member(instance) else {
        return;
    };
    if member.lifecycle != Lifecycle::TerminatingWait {
        return;
    }
    let handled = |name: &&String| group.hooks.get(*name).is_some_and(|hook| hook.has_handler);
    let hooks: Vec<String> = member.waits.keys().filter(handled).cloned().collect();
    for hook in hooks {
        complete(world, instance, &hook, true);
    }
}

pub(super) fn on_answer(world: &mut World, instance: &str, hook: &str, token: &str) {
    if wait_of(world, instance, hook).is_some_and(|wait| wait.token == token) {
        complete(world, instance, hook, true);
    }
}

pub(super) fn on_timeout(world: &mut World, instance: &str, hook: &str, token: &str) {
    let now = world.now;
    let is_over = |wait: &Wait| wait.token == token && wait.until <= now;
    if !wait_of(world, instance, hook).is_some_and(is_over) {
        return;
    }
    let default = world
        .autoscaling
        .member(instance)
        .and_then(|(group, _)| group.hooks.get(hook))
        .is_some_and(|hook| hook.default_result == "CONTINUE");
    complete(world, instance, hook, default);
}

/// Puts off the time when a hook's default result applies; tells whether the hook holds the member.
pub(super) fn heartbeat(world: &mut World, instance: &str, hook: &str) -> bool {
    let Some(secs) = world
        .autoscaling
        .member(instance)
        .and_then(|(group, _)| group.hooks.get(hook))
        .map(|hook| hook.heartbeat_secs)
    else {
        return false;
    };
    let now = world.now;
    let until = now.saturating_add(Duration::from_secs(secs));
    let Some(wait) = member_mut(world, instance).and_then(|member| member.waits.get_mut(hook))
    else {
        return false;
    };
    wait.until = until.unwrap_or(Timestamp::MAX).min(wait.limit);
    let left = Duration::try_from(wait.until.duration_since(now));
    let token = wait.token.clone();
    let due = Due::HookTimeout {
        instance: instance.to_owned(),
        hook: hook.to_owned(),
        token,
    };
    world.schedule(left.unwrap_or_default(), world::Due::AutoScaling(due));
    true
}

/// Completes a hook with `CONTINUE` or `ABANDON`; tells whether it held the member.
pub(super) fn complete(world: &mut World, instance: &str, hook: &str, goes_on: bool) -> bool {
    let Some(member) = member_mut(world, instance) else {
        return false;
    };
    if member.waits.remove(hook).is_none() {
        return false;
    }
    let lifecycle = member.lifecycle;
    if !goes_on {
        // An abandoned action needs no other hook's word.
        member.waits.clear();
    }
    if !member.waits.is_empty() {
        return true;
    }
    match (lifecycle, goes_on) {
        (Lifecycle::PendingWait, true) => {
            members::set_lifecycle(world, instance, Lifecycle::PendingProceed);
            members::enter_service(world, instance);
        }
        (Lifecycle::PendingWait, false) => {
            let group = world
                .autoscaling
                .places
                .get(instance)
                .map(|(group, _)| group.clone());
            members::leave(
                world,
                instance,
                "because its launch was abandoned by a lifecycle hook",
            );
            if let Some(group) = group {
                super::groups::reconcile(world, &group);
            }
        }
        (Lifecycle::TerminatingWait, _) => members::proceed_out(world, instance),
        _ => {}
    }
    true
}

fn wait_of<'a>(world: &'a World, instance: &str, hook: &str) -> Option<&'a Wait> {
    world.autoscaling.member(instance)?.1.waits.get(hook)
}

fn member_mut<'a>(world: &'a mut World, instance: &str) -> Option<&'a mut Member> {
    let (group, number) = world.autoscaling.places.get(instance)?;
    world
        .autoscaling
        .groups
        .get_mut(group)?
        .members
        .get_mut(number)
}
