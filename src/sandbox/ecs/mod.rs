//! ECS: clusters, services, tasks and container instances.

mod api;
mod clusters;
mod drain;
mod habits;
mod health;
mod scheduler;
mod services;
mod task_definitions;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::world::World;

pub use api::handle;
pub use clusters::{Cluster, ContainerInstance, Room};
pub use habits::Habit;
pub use services::{Deployment, Service};
pub use task_definitions::TaskDefinition;
pub use tasks::{Task, TaskState};

pub(crate) use clusters::{on_instance_booted, on_instance_lost};
pub(crate) use drain::drain_instance;

/// ECS's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ecs {
    clusters: BTreeMap<String, Cluster>,
    /// Task definitions by family; a revision's place is its number less one.
    families: BTreeMap<String, Vec<TaskDefinition>>,
    /// Where each EC2 instance is: its cluster and its container instance there.
    hosts: BTreeMap<String, (String, String)>,
    /// The instances that the rack's function is emptying.
    drains: BTreeMap<String, drain::Drain>,
    /// How long the tasks of some families take; those of others keep the account's pace.
    #[serde(default)]
    habits: BTreeMap<String, Habit>,
    /// How long the rack's function waits for tasks to stop, where it is another's than the rack's.
    #[serde(default)]
    drain_patience: Option<Duration>,
}

/// ECS's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// A service looks whether it runs what it should.
    Check {
        /// The cluster's name.
        cluster: String,
        /// The service's name.
        service: String,
    },
    /// A task runs.
    Started {
        /// The cluster's name.
        cluster: String,
        /// The task's id.
        task: String,
    },
    /// A task has passed the checks of its load balancers, or failed them for too long.
    Checked {
        /// The cluster's name.
        cluster: String,
        /// The task's id.
        task: String,
        /// Whether it passed.
        passed: bool,
    },
    /// A task has stopped.
    Stopped {
        /// The cluster's name.
        cluster: String,
        /// The task's id.
        task: String,
    },
    /// A stopped task is no longer shown.
    Forgotten {
        /// The cluster's name.
        cluster: String,
        /// The task's id.
        task: String,
    },
    /// The rack's function has emptied an instance, or has no time left.
    Drained(String),
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    match due {
        Due::Check { cluster, service } => scheduler::check(world, &cluster, &service),
        Due::Started { cluster, task } => tasks::on_started(world, &cluster, &task),
        Due::Checked {
            cluster,
            task,
            passed,
        } => health::on_checked(world, &cluster, &task, passed),
        Due::Stopped { cluster, task } => tasks::on_stopped(world, &cluster, &task),
        Due::Forgotten { cluster, task } => {
            if let Some(cluster) = world.ecs.clusters.get_mut(&cluster) {
                cluster.tasks.remove(&task);
            }
        }
        Due::Drained(instance) => drain::on_drained(world, &instance),
    }
}
