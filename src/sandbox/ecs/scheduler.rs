//! The service scheduler: what to start, where, and what to stop meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::world::{self, World};
use super::tasks::{self, NewTask, Task, TaskState};
use super::{Cluster, Due, Service};

/// How soon a service looks after something has changed.
const SOON: Duration = Duration::from_secs(1);

/// Lets a service look soon.
pub(super) fn check_soon(world: &mut World, cluster: &str, name: &str) {
    let Some(service) = world
        .ecs
        .clusters
        .get_mut(cluster)
        .and_then(|found| found.services.get_mut(name))
    else {
        return;
    };
    if !service.check_due {
        service.check_due = true;
        let due = Due::Check {
            cluster: cluster.to_owned(),
            service: name.to_owned(),
        };
        world.schedule(SOON, world::Due::Ecs(due));
    }
}

/// Lets every service of a cluster look soon.
pub(super) fn check_all(world: &mut World, cluster: &str) {
    let Some(found) = world.ecs.clusters.get(cluster) else {
        return;
    };
    let due: Vec<String> = found
        .services
        .values()
        .filter(|service| !service.check_due)
        .map(|service| service.name.clone())
        .collect();
    for name in due {
        check_soon(world, cluster, &name);
    }
}

/// How a service's tasks stand.
#[derive(Default)]
struct Census {
    /// Tasks of the primary deployment, where they can stay.
    good: Vec<String>,
    /// How many of those are healthy.
    good_healthy: u64,
    /// Tasks of older deployments that run.
    outdated: Vec<String>,
    /// Tasks on draining instances that run.
    draining: Vec<String>,
    /// Tasks that have not passed the checks of their load balancers.
    unhealthy: BTreeSet<String>,
    /// Tasks that nobody wants and that have not come up.
    unborn: Vec<String>,
    /// How many tasks are on each container instance.
    spread: BTreeMap<String, u64>,
}

impl Census {
    fn take(cluster: &Cluster, service: &Service) -> Self {
        let primary = service
            .deployments
            .first()
            .map(|primary| primary.id.as_str());
        let mut census = Self::default();
        for task in service.tasks.iter().filter_map(|id| cluster.tasks.get(id)) {
            if let Some(host) = &task.host {
                *census.spread.entry(host.clone()).or_default() += 1;
            }
            if task.stopping {
                continue;
            }
            let runs = task.state == TaskState::Running;
            if !task.healthy {
                census.unhealthy.insert(task.id.clone());
            }
            let is_current = task
                .service
                .as_ref()
                .is_some_and(|(_, deployment)| Some(&**deployment) == primary);
            if is_draining(cluster, task) {
                let list = if runs {
                    &mut census.draining
                } else {
                    &mut census.unborn
                };
                list.push(task.id.clone());
            } else if is_current {
                census.good.push(task.id.clone());
                census.good_healthy += u64::from(task.is_healthy());
            } else {
                let list = if runs {
                    &mut census.outdated
                } else {
                    &mut census.unborn
                };
                list.push(task.id.clone());
            }
        }
        census
    }

    fn healthy(&self) -> u64 {
        let others = self.outdated.iter().chain(&self.draining);
        let others = others.filter(|id| !self.unhealthy.contains(*id));
        self.good_healthy + u64::try_from(others.count()).unwrap_or(u64::MAX)
    }

    fn total(&self) -> u64 {
        count(&self.good) + count(&self.outdated) + count(&self.draining)
    }
}

