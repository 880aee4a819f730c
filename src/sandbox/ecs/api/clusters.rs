//! Calls about clusters and container instances.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::services::cluster_name;
use super::super::tasks::TaskState;
use super::super::{Cluster, ContainerInstance};
use super::{asked_cluster, instant, invalid, missing, page_of_arns, short};

fn cluster_arn(world: &World, name: &str) -> String {
    world.arn("ecs", &format!("cluster/{name}"))
}

/// A container instance's ARN.
pub(super) fn host_arn(world: &World, cluster: &str, id: &str) -> String {
    world.arn("ecs", &format!("container-instance/{cluster}/{id}"))
}

fn shown(world: &World, cluster: &Cluster) -> Value {
    let in_state = |state: TaskState| {
        cluster
            .tasks
            .values()
            .filter(|task| task.state == state && !task.stopping)
            .count()
    };
    json!({
        "clusterArn": cluster_arn(world, &cluster.name),
        "clusterName": cluster.name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": cluster.instances.len(),
        "runningTasksCount": in_state(TaskState::Running),
        "pendingTasksCount": in_state(TaskState::Pending),
        "activeServicesCount": cluster.services.len(),
        "statistics": [],
        "tags": [],
        "settings": [],
        "capacityProviders": [],
        "defaultCapacityProviderStrategy": [],
    })
}

/// `CreateCluster`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let name = input
        .text("clusterName")
        .unwrap_or_else(|| "default".to_owned());
    world.create_cluster(&name);
    let cluster = world
        .ecs
        .cluster(&name)
        .map(|cluster| shown(world, cluster));
    Ok(json!({ "cluster": cluster }))
}

/// `DeleteCluster`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let refused = |code, message| Err(AwsError::new(400, code, message));
    if !cluster.instances.is_empty() {
        return refused(
            "ClusterContainsContainerInstancesException",
            "The Cluster cannot be deleted while Container Instances are active or draining.",
        );
    }
    if !cluster.services.is_empty() {
        return refused(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        );
    }
    let (name, mut last) = (cluster.name.clone(), shown(world, cluster));
    last["status"] = "INACTIVE".into();
    world.delete_cluster(&name);
    Ok(json!({ "cluster": last }))
}

/// `ListClusters`.
pub(super) fn list(world: &mut World, input: &Input) -> Answer {
    let arns = world
        .ecs
        .clusters()
        .map(|cluster| cluster_arn(world, &cluster.name))
        .collect();
    page_of_arns(input, "clusterArns", arns, 100)
}

/// `DescribeClusters`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let mut asked = input.texts("clusters");
    if asked.is_empty() {
        asked.push("default".to_owned());
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in asked {
        match world.ecs.cluster(cluster_name(&text)) {
            Some(cluster) => found.push(shown(world, cluster)),
            None => failures.push(missing(&cluster_arn(world, cluster_name(&text)))),
        }
    }
    Ok(json!({ "clusters": found, "failures": failures }))
}

fn status(host: &ContainerInstance) -> &'static str {
    if host.draining { "DRAINING" } else { "ACTIVE" }
}

/// `ListContainerInstances`.
pub(super) fn list_instances(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let wanted = input.text("status");
    let hosts = cluster
        .instances
        .values()
        .filter(|host| wanted.as_deref().is_none_or(|it| it == status(host)));
    let arns = hosts
        .map(|host| host_arn(world, &cluster.name, &host.id))
        .collect();
    page_of_arns(input, "containerInstanceArns", arns, 100)
}

/// `DescribeContainerInstances`.
pub(super) fn describe_instances(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let asked = input.texts("containerInstances");
    if asked.is_empty() {
        return Err(invalid("Container instances cannot be empty."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in asked {
        match cluster.instances.get(short(&text)) {
            Some(host) => found.push(shown_host(world, cluster, host)),
            None => failures.push(missing(&host_arn(world, &cluster.name, short(&text)))),
        }
    }
    Ok(json!({ "containerInstances": found, "failures": failures }))
}

/// `UpdateContainerInstancesState`.
pub(super) fn update_instances(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let draining = match input.text("status").as_deref() {
        Some("DRAINING") => true,
        Some("ACTIVE") => false,
        _ => {
            return Err(invalid(
                "Container instance status should be one of [ACTIVE,DRAINING]",
            ));
        }
    };
    let name = cluster.name.clone();
    let (mut changed, mut failures) = (Vec::new(), Vec::new());
    for text in input.texts("containerInstances") {
        match cluster.instances.get(short(&text)) {
            Some(host) => changed.push((host.id.clone(), host.instance.clone())),
            None => failures.push(missing(&host_arn(world, &name, short(&text)))),
        }
    }
    for (_, instance) in &changed {
        world.set_draining(instance, draining);
    }
    let cluster = asked_cluster(world, input)?;
    let found: Vec<Value> = changed
        .iter()
        .filter_map(|(id, _)| cluster.instances.get(id))
        .map(|host| shown_host(world, cluster, host))
        .collect();
    Ok(json!({ "containerInstances": found, "failures": failures }))
}

/// `DeregisterContainerInstance`.
pub(super) fn deregister_instance(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let text = input.text("containerInstance").unwrap_or_default();
    let host = cluster
        .instances
        .get(short(&text))
        .ok_or_else(|| invalid("Referenced container instance does not exist."))?;
    if !host.tasks.is_empty() && input.truth("force") != Some(true) {
        return Err(invalid("Found running tasks on the instance."));
    }
    let instance = host.instance.clone();
    let mut last = shown_host(world, cluster, host);
    last["status"] = "INACTIVE".into();
    last["agentConnected"] = false.into();
    world.deregister(
        &instance,
        "Container instance deregistered forcibly by user",
    );
    Ok(json!({ "containerInstance": last }))
}

fn shown_host(world: &World, cluster: &Cluster, host: &ContainerInstance) -> Value {
    // As AWS counts: a task that is asked to stop counts no more, although it is still there.
    let in_state = |state: TaskState| {
        host.tasks
            .iter()
            .filter_map(|id| cluster.tasks.get(id))
            .filter(|task| task.state == state && !task.stopping)
            .count()
    };
    let taken = world.ecs.taken(cluster, host);
    let resources = |cpu: u64, memory: u64| {
        json!([
            { "name": "CPU", "type": "INTEGER", "integerValue": cpu,
              "doubleValue": 0.0, "longValue": 0 },
            { "name": "MEMORY", "type": "INTEGER", "integerValue": memory,
              "doubleValue": 0.0, "longValue": 0 },
        ])
    };
    json!({
        "containerInstanceArn": host_arn(world, &cluster.name, &host.id),
        "ec2InstanceId": host.instance,
        "version": 1,
        "versionInfo": { "agentVersion": "1.86.3", "dockerVersion": "DockerVersion: 20.10.25" },
        "registeredResources": resources(cluster.room.cpu, cluster.room.memory),
        "remainingResources":
            resources(
                cluster.room.cpu.saturating_sub(taken.cpu),
                cluster.room.memory.saturating_sub(taken.memory),
            ),
        "status": status(host),
        "agentConnected": true,
        "runningTasksCount": in_state(TaskState::Running),
        "pendingTasksCount": in_state(TaskState::Pending),
        "registeredAt": instant(host.registered),
        "attributes": [],
        "attachments": [],
        "tags": [],
    })
}
