//! What a rack's apps are like: how long their tasks take, and where they sit.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::world::World;
use super::{Room, TaskState, scheduler};

/// How long the tasks of a family take, in milliseconds, the shortest and the longest; the
/// account's pace where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Habit {
    /// To start.
    pub start_ms: Option<(u64, u64)>,
    /// To stop, if it is let: ECS ends a task that takes longer than its stop timeout.
    pub stop_ms: Option<(u64, u64)>,
}

impl World {
    /// Says how long the tasks of a family take from now on.
    pub fn set_habit(&mut self, family: &str, habit: Habit) {
        self.ecs.habits.insert(family.to_owned(), habit);
    }

    /// Says how long the rack's function waits for tasks to stop before it lets an instance go.
    pub fn set_drain_patience(&mut self, patience: Duration) {
        self.ecs.drain_patience = Some(patience);
    }

    /// Says what every instance of a cluster has to give.
    pub fn set_room(&mut self, cluster: &str, room: Room) {
        if let Some(cluster) = self.ecs.clusters.get_mut(cluster) {
            cluster.room = room;
        }
    }

    /// Moves the running tasks of a service, in their order, to these EC2 instances, which are
    /// taken to have the room. Tasks beyond them stay where they are.
    pub fn seat_tasks(&mut self, cluster: &str, service: &str, instances: &[String]) {
        let hosts: Vec<(String, String)> = instances
            .iter()
            .filter_map(|instance| {
                let (_, host) = self.ecs.host(instance)?;
                Some((instance.clone(), host.id.clone()))
            })
            .collect();
        let Some(found) = self.ecs.clusters.get_mut(cluster) else {
            return;
        };
        let Some(own) = found.services.get(service) else {
            return;
        };
        let running = |id: &&String| {
            let task = found.tasks.get(*id);
            task.is_some_and(|task| task.state == TaskState::Running && !task.stopping)
        };
        let tasks: Vec<String> = own.tasks.iter().filter(running).cloned().collect();
        for id in tasks.iter().take(hosts.len()) {
            let Some(task) = found.tasks.get(id) else {
                continue;
            };
            let old = task.host.as_ref();
            if let Some(old) = old.and_then(|old| found.instances.get_mut(old)) {
                old.tasks.remove(id);
                old.ports.retain(|port| !task.ports.contains(port));
            }
        }
        for (id, (instance, host)) in tasks.iter().zip(hosts) {
            let Some(task) = found.tasks.get_mut(id) else {
                continue;
            };
            if let Some(new) = found.instances.get_mut(&host) {
                new.tasks.insert(id.clone());
                new.ports.extend(&task.ports);
            }
            task.host = Some(host);
            task.instance = Some(instance);
        }
        scheduler::check_all(self, cluster);
    }

    /// Draws how long a task of a family takes to start.
    pub(super) fn task_start(&mut self, family: &str) -> Duration {
        let habit = self.ecs.habits.get(family);
        let span = habit.and_then(|habit| habit.start_ms);
        self.chance.span(span.unwrap_or(self.pace.task_ms))
    }

    /// Draws how long a task of a definition takes to stop, which its stop timeout bounds.
    pub(super) fn task_stop(&mut self, definition: &str) -> Duration {
        let found = self.ecs.task_definition(definition);
        let limit = found.map_or(Duration::MAX, |found| found.stop_timeout);
        let habit = found.and_then(|found| self.ecs.habits.get(&found.family));
        let span = habit.and_then(|habit| habit.stop_ms);
        self.chance
            .span(span.unwrap_or(self.pace.task_ms))
            .min(limit)
    }
}
