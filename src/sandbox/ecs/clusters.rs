//! Clusters and the container instances that join and leave them.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::world::World;
use super::services::Service;
use super::tasks::{self, Task};
use super::{Ecs, scheduler};

/// A cluster.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cluster {
    /// The name.
    pub name: String,
    /// Container instances, by id.
    pub instances: BTreeMap<String, ContainerInstance>,
    /// Services, by name.
    pub services: BTreeMap<String, Service>,
    /// Tasks, by id, those that stopped within the last hour included.
    pub tasks: BTreeMap<String, Task>,
    /// What each of its instances has to give.
    #[serde(default)]
    pub room: Room,
}

/// What an instance has to give, or what tasks take of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Room {
    /// CPU units.
    pub cpu: u64,
    /// MiB of memory.
    pub memory: u64,
}

impl Default for Room {
    /// A t3.small, as its agent registers it.
    fn default() -> Self {
        Self {
            cpu: 2_048,
            memory: 1_954,
        }
    }
}

impl Room {
    /// What nothing takes.
    pub(super) const NONE: Self = Self { cpu: 0, memory: 0 };

    /// Adds what another takes.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            cpu: self.cpu.saturating_add(other.cpu),
            memory: self.memory.saturating_add(other.memory),
        }
    }

    /// Tells whether all of it is to be had of `whole`.
    pub(super) fn fits(self, whole: Self) -> bool {
        self.cpu <= whole.cpu && self.memory <= whole.memory
    }
}

/// An EC2 instance as a cluster sees it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ContainerInstance {
    /// The id: 32 hexadecimal digits.
    pub id: String,
    /// The EC2 instance.
    pub instance: String,
    /// Whether it takes no more tasks and gives away those of services.
    pub draining: bool,
    /// When it joined.
    pub registered: Timestamp,
    /// The tasks on it that have not stopped.
    pub tasks: BTreeSet<String>,
    /// The host ports that are taken.
    pub ports: BTreeSet<u16>,
}

impl Ecs {
    /// Returns a cluster by its name.
    #[must_use]
    pub fn cluster(&self, name: &str) -> Option<&Cluster> {
        self.clusters.get(name)
    }

    /// Goes through the clusters, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// Returns the container instance that an EC2 instance is, and its cluster.
    #[must_use]
    pub fn host(&self, instance: &str) -> Option<(&Cluster, &ContainerInstance)> {
        let (cluster, id) = self.hosts.get(instance)?;
        let cluster = self.clusters.get(cluster)?;
        Some((cluster, cluster.instances.get(id)?))
    }

    /// Adds up what the tasks of a container instance take of it.
    pub(super) fn taken(&self, cluster: &Cluster, host: &ContainerInstance) -> Room {
        let tasks = host.tasks.iter().filter_map(|id| cluster.tasks.get(id));
        let needs = tasks.filter_map(|task| Some(self.task_definition(&task.definition)?.needs));
        needs.fold(Room::NONE, Room::plus)
    }

    pub(super) fn host_mut(&mut self, instance: &str) -> Option<&mut ContainerInstance> {
        let (cluster, id) = self.hosts.get(instance)?;
        self.clusters.get_mut(cluster)?.instances.get_mut(id)
    }
}

impl World {
    /// Makes a cluster and returns its name. Instances whose boot script names it join it.
    pub fn create_cluster(&mut self, name: &str) -> String {
        self.ecs
            .clusters
            .entry(name.to_owned())
            .or_insert_with(|| Cluster {
                name: name.to_owned(),
                instances: BTreeMap::new(),
                services: BTreeMap::new(),
                tasks: BTreeMap::new(),
                room: Room::default(),
            });
        name.to_owned()
    }

    /// Deletes a cluster.
    pub fn delete_cluster(&mut self, name: &str) {
        self.ecs.clusters.remove(name);
        self.ecs.hosts.retain(|_, (cluster, _)| cluster != name);
    }

    /// Makes a container instance drain, or take tasks again; its services look at once.
    pub(super) fn set_draining(&mut self, instance: &str, draining: bool) {
        let Some((cluster, _)) = self.ecs.hosts.get(instance).cloned() else {
            return;
        };
        if let Some(host) = self.ecs.host_mut(instance) {
            host.draining = draining;
        }
        scheduler::check_all(self, &cluster);
    }

    /// Takes a container instance out of its cluster; its tasks count as stopped.
    pub(super) fn deregister(&mut self, instance: &str, reason: &str) {
        let Some((name, id)) = self.ecs.hosts.remove(instance) else {
            return;
        };
        let Some(cluster) = self.ecs.clusters.get_mut(&name) else {
            return;
        };
        let Some(host) = cluster.instances.remove(&id) else {
            return;
        };
        for task in host.tasks {
            tasks::end(self, &name, &task, reason);
        }
        scheduler::check_all(self, &name);
    }
}

/// An instance's boot script has ended: it joins the cluster that the script names.
///
/// A script that names none joins the account's only cluster, if it has one.
pub(crate) fn on_instance_booted(world: &mut World, instance: &str, cluster: Option<&str>) {
    let name = match cluster {
        Some(name) => name.to_owned(),
        None => match world.ecs.clusters.keys().next() {
            Some(only) if world.ecs.clusters.len() == 1 => only.clone(),
            _ => return,
        },
    };
    let id = world.chance.hex(32);
    let registered = world.now;
    let Some(cluster) = world.ecs.clusters.get_mut(&name) else {
        return;
    };
    let host = ContainerInstance {
        id: id.clone(),
        instance: instance.to_owned(),
        draining: false,
        registered,
        tasks: BTreeSet::new(),
        ports: BTreeSet::new(),
    };
    cluster.instances.insert(id.clone(), host);
    world
        .ecs
        .hosts
        .insert(instance.to_owned(), (name.clone(), id));
    scheduler::check_all(world, &name);
}

/// An instance goes away: its tasks stop with it.
pub(crate) fn on_instance_lost(world: &mut World, instance: &str) {
    world.ecs.drains.remove(instance);
    world.deregister(
        instance,
        &format!("Host EC2 (instance {instance}) terminated."),
    );
}
