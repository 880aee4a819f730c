//! Tasks: they start, run and stop.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::hidden::Hidden;
use super::super::world::{self, World};
use super::{Due, drain, health, scheduler};

/// How long a stopped task is still described (ECS API reference: "at least one hour").
const REMEMBERED: Duration = Duration::from_secs(3600);

/// A task's state (`lastStatus`), as far as a roll can notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskState {
    /// Starting.
    Pending,
    /// Up.
    Running,
    /// Gone.
    Stopped,
}

impl TaskState {
    /// Returns ECS's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Task {
    /// The id: 32 hexadecimal digits.
    pub id: String,
    /// The task definition's ARN.
    pub definition: String,
    /// `service:` and its name, or `family:` and its name.
    pub group: String,
    /// The service and the deployment that started it.
    pub service: Option<(String, String)>,
    /// The container instance that it is on; none on Fargate.
    pub host: Option<String>,
    /// The EC2 instance that it is on.
    pub instance: Option<String>,
    /// The host ports that it takes.
    pub ports: BTreeSet<u16>,
    /// The state.
    pub state: TaskState,
    /// Whether it is to stop (`desiredStatus`).
    pub stopping: bool,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it came up.
    pub started: Option<Timestamp>,
    /// Whether it has passed the checks of its load balancers; one that has none passes.
    #[serde(default = "passes")]
    pub healthy: bool,
    /// When it was asked to stop.
    #[serde(default)]
    pub stopping_at: Option<Timestamp>,
    /// Until when its target groups keep it, which is before it is told to stop.
    #[serde(default)]
    pub leaves_at: Option<Timestamp>,
    /// When it went down.
    pub stopped: Option<Timestamp>,
    /// Why.
    pub reason: Option<String>,
    /// The rack API's key, if the task was given one when it was made: a process that runs
    /// does not notice a change of the parameter that it came from.
    #[serde(default)]
    pub(crate) password: Option<Hidden>,
}

/// What is so of a task that nobody checks.
fn passes() -> bool {
    true
}

/// What a task is to be.
pub(super) struct NewTask<'a> {
    /// The task definition's ARN.
    pub(super) definition: &'a str,
    /// The service and its deployment.
    pub(super) service: Option<(&'a str, &'a str)>,
    /// The container instance, none on Fargate.
    pub(super) host: Option<&'a str>,
}

/// Starts a task and returns its id.
pub(super) fn start(world: &mut World, cluster_name: &str, new: &NewTask<'_>) -> Option<String> {
    let id = world.chance.hex(32);
    let family = world.ecs.task_definition(new.definition);
    let family = family.map(|definition| definition.family.clone());
    let span = world.task_start(&family.unwrap_or_default());
    let created = world.now;
    let definition = world.ecs.task_definition(new.definition)?;
    let group = match new.service {
        Some((service, _)) => format!("service:{service}"),
        None => format!("family:{}", definition.family),
    };
    let password = password_for(world, &definition.body);
    let (definition, ports) = (definition.arn.clone(), definition.host_ports.clone());
    let is_checked = new
        .service
        .is_some_and(|(name, _)| !health::groups_of(world, cluster_name, name).is_empty());
    let cluster = world.ecs.clusters.get_mut(cluster_name)?;
    let mut instance = None;
    if let Some(host) = new.host {
        let host = cluster.instances.get_mut(host)?;
        host.tasks.insert(id.clone());
        host.ports.extend(&ports);
        instance = Some(host.instance.clone());
    }
    let service = new
        .service
        .map(|(name, deployment)| (name.to_owned(), deployment.to_owned()));
    if let Some((name, _)) = &service {
        cluster.services.get_mut(name)?.tasks.insert(id.clone());
    }
    let task = Task {
        id: id.clone(),
        definition,
        group,
        service,
        host: new.host.map(str::to_owned),
        instance,
        ports: if new.host.is_some() {
            ports
        } else {
            BTreeSet::new()
        },
        state: TaskState::Pending,
        stopping: false,
        created,
        started: None,
        healthy: !is_checked,
        stopping_at: None,
        leaves_at: None,
        stopped: None,
        reason: None,
        password,
    };
    cluster.tasks.insert(id.clone(), task);
    let due = Due::Started {
        cluster: cluster_name.to_owned(),
        task: id.clone(),
    };
    world.schedule(span, world::Due::Ecs(due));
    Some(id)
}

