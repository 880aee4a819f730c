//! The rack's drain function, which a terminating hook starts for an instance.
//!
//! It sets the instance to DRAINING, stops tasks that belong to no service, waits for the tasks
//! that it saw at that moment, deregisters the instance and completes the hook with CONTINUE.
//! It has 300 s, and what still runs after that goes down with the instance.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::autoscaling;
use super::super::world::{self, World};
use super::{Due, tasks};

/// How long the function waits before it gives up, a little less than it may live.
const PATIENCE: Duration = Duration::from_secs(295);

/// How long it takes to notice that all has stopped.
const NOTICE: Duration = Duration::from_secs(2);

/// An instance that is being emptied.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Drain {
    /// The tasks of the first moment that have not stopped.
    waits_for: BTreeSet<String>,
}

/// The rack's function empties an instance, and then tells Auto Scaling.
pub(crate) fn drain_instance(world: &mut World, instance: &str) {
    let (cluster, seen) = match world.ecs.host(instance) {
        Some((cluster, host)) => (cluster.name.clone(), host.tasks.clone()),
        None => (String::new(), BTreeSet::new()),
    };
    let one_off = |task: &&String| {
        world
            .ecs
            .cluster(&cluster)
            .and_then(|cluster| cluster.tasks.get(*task))
            .is_some_and(|task| task.service.is_none())
    };
    let killed: Vec<String> = seen.iter().filter(one_off).cloned().collect();
    let patience = world.ecs.drain_patience.unwrap_or(PATIENCE);
    let wait = if seen.is_empty() { NOTICE } else { patience };
    world
        .ecs
        .drains
        .insert(instance.to_owned(), Drain { waits_for: seen });
    world.schedule(wait, world::Due::Ecs(Due::Drained(instance.to_owned())));
    world.set_draining(instance, true);
    for task in killed {
        tasks::stop(world, &cluster, &task, "draining instance for termination");
    }
}

/// A task on an instance has ended, which may be the last one that the function waits for.
pub(super) fn on_task_ended(world: &mut World, instance: &str, task: &str) {
    let Some(drain) = world.ecs.drains.get_mut(instance) else {
        return;
    };
    if drain.waits_for.remove(task) && drain.waits_for.is_empty() {
        world.schedule(NOTICE, world::Due::Ecs(Due::Drained(instance.to_owned())));
    }
}

pub(super) fn on_drained(world: &mut World, instance: &str) {
    if world.ecs.drains.remove(instance).is_some() {
        world.deregister(instance, "Container instance deregistered forcibly by user");
        autoscaling::on_drained(world, instance);
    }
}
