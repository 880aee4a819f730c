//! ECS.

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde_json::json;

use super::{Direct, not_rehearsed};
use crate::rack::{
    Cluster, ClusterDefinition, ClusterHost, ClusterService, ClusterTask, HostLoad, PortError,
    ServiceState, ServiceTask, Services,
};
use crate::sandbox::ecs::{self, TaskState};
use crate::sandbox::world::World;

#[async_trait]
impl Services for Direct {
    async fn cluster(&self, cluster: &str) -> Result<Cluster, PortError> {
        let found = self.sandbox.with(|world| cluster_of(world, cluster));
        found.ok_or_else(|| PortError::NotFound {
            what: format!("cluster {cluster}"),
        })
    }

    async fn loads(&self, cluster: &str) -> Result<Vec<HostLoad>, PortError> {
        let found = self.sandbox.with(|world| {
            let found = world.ecs.cluster(cluster)?;
            let hosts = found.instances.values();
            Some(hosts.map(|host| load_of(found, host)).collect())
        });
        found.ok_or_else(|| PortError::NotFound {
            what: format!("cluster {cluster}"),
        })
    }

    async fn drain(
        &self,
        cluster: &str,
        instances: &[String],
        draining: bool,
    ) -> Result<(), PortError> {
        let known = self.sandbox.with(|world| {
            let hosts = instances.iter().filter_map(|id| world.ecs.host(id));
            let hosts = hosts.filter(|(own, _)| own.name == cluster);
            hosts.map(|(_, host)| host.id.clone()).collect::<Vec<_>>()
        });
        let input = json!({
            "cluster": cluster,
            "containerInstances": known,
            "status": if draining { "DRAINING" } else { "ACTIVE" },
        });
        self.call("UpdateContainerInstancesState", ecs::handle, input)
            .map(drop)
    }

    async fn service(&self, _: &str, _: &str) -> Result<ServiceState, PortError> {
        Err(not_rehearsed("DescribeServices"))
    }

    async fn tasks(&self, _: &str, _: &str) -> Result<Vec<ServiceTask>, PortError> {
        Err(not_rehearsed("ListTasks"))
    }

    async fn redeploy(&self, _: &str, _: &str) -> Result<ServiceState, PortError> {
        Err(not_rehearsed("UpdateService"))
    }
}

fn load_of(cluster: &ecs::Cluster, host: &ecs::ContainerInstance) -> HostLoad {
    let tasks = host.tasks.iter().filter_map(|id| cluster.tasks.get(id));
    let count = |of_service: bool| {
        let own = tasks
            .clone()
            .filter(|task| task.service.is_some() == of_service);
        u32::try_from(own.count()).unwrap_or(u32::MAX)
    };
    let services = tasks.clone().filter_map(|task| task.service.as_ref());
    let services: BTreeSet<&str> = services.map(|(name, _)| &**name).collect();
    HostLoad {
        instance: host.instance.clone(),
        is_draining: host.draining,
        tasks: count(true),
        services: services.into_iter().map(str::to_owned).collect(),
        alone: count(false),
    }
}

fn cluster_of(world: &World, name: &str) -> Option<Cluster> {
    let found = world.ecs.cluster(name)?;
    let meant = found.tasks.values().filter(|task| !task.stopping);
    let services = found.services.values();
    let mut read = Cluster {
        name: name.to_owned(),
        services: services.map(|it| service_of(found, it)).collect(),
        tasks: meant.map(task_of).collect(),
        stops: Vec::new(),
        definitions: Vec::new(),
        hosts: found
            .instances
            .values()
            .map(|host| ClusterHost {
                instance: host.instance.clone(),
                is_draining: host.draining,
                registered_at: Some(host.registered),
                cpu: whole(found.room.cpu),
                memory: whole(found.room.memory),
                tasks: meant_for(found, host),
            })
            .collect(),
        managed_draining: Some(false),
        unread: Vec::new(),
        target_groups: Vec::new(),
        health_unread: Vec::new(),
    };
    let named = read.services.iter().map(|service| &service.definition);
    let named = named.filter_map(|arn| world.ecs.task_definition(arn));
    read.definitions = named
        .map(|definition| ClusterDefinition {
            arn: definition.arn.clone(),
            host_ports: definition.host_ports.iter().copied().collect(),
            stop_timeout_secs: u32::try_from(definition.stop_timeout.as_secs()).ok(),
            cpu: whole(definition.needs.cpu),
            memory: whole(definition.needs.memory),
        })
        .collect();
    Some(read)
}

/// Counts the tasks on an instance that are meant to run.
fn meant_for(cluster: &ecs::Cluster, host: &ecs::ContainerInstance) -> u32 {
    let tasks = host.tasks.iter().filter_map(|id| cluster.tasks.get(id));
    u32::try_from(tasks.filter(|task| !task.stopping).count()).unwrap_or(u32::MAX)
}

fn service_of(cluster: &ecs::Cluster, service: &ecs::Service) -> ClusterService {
    let own = service.tasks.iter().filter_map(|id| cluster.tasks.get(id));
    let running = own.filter(|task| task.state == TaskState::Running && !task.stopping);
    let primary = service.deployments.first();
    ClusterService {
        name: service.name.clone(),
        desired: whole(service.desired),
        running: u32::try_from(running.count()).unwrap_or(u32::MAX),
        minimum_healthy_percent: Some(whole(service.min_percent)),
        maximum_percent: Some(whole(service.max_percent)),
        is_daemon: service.daemon,
        is_fargate: service.launch_type == "FARGATE",
        health_check_grace_secs: u32::try_from(service.grace.as_secs()).ok(),
        target_groups: service.target_groups().map(str::to_owned).collect(),
        classic_balancers: Vec::new(),
        definition: primary.map_or_else(String::new, |it| it.definition.clone()),
    }
}

fn task_of(task: &ecs::Task) -> ClusterTask {
    ClusterTask {
        id: task.id.clone(),
        service: task.group.strip_prefix("service:").map(str::to_owned),
        definition: task.definition.clone(),
        instance: task.instance.clone(),
        is_running: task.state == TaskState::Running,
        created_at: Some(task.created),
        started_at: task.started,
    }
}

fn whole(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