/// Works out what a task finds as `PASSWORD`: a variable of its definition, or a secret that
/// names a parameter by its ARN.
fn password_for(world: &World, definition: &Value) -> Option<Hidden> {
    let containers = definition.get("containerDefinitions")?.as_array()?;
    containers.iter().find_map(|container| {
        let named = |list: &str| {
            let entries = container.get(list)?.as_array()?;
            entries.iter().find(|entry| entry["name"] == "PASSWORD")
        };
        if let Some(variable) = named("environment") {
            return variable["value"].as_str().map(Hidden::new);
        }
        let from = named("secrets")?["valueFrom"].as_str()?;
        let name = from
            .rsplit_once(":parameter/")
            .map_or(from, |(_, name)| name);
        world.ssm_value(name).map(Hidden::new)
    })
}

pub(super) fn on_started(world: &mut World, cluster_name: &str, id: &str) {
    let now = world.now;
    let group = world
        .ecs
        .clusters
        .get(cluster_name)
        .and_then(|cluster| cluster.tasks.get(id))
        .filter(|task| !task.stopping && task.state == TaskState::Pending)
        .map(|task| task.group.clone());
    if group.is_some_and(|group| world.task_fails(&group)) {
        end(
            world,
            cluster_name,
            id,
            "Essential container in task exited",
        );
        return;
    }
    let Some(cluster) = world.ecs.clusters.get_mut(cluster_name) else {
        return;
    };
    let Some(task) = cluster.tasks.get_mut(id) else {
        return;
    };
    if task.stopping || task.state != TaskState::Pending {
        return;
    }
    task.state = TaskState::Running;
    task.started = Some(now);
    if let Some((service, _)) = task.service.clone() {
        health::on_running(world, cluster_name, id, &service);
        scheduler::check_soon(world, cluster_name, &service);
    }
}

/// Asks a task to stop, once its target groups have let it go; one that is stopping or stopped is
/// left alone.
pub(super) fn stop(world: &mut World, cluster_name: &str, id: &str, reason: &str) {
    let now = world.now;
    let cluster = world.ecs.clusters.get(cluster_name);
    let task = cluster.and_then(|cluster| cluster.tasks.get(id));
    let definition = task.map(|task| task.definition.clone());
    let kept = task.map_or(Duration::ZERO, |task| {
        health::leaving(world, cluster_name, task)
    });
    let span = world.task_stop(&definition.unwrap_or_default());
    let Some(cluster) = world.ecs.clusters.get_mut(cluster_name) else {
        return;
    };
    let Some(task) = cluster.tasks.get_mut(id) else {
        return;
    };
    if task.stopping {
        return;
    }
    task.stopping = true;
    task.stopping_at = Some(now);
    task.leaves_at = now.checked_add(kept).ok().filter(|_| !kept.is_zero());
    task.reason = Some(reason.to_owned());
    let due = Due::Stopped {
        cluster: cluster_name.to_owned(),
        task: id.to_owned(),
    };
    world.schedule(kept + span, world::Due::Ecs(due));
}

pub(super) fn on_stopped(world: &mut World, cluster: &str, id: &str) {
    end(world, cluster, id, "");
}

/// Ends a task at once; a reason given before stays.
pub(super) fn end(world: &mut World, cluster_name: &str, id: &str, reason: &str) {
    let now = world.now;
    let Some(cluster) = world.ecs.clusters.get_mut(cluster_name) else {
        return;
    };
    let Some(task) = cluster.tasks.get_mut(id) else {
        return;
    };
    if task.state == TaskState::Stopped {
        return;
    }
    task.state = TaskState::Stopped;
    task.stopping = true;
    task.stopped = Some(now);
    task.reason.get_or_insert_with(|| reason.to_owned());
    let instance = task.instance.clone();
    if let Some(host) = task
        .host
        .as_ref()
        .and_then(|host| cluster.instances.get_mut(host))
    {
        host.tasks.remove(id);
        for port in &task.ports {
            host.ports.remove(port);
        }
    }
    if let Some((service, _)) = &task.service
        && let Some(service) = cluster.services.get_mut(service)
    {
        service.tasks.remove(id);
    }
    let due = Due::Forgotten {
        cluster: cluster_name.to_owned(),
        task: id.to_owned(),
    };
    world.schedule(REMEMBERED, world::Due::Ecs(due));
    // What it leaves free may be what any service was waiting for.
    scheduler::check_all(world, cluster_name);
    if let Some(instance) = instance {
        drain::on_task_ended(world, &instance, id);
    }
}
