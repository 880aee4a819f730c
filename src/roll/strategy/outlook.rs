//! What a roll will mean for a service: said beforehand, and only where it is sure. Pure.

use jiff::Timestamp;

use super::Strategy;
use super::movable::{has_room_for_one_more, is_apart};
use crate::rack::{Cluster, ClusterService, Hook, ServiceHealth};
use crate::roll::observe::Observed;
use crate::roll::plan::RollOptions;
use crate::roll::reached::ObservedPolicy;

/// How many times as long as it was ever seen to a task may take to start.
const SLOWER: i64 = 5;
/// What a drain needs besides, in seconds: to be noticed, and to be told of its end.
const BESIDES_SECS: i64 = 30;

/// Tells whether a service is sure to have a healthy task at every moment of a roll that ends
/// well.
///
/// Under `cloudformation` that takes more than under `surge`: instances are given only so long to
/// be emptied, and new ones must be there before old ones go.
pub(in crate::roll) fn stays_up(
    options: RollOptions,
    observed: &Observed,
    cluster: &Cluster,
    service: &ClusterService,
) -> bool {
    let is_known = observed.unread.is_empty();
    if !is_known || service.is_daemon || service.desired == 0 || service.running == 0 {
        return false;
    }
    if is_apart(service) {
        return true;
    }
    let health = cluster.health_of(service);
    let is_healthy = |it: &ServiceHealth| it.is_known() && it.healthy > Some(0);
    if health.is_some_and(|it| !is_healthy(&it)) {
        return false;
    }
    let moves_first = service.minimum() > 0 && has_room_for_one_more(service);
    match options.strategy {
        Strategy::Surge => moves_first,
        Strategy::CloudFormation => {
            moves_first
                && brings_new_ones_first(options, observed)
                && is_emptied_in_time(observed, cluster, service)
        }
        Strategy::Refresh => false,
    }
}

/// Tells whether every group starts new instances, and hears from them, before old ones go.
fn brings_new_ones_first(options: RollOptions, observed: &Observed) -> bool {
    observed.spot_fleets.is_empty()
        && observed.groups.iter().all(|group| match &group.policy {
            ObservedPolicy::Rolling {
                min_in_service,
                wait_on_signals,
                ..
            } => group.group.as_ref().is_some_and(|found| {
                let guarded = options.guard_rails || *min_in_service == found.desired;
                *wait_on_signals && *min_in_service >= found.desired && guarded
            }),
            _ => false,
        })
}

/// Returns for how many seconds a group's instances are drained, if they are: somebody else's topic
/// may be heard by anybody, or by nobody.
fn drain_limit(hooks: &[Hook], listeners: &[String]) -> Option<u32> {
    let handled = hooks
        .iter()
        .filter(|hook| hook.is_terminating && hook.notifies_one_of(listeners));
    handled.map(|hook| hook.heartbeat_secs.min(300)).min()
}

/// Tells whether the tasks of a service start so fast, are healthy so soon behind their load
/// balancers and leave them so soon that a drain has time to spare.
fn is_emptied_in_time(observed: &Observed, cluster: &Cluster, service: &ClusterService) -> bool {
    let hooks = observed.hooks.iter();
    let own = hooks.filter(|(group, _)| observed.is_in(group, cluster));
    let limits: Option<Vec<u32>> = own
        .map(|(_, hooks)| drain_limit(hooks, &observed.listeners))
        .collect();
    let Some(limit) = limits.and_then(|limits| limits.into_iter().min()) else {
        return false;
    };
    let mut definitions = cluster.definitions.iter();
    let definition = definitions.find(|it| it.arn == service.definition);
    if definition.is_none_or(|it| !it.host_ports.is_empty()) {
        return false;
    }
    let own = cluster.tasks.iter();
    let own = own.filter(|task| task.service.as_deref() == Some(service.name.as_str()));
    let started = |at: Option<Timestamp>, from: Option<Timestamp>| {
        Some(at?.as_second().saturating_sub(from?.as_second()))
    };
    let mut slowest = 0;
    for task in own {
        match started(task.started_at, task.created_at) {
            Some(secs) => slowest = slowest.max(secs),
            None => return false,
        }
    }
    let health = cluster.health_of(service).unwrap_or_default();
    let healthy = health.healthy_within_secs.unwrap_or(0);
    let leaving = health.deregistration_delay_secs.unwrap_or(0);
    let behind = i64::from(healthy) + i64::from(leaving);
    slowest * SLOWER + behind + BESIDES_SECS < i64::from(limit)
}
