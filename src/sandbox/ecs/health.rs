//! Health behind load balancers: when a task has passed its checks, what becomes of one that does
//! not, and how long one is kept that leaves.
//!
//! A task that runs is checked from some moment of the first interval on, by each of its target
//! groups. ECS takes it for healthy, and stops others for it, when it has passed the checks of all
//! (ECS developer guide, "Service load balancing"). One that fails them is stopped once the service's
//! grace period is over too, and another is started.

use std::time::Duration;

use super::super::balancers::TargetGroup;
use super::super::world::{self, World};
use super::services::find;
use super::tasks::{self, Task, TaskState};
use super::{Due, scheduler};

impl Task {
    /// Tells whether it runs, nobody has asked it to stop, and it has passed the checks of its load
    /// balancers, if it has any.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.state == TaskState::Running && self.healthy && !self.stopping
    }
}

/// Returns the target groups of a service that the account knows.
pub(super) fn groups_of(world: &World, cluster: &str, service: &str) -> Vec<TargetGroup> {
    let Some(service) = find(&world.ecs, cluster, service) else {
        return Vec::new();
    };
    let groups = service
        .target_groups()
        .filter_map(|arn| world.target_group(arn));
    groups.cloned().collect()
}

/// A task runs: its target groups begin to check it.
pub(super) fn on_running(world: &mut World, cluster: &str, id: &str, service: &str) {
    let groups = groups_of(world, cluster, service);
    if groups.is_empty() {
        return;
    }
    let fails = world.task_is_unhealthy(&format!("service:{service}"));
    let grace = find(&world.ecs, cluster, service).map_or(Duration::ZERO, |it| it.grace);
    let after = groups.iter().map(|group| {
        if fails {
            return group.interval.saturating_mul(group.unhealthy_threshold);
        }
        let interval = u64::try_from(group.interval.as_millis()).unwrap_or(u64::MAX);
        let first = world.chance.span((0, interval));
        let others = group.healthy_threshold.saturating_sub(1);
        first + group.interval.saturating_mul(others)
    });
    let after = after.max().unwrap_or_default();
    let after = if fails { after.max(grace) } else { after };
    let due = Due::Checked {
        cluster: cluster.to_owned(),
        task: id.to_owned(),
        passed: !fails,
    };
    world.schedule(after, world::Due::Ecs(due));
}

/// A task has passed its checks, or failed them for too long.
pub(super) fn on_checked(world: &mut World, cluster_name: &str, id: &str, passed: bool) {
    let cluster = world.ecs.clusters.get_mut(cluster_name);
    let task = cluster.and_then(|cluster| cluster.tasks.get_mut(id));
    let Some(task) = task.filter(|task| task.state == TaskState::Running && !task.stopping) else {
        return;
    };
    let Some((service, _)) = task.service.clone() else {
        return;
    };
    task.healthy = passed;
    if !passed {
        let groups = groups_of(world, cluster_name, &service);
        let arn = groups.first().map_or("", |group| group.arn.as_str());
        let reason = format!("Task failed ELB health checks in (target-group {arn})");
        tasks::stop(world, cluster_name, id, &reason);
        let (what, event) = (
            format!("(task {id}) failed ELB health checks in (target-group {arn})"),
            world.chance.uuid(),
        );
        let now = world.now;
        let cluster = world.ecs.clusters.get_mut(cluster_name);
        if let Some(service) = cluster.and_then(|it| it.services.get_mut(&service)) {
            service.tell(event, now, &what);
        }
    }
    scheduler::check_soon(world, cluster_name, &service);
}

/// Returns how long a task that runs is kept by its target groups before it is asked to stop.
pub(super) fn leaving(world: &World, cluster: &str, task: &Task) -> Duration {
    let service = task.service.as_ref();
    let service = service.filter(|_| task.state == TaskState::Running);
    let groups = service.map(|(service, _)| groups_of(world, cluster, service));
    let delays = groups.into_iter().flatten();
    let delays = delays.map(|group| group.deregistration_delay);
    delays.max().unwrap_or_default()
}