fn count(list: &[String]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn is_draining(cluster: &Cluster, task: &Task) -> bool {
    let host = task
        .host
        .as_ref()
        .and_then(|host| cluster.instances.get(host));
    host.is_some_and(|host| host.draining)
}

/// Looks at a service once: starts what it lacks and stops what it does not need.
///
/// A deployment keeps what it wants running and goes below, down to the least healthy percent,
/// only when a new task has no place otherwise; draining goes below at once. So ECS's
/// documentation has it for rolling updates and for container instance draining. Behind load
/// balancers only tasks count that have passed the checks.
pub(super) fn check(world: &mut World, cluster_name: &str, name: &str) {
    let Some(cluster) = world.ecs.clusters.get_mut(cluster_name) else {
        return;
    };
    let Some(service) = cluster.services.get_mut(name) else {
        return;
    };
    service.check_due = false;
    let (daemon, fargate) = (service.daemon, service.launch_type == "FARGATE");
    let (min_percent, max_percent) = (service.min_percent, service.max_percent);
    let mut wanted = service.desired;
    let Some(primary) = service.deployments.first().cloned() else {
        return;
    };
    if daemon {
        let takes = |host: &&super::ContainerInstance| !host.draining;
        wanted = u64::try_from(cluster.instances.values().filter(takes).count()).unwrap_or(0);
    }
    let Some(service) = cluster.services.get(name) else {
        return;
    };
    let mut census = Census::take(cluster, service);
    let least = (wanted * min_percent).div_ceil(100);
    let most = wanted * max_percent / 100;

    let lacks = wanted.saturating_sub(count(&census.good));
    let room = most.saturating_sub(census.total());
    let mut blocked = lacks > room;
    let mut started = Vec::new();
    for _ in 0..lacks.min(room) {
        let mut host = None;
        if !fargate {
            host = place(
                world,
                cluster_name,
                &primary.definition,
                &census.spread,
                daemon,
            );
            if host.is_none() {
                blocked = true;
                break;
            }
        }
        let new = NewTask {
            definition: &primary.definition,
            service: Some((name, &primary.id)),
            host: host.as_deref(),
        };
        let Some(task) = tasks::start(world, cluster_name, &new) else {
            break;
        };
        if let Some(host) = host {
            *census.spread.entry(host).or_default() += 1;
        }
        started.push(task);
    }

    let surplus = count(&census.good).saturating_sub(wanted);
    let mut stopped = std::mem::take(&mut census.unborn);
    let mut healthy = census.healthy();
    let surplus = usize::try_from(surplus).unwrap_or(usize::MAX);
    let passes = |task: &String| !census.unhealthy.contains(task);
    let mut last: Vec<&String> = census.good.iter().rev().collect();
    last.sort_by_key(|task| passes(task));
    for task in last.into_iter().take(surplus) {
        stopped.push(task.clone());
        healthy = healthy.saturating_sub(u64::from(passes(task)));
    }
    let floor = if blocked { least } else { wanted.max(least) };
    let unwanted = census.draining.iter().map(|task| (task, least));
    for (task, floor) in unwanted.chain(census.outdated.iter().map(|task| (task, floor))) {
        // One that is not healthy is not missed once enough others are.
        if !passes(task) && healthy >= floor {
            stopped.push(task.clone());
        } else if passes(task) && healthy > floor {
            stopped.push(task.clone());
            healthy -= 1;
        }
    }
    for task in &stopped {
        let reason = format!("Scaling activity initiated by (deployment {})", primary.id);
        tasks::stop(world, cluster_name, task, &reason);
    }
    let is_steady = started.is_empty()
        && stopped.is_empty()
        && census.good_healthy == wanted
        && census.total() == wanted;
    report(
        world,
        cluster_name,
        name,
        &Seen {
            started,
            stopped,
            blocked,
            is_steady,
        },
    );
}

/// What one look at a service came to.
struct Seen {
    started: Vec<String>,
    stopped: Vec<String>,
    blocked: bool,
    is_steady: bool,
}

/// Tells in the service's events what was done.
fn report(world: &mut World, cluster: &str, name: &str, seen: &Seen) {
    let World {
        now, chance, ecs, ..
    } = world;
    let now = *now;
    let Some(service) = ecs
        .clusters
        .get_mut(cluster)
        .and_then(|found| found.services.get_mut(name))
    else {
        return;
    };
    let list = |ids: &[String]| {
        ids.iter()
            .map(|id| format!("(task {id})"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    if !seen.started.is_empty() {
        let what = format!(
            "has started {} tasks: {}.",
            seen.started.len(),
            list(&seen.started)
        );
        service.tell(chance.uuid(), now, &what);
        service.told_no_place = false;
    }
    if !seen.stopped.is_empty() {
        let what = format!(
            "has stopped {} running tasks: {}.",
            seen.stopped.len(),
            list(&seen.stopped)
        );
        service.tell(chance.uuid(), now, &what);
    }
    if seen.blocked && seen.stopped.is_empty() && !service.told_no_place {
        service.told_no_place = true;
        let what = "was unable to place a task because no container instance met all of its \
                    requirements.";
        service.tell(chance.uuid(), now, what);
    }
    if !seen.is_steady {
        service.steady = false;
    } else if !service.steady || service.deployments.len() > 1 {
        service.steady = true;
        service.told_no_place = false;
        service.deployments.truncate(1);
        if let Some(primary) = service.deployments.first_mut()
            && !primary.completed
        {
            primary.completed = true;
            primary.updated = now;
        }
        service.tell(chance.uuid(), now, "has reached a steady state.");
    }
}

/// Finds the container instance with the fewest tasks that has the ports free.
fn place(
    world: &World,
    cluster: &str,
    definition: &str,
    spread: &BTreeMap<String, u64>,
    daemon: bool,
) -> Option<String> {
    let definition = world.ecs.task_definition(definition)?;
    let (ports, needs) = (&definition.host_ports, definition.needs);
    let cluster = world.ecs.clusters.get(cluster)?;
    let has_room = |host: &super::ContainerInstance| {
        let taken = world.ecs.taken(cluster, host);
        taken.plus(needs).fits(cluster.room)
    };
    let own = |id: &str| spread.get(id).copied().unwrap_or(0);
    cluster
        .instances
        .values()
        .filter(|host| !host.draining && host.ports.is_disjoint(ports))
        .filter(|host| !daemon || own(&host.id) == 0)
        .filter(|host| has_room(host))
        .min_by_key(|host| (own(&host.id), host.tasks.len()))
        .map(|host| host.id.clone())
}

/// Finds a place for a task that belongs to no service.
pub(super) fn place_one(world: &World, cluster: &str, definition: &str) -> Option<String> {
    place(world, cluster, definition, &BTreeMap::new(), false)
}
