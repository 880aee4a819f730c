//! What an ECS cluster runs and where, by list and describe calls only.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecs::types::{
    ContainerDefinition, ContainerInstance, ContainerInstanceStatus, DesiredStatus, Failure,
    LaunchType, ManagedDraining, NetworkMode, SchedulingStrategy, Service, Task,
};

use futures_util::stream::{self, StreamExt as _};

use super::account::Clients;
use super::error::Call;
use super::services::{TASKS_AT_ONCE, count_of};
use super::stacks::timestamp_of;
use crate::rack::{
    Cluster, ClusterDefinition, ClusterHost, ClusterService, ClusterTask, HostLoad, PortError,
};

/// How many task definitions are asked for at a time.
const DEFINITIONS_AT_ONCE: usize = 8;
/// How many container instances one `UpdateContainerInstancesState` takes (ECS API reference).
const HOSTS_AT_ONCE: usize = 10;

/// Lists one thing of a cluster, page by page.
macro_rules! every {
    ($request:expr, $items:ident, $call:expr) => {{
        let mut found = Vec::new();
        let mut token = None;
        loop {
            let page = $request.set_next_token(token).send().await;
            let page = page.map_err(|error| $call.failed(error))?;
            found.extend(page.$items.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        found
    }};
}

/// Reads a cluster.
pub(super) async fn read(
    clients: &Clients,
    cluster: &str,
    services: Vec<Service>,
) -> Result<Cluster, PortError> {
    let what = format!("cluster {cluster}");
    let mut unread = Vec::new();
    let (hosts, running, stopped, managed_draining) = tokio::join!(
        hosts(clients, cluster, &what),
        tasks(clients, cluster, &what, DesiredStatus::Running),
        tasks(clients, cluster, &what, DesiredStatus::Stopped),
        managed_draining(clients, cluster),
    );
    let (hosts, instances) = as_far_as(hosts, "its instances", &mut unread)?;
    let running = as_far_as(running, "its tasks", &mut unread)?;
    let mut read = Cluster {
        name: cluster.to_owned(),
        hosts,
        services: services.into_iter().map(service_of).collect(),
        tasks: running
            .into_iter()
            .map(|task| task_of(task, &instances))
            .collect(),
        // A bonus: who may list tasks may list these.
        stops: stopped
            .unwrap_or_default()
            .iter()
            .filter_map(stop_of)
            .collect(),
        definitions: Vec::new(),
        managed_draining,
        unread,
        target_groups: Vec::new(),
        health_unread: Vec::new(),
    };
    let named = read.services.iter().map(|service| &service.definition);
    let named = named.chain(read.tasks.iter().map(|task| &task.definition));
    let named: BTreeSet<String> = named.cloned().collect();
    let asked = stream::iter(named).map(|arn| definition(clients, arn));
    let told: Vec<_> = asked.buffered(DEFINITIONS_AT_ONCE).collect().await;
    for definition in told {
        let what = "a task definition";
        let known = as_far_as(definition.map(Some), what, &mut read.unread)?;
        read.definitions.extend(known);
    }
    Ok(read)
}

/// Says what is left on every instance of a cluster.
pub(super) async fn loads(clients: &Clients, cluster: &str) -> Result<Vec<HostLoad>, PortError> {
    let what = format!("cluster {cluster}");
    let ((mut hosts, mut instances), mut left) = tokio::try_join!(
        hosts(clients, cluster, &what),
        tasks(clients, cluster, &what, DesiredStatus::Running),
    )?;
    // Only afterwards: a task that is asked to stop meanwhile is in both lists, and not in none.
    left.extend(tasks(clients, cluster, &what, DesiredStatus::Stopped).await?);
    // A list may be behind: what has a task is there, whether or not it is listed.
    let unlisted = unknown_hosts(&instances, &left);
    if !unlisted.is_empty() {
        let (found, named) = described(clients, cluster, &what, &unlisted).await?;
        hosts.extend(found);
        instances.extend(named);
    }
    if let Some(arn) = unknown_hosts(&instances, &left).into_iter().next() {
        return Err(PortError::Unanswered {
            api: "DescribeContainerInstances",
            message: format!("{arn} has a task, and no instance"),
        });
    }
    Ok(loads_of(&hosts, &instances, &left))
}

/// Lists the container instances that have a task and of which nobody said which instance they are.
fn unknown_hosts(instances: &BTreeMap<String, String>, tasks: &[Task]) -> Vec<String> {
    let tasks = tasks.iter().filter(|task| !has_stopped(task));
    let named = tasks.filter_map(|task| task.container_instance_arn.as_ref());
    let unknown: BTreeSet<&String> = named.filter(|arn| !instances.contains_key(*arn)).collect();
    unknown.into_iter().cloned().collect()
}

fn has_stopped(task: &Task) -> bool {
    task.last_status.as_deref() == Some("STOPPED")
}

/// Counts what is left on each host. A host's own count knows of no task that is being stopped, and
/// the list of tasks may be behind: the larger of the two is believed.
fn loads_of(
    hosts: &[ClusterHost],
    instances: &BTreeMap<String, String>,
    tasks: &[Task],
) -> Vec<HostLoad> {
    let load = |host: &ClusterHost| {
        let own = tasks.iter().filter(|task| {
            let arn = task.container_instance_arn.as_ref();
            arn.and_then(|arn| instances.get(arn)) == Some(&host.instance) && !has_stopped(task)
        });
        let (of_services, alone): (Vec<_>, Vec<_>) = own
            .map(|task| service_in(task.group.as_deref()))
            .partition(Option::is_some);
        let number = |tasks: &[Option<String>]| u32::try_from(tasks.len()).unwrap_or(u32::MAX);
        let (counted, alone) = (number(&of_services), number(&alone));
        let services: BTreeSet<String> = of_services.into_iter().flatten().collect();
        HostLoad {
            instance: host.instance.clone(),
            is_draining: host.is_draining,
            tasks: counted.max(host.tasks.saturating_sub(alone)),
            services: services.into_iter().collect(),
            alone,
        }
    };
    hosts.iter().map(load).collect()
}

/// Takes nothing for what cannot be read, with a word of why; the lack of an answer stays an error,
/// since it can be asked again.
pub(super) fn as_far_as<T: Default>(
    read: Result<T, PortError>,
    what: &str,
    unread: &mut Vec<String>,
) -> Result<T, PortError> {
    match read {
        Err(error) if !error.is_transient() => {
            let words = format!("{what}: {error}");
            if !unread.contains(&words) {
                unread.push(words);
            }
            Ok(T::default())
        }
        read => read,
    }
}

/// Returns the container instances, and which EC2 instance each is by its ARN.
async fn hosts(
    clients: &Clients,
    cluster: &str,
    what: &str,
) -> Result<(Vec<ClusterHost>, BTreeMap<String, String>), PortError> {
    let call = Call::new("ecs", "ListContainerInstances", what);
    let ecs = clients.ecs();
    let arns = every!(
        ecs.list_container_instances().cluster(cluster),
        container_instance_arns,
        call
    );
    described(clients, cluster, what, &arns).await
}

/// Returns the same of container instances that are named; those that are gone are left out.
async fn described(
    clients: &Clients,
    cluster: &str,
    what: &str,
    arns: &[String],
) -> Result<(Vec<ClusterHost>, BTreeMap<String, String>), PortError> {
    let call = Call::new("ecs", "DescribeContainerInstances", what);
    let (mut hosts, mut instances) = (Vec::new(), BTreeMap::new());
    for arns in arns.chunks(TASKS_AT_ONCE) {
        let answer = clients.ecs().describe_container_instances();
        let answer = answer.cluster(cluster);
        let answer = answer.set_container_instances(Some(arns.to_vec()));
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        check_whole("DescribeContainerInstances", answer.failures())?;
        for host in answer.container_instances.unwrap_or_default() {
            let arn = host.container_instance_arn.clone().unwrap_or_default();
            instances.insert(arn, host.ec2_instance_id.clone().unwrap_or_default());
            hosts.push(host_of(host));
        }
    }
    Ok((hosts, instances))
}

/// Refuses an answer that leaves out what is there: only what is `MISSING` is not (ECS developer
/// guide, "API failure reasons").
fn check_whole(api: &'static str, failures: &[Failure]) -> Result<(), PortError> {
    let is_gone = |failure: &&Failure| failure.reason.as_deref() == Some("MISSING");
    let Some(failure) = failures.iter().find(|failure| !is_gone(failure)) else {
        return Ok(());
    };
    let reason = failure.reason.clone().unwrap_or_default();
    let arn = failure.arn.clone().unwrap_or_default();
    let detail = failure.detail.as_deref();
    let detail = detail.map(|detail| format!(": {detail}"));
    Err(PortError::Rejected {
        api,
        code: reason,
        message: format!("nothing is told of {arn}{}", detail.unwrap_or_default()),
    })
}

/// Has a cluster move the tasks of services away from EC2 instances, or give these tasks again.
pub(super) async fn drain(
    clients: &Clients,
    cluster: &str,
    instances: &[String],
    draining: bool,
) -> Result<(), PortError> {
    let what = format!("cluster {cluster}");
    let (_, known) = hosts(clients, cluster, &what).await?;
    let named = known.into_iter();
    let named = named.filter(|(_, instance)| instances.contains(instance));
    let arns: Vec<String> = named.map(|(arn, _)| arn).collect();
    let call = Call::new("ecs", "UpdateContainerInstancesState", &what);
    let status = if draining {
        ContainerInstanceStatus::Draining
    } else {
        ContainerInstanceStatus::Active
    };
    for arns in arns.chunks(HOSTS_AT_ONCE) {
        let asked = clients.ecs().update_container_instances_state();
        let answer = asked
            .cluster(cluster)
            .set_container_instances(Some(arns.to_vec()))
            .status(status.clone())
            .send()
            .await;
        answer.map(drop).map_err(|error| call.failed(error))?;
    }
    Ok(())
}

async fn tasks(
    clients: &Clients,
    cluster: &str,
    what: &str,
    status: DesiredStatus,
) -> Result<Vec<Task>, PortError> {
    let call = Call::new("ecs", "ListTasks", what);
    let ecs = clients.ecs();
    let arns = every!(
        ecs.list_tasks()
            .cluster(cluster)
            .desired_status(status.clone()),
        task_arns,
        call
    );
    let call = Call::new("ecs", "DescribeTasks", what);
    let mut tasks = Vec::new();
    for arns in arns.chunks(TASKS_AT_ONCE) {
        let answer = ecs.describe_tasks().cluster(cluster);
        let answer = answer.set_tasks(Some(arns.to_vec())).send().await;
        let answer = answer.map_err(|error| call.failed(error))?;
        check_whole("DescribeTasks", answer.failures())?;
        tasks.extend(answer.tasks.unwrap_or_default());
    }
    Ok(tasks)
}

async fn definition(clients: &Clients, arn: String) -> Result<ClusterDefinition, PortError> {
    let what = format!("task definition {arn}");
    let call = Call::new("ecs", "DescribeTaskDefinition", &what);
    let answer = clients
        .ecs()
        .describe_task_definition()
        .task_definition(&arn);
    let answer = answer.send().await.map_err(|error| call.failed(error))?;
    let definition = answer.task_definition;
    let is_own_host = definition.as_ref().and_then(|it| it.network_mode.as_ref());
    let (own_address, hosts_network) = (
        is_own_host == Some(&NetworkMode::Awsvpc),
        is_own_host == Some(&NetworkMode::Host),
    );
    let containers = definition.map(|it| it.container_definitions.unwrap_or_default());
    let containers = containers.unwrap_or_default();
    let ports = containers.iter().flat_map(|it| it.port_mappings());
    let ports = ports.filter_map(|mapping| {
        let port = if hosts_network {
            mapping.container_port
        } else {
            mapping.host_port
        };
        port.and_then(|port| u16::try_from(port).ok())
    });
    let reserved = |of: fn(&ContainerDefinition) -> i32| {
        containers.iter().map(|it| count_of(of(it))).sum::<u32>()
    };
    Ok(ClusterDefinition {
        host_ports: ports.filter(|port| *port != 0 && !own_address).collect(),
        stop_timeout_secs: containers
            .iter()
            .filter_map(|it| it.stop_timeout.map(count_of))
            .max(),
        cpu: reserved(|it| it.cpu),
        memory: reserved(|it| it.memory_reservation.or(it.memory).unwrap_or(0)),
        arn,
    })
}

/// Asks whether a capacity provider of the cluster has ECS drain instances; `None` when nobody
/// may be asked.
async fn managed_draining(clients: &Clients, cluster: &str) -> Option<bool> {
    let answer = clients.ecs().describe_clusters().clusters(cluster);
    let found = answer.send().await.ok()?.clusters?.into_iter().next()?;
    let names = found.capacity_providers.unwrap_or_default();
    if names.is_empty() {
        return Some(false);
    }
    let answer = clients.ecs().describe_capacity_providers();
    let answer = answer.set_capacity_providers(Some(names)).send().await;
    let providers = answer.ok()?.capacity_providers.unwrap_or_default();
    Some(providers.into_iter().any(|provider| {
        let group = provider.auto_scaling_group_provider;
        group.and_then(|it| it.managed_draining) == Some(ManagedDraining::Enabled)
    }))
}

fn service_of(service: Service) -> ClusterService {
    let deployment = service.deployment_configuration.as_ref();
    let least = deployment.and_then(|config| config.minimum_healthy_percent);
    let most = deployment.and_then(|config| config.maximum_percent);
    let balancers = service.load_balancers().iter();
    // ECS says nothing as an empty text at times.
    let named = |name: &Option<String>| name.clone().filter(|name| !name.is_empty());
    ClusterService {
        target_groups: balancers
            .clone()
            .filter_map(|it| named(&it.target_group_arn))
            .collect(),
        classic_balancers: balancers
            .filter_map(|it| named(&it.load_balancer_name))
            .collect(),
        desired: count_of(service.desired_count),
        running: count_of(service.running_count),
        minimum_healthy_percent: least.map(count_of),
        maximum_percent: most.map(count_of),
        is_daemon: service.scheduling_strategy == Some(SchedulingStrategy::Daemon),
        is_fargate: is_fargate(&service),
        health_check_grace_secs: service.health_check_grace_period_seconds.map(count_of),
        definition: service.task_definition.unwrap_or_default(),
        name: service.service_name.unwrap_or_default(),
    }
}

/// Tells whether a service's tasks are on Fargate, which a service with a strategy of capacity
/// providers says by their names (ECS API reference: it has no launch type then).
fn is_fargate(service: &Service) -> bool {
    let mut providers = service.capacity_provider_strategy().iter();
    let on_fargate = |name: &str| name == "FARGATE" || name == "FARGATE_SPOT";
    match &service.launch_type {
        Some(kind) => *kind == LaunchType::Fargate,
        None => {
            service.platform_version.is_some()
                || providers.any(|provider| on_fargate(provider.capacity_provider()))
        }
    }
}

fn task_of(task: Task, instances: &BTreeMap<String, String>) -> ClusterTask {
    let host = task.container_instance_arn;
    ClusterTask {
        service: service_in(task.group.as_deref()),
        definition: task.task_definition_arn.unwrap_or_default(),
        instance: host.and_then(|host| instances.get(&host).cloned()),
        is_running: task.last_status.as_deref() == Some("RUNNING"),
        created_at: task.created_at.as_ref().and_then(timestamp_of),
        started_at: task.started_at.as_ref().and_then(timestamp_of),
        id: task.task_arn.unwrap_or_default(),
    }
}

fn service_in(group: Option<&str>) -> Option<String> {
    group?.strip_prefix("service:").map(str::to_owned)
}

/// Returns whose a stopped task was, and how long it took from being asked to stop.
fn stop_of(task: &Task) -> Option<(String, u64)> {
    let asked = task.stopping_at.as_ref().and_then(timestamp_of)?;
    let stopped = task.stopped_at.as_ref().and_then(timestamp_of)?;
    let took = stopped.as_millisecond() - asked.as_millisecond();
    Some((
        service_in(task.group.as_deref())?,
        u64::try_from(took).ok()?,
    ))
}

fn host_of(host: ContainerInstance) -> ClusterHost {
    let resource = |name: &str| {
        let mut resources = host.registered_resources().iter();
        let found = resources.find(|resource| resource.name.as_deref() == Some(name));
        found.map_or(0, |resource| count_of(resource.integer_value))
    };
    ClusterHost {
        is_draining: host.status.as_deref() == Some("DRAINING"),
        registered_at: host.registered_at.as_ref().and_then(timestamp_of),
        cpu: resource("CPU"),
        memory: resource("MEMORY"),
        tasks: count_of(host.running_tasks_count) + count_of(host.pending_tasks_count),
        instance: host.ec2_instance_id.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ecs::types::CapacityProviderStrategyItem;

    use super::*;

    #[test]
    fn fargate_is_told_by_launch_type_provider_or_platform() {
        let service = Service::builder;
        let by = |provider: &str| {
            let item = CapacityProviderStrategyItem::builder().capacity_provider(provider);
            service().capacity_provider_strategy(item.build().unwrap())
        };
        for (service, expected) in [
            (service(), false),
            (service().launch_type(LaunchType::Ec2), false),
            (service().launch_type(LaunchType::Fargate), true),
            (by("FARGATE_SPOT"), true),
            (by("FARGATE"), true),
            (by("prod-instances"), false),
            (service().platform_version("1.4.0"), true),
        ] {
            let service = service.build();
            assert_eq!(is_fargate(&service), expected, "{service:?}");
        }
    }

    #[test]
    fn a_task_that_is_being_stopped_is_still_on_its_host() {
        let hosts = [host_of(
            ContainerInstance::builder()
                .ec2_instance_id("i-1")
                .status("DRAINING")
                .running_tasks_count(1)
                .build(),
        )];
        let instances = BTreeMap::from([("arn:1".to_owned(), "i-1".to_owned())]);
        let task = |group: &str, last: &str| {
            let task = Task::builder().container_instance_arn("arn:1");
            task.group(group).last_status(last).build()
        };
        let load = |tasks: &[Task]| {
            let load = &loads_of(&hosts, &instances, tasks)[0];
            (load.tasks, load.alone)
        };
        let (web, alone) = ("service:web", "family:once");
        // ECS counts one that runs, which the list may not show yet.
        assert_eq!(load(&[]), (1, 0));
        assert_eq!(load(&[task(alone, "RUNNING")]), (0, 1));
        assert_eq!(
            load(&[task(alone, "RUNNING"), task(web, "DEACTIVATING")]),
            (1, 1)
        );
        assert_eq!(load(&[task(web, "RUNNING"), task(web, "STOPPING")]), (2, 0));
        assert_eq!(
            load(&[task(alone, "RUNNING"), task(web, "STOPPED")]),
            (0, 1)
        );
    }

    #[test]
    fn whose_tasks_are_left_is_told_by_name() {
        let hosts = [host_of(
            ContainerInstance::builder().ec2_instance_id("i-1").build(),
        )];
        let instances = BTreeMap::from([("arn:1".to_owned(), "i-1".to_owned())]);
        let task = |group: &str| {
            let task = Task::builder().container_instance_arn("arn:1");
            task.group(group).last_status("RUNNING").build()
        };
        let tasks = ["service:web", "family:once", "service:api", "service:web"].map(task);
        assert_eq!(
            loads_of(&hosts, &instances, &tasks)[0].services,
            ["api", "web"]
        );
    }

    #[test]
    fn a_task_of_a_host_that_nobody_lists_is_not_passed_over() {
        let instances = BTreeMap::from([("arn:1".to_owned(), "i-1".to_owned())]);
        let task = |arn: &str, last: &str| {
            let task = Task::builder().container_instance_arn(arn);
            task.group("service:web").last_status(last).build()
        };
        let on_fargate = Task::builder().last_status("RUNNING").build();
        let tasks = [
            task("arn:1", "RUNNING"),
            task("arn:2", "STOPPED"),
            task("arn:3", "DEACTIVATING"),
            task("arn:3", "RUNNING"),
            on_fargate,
        ];
        assert_eq!(unknown_hosts(&instances, &tasks), ["arn:3"]);
    }

    #[test]
    fn only_what_is_missing_may_be_left_out_of_an_answer() {
        let failure = |reason: &str| Failure::builder().arn("arn:1").reason(reason).build();
        assert!(check_whole("DescribeTasks", &[]).is_ok());
        assert!(check_whole("DescribeTasks", &[failure("MISSING")]).is_ok());
        let refused = check_whole("DescribeTasks", &[failure("MISSING"), failure("INACTIVE")]);
        assert_eq!(
            refused.unwrap_err().to_string(),
            "DescribeTasks failed: nothing is told of arn:1 (INACTIVE)"
        );
    }

    #[test]
    fn what_may_not_be_read_is_left_out_with_a_word() {
        let mut unread = Vec::new();
        let denied = PortError::Denied {
            action: "ecs:ListTasks".to_owned(),
            message: "no".to_owned(),
        };
        let read = as_far_as::<Vec<u8>>(Err(denied), "its tasks", &mut unread);
        assert_eq!(read.unwrap(), Vec::<u8>::new());
        assert_eq!(unread, ["its tasks: not allowed to call ecs:ListTasks: no"]);
        let throttled = PortError::Throttled { api: "ListTasks" };
        let read = as_far_as::<Vec<u8>>(Err(throttled), "its tasks", &mut unread);
        assert!(read.unwrap_err().is_transient());
    }
}
