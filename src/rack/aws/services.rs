//! ECS services.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ecs::types::{DeploymentConfiguration, DeploymentRolloutState};

use super::account::Clients;
use super::cluster;
use super::error::Call;
use super::stacks::timestamp_of;
use crate::rack::{
    Cluster, HostLoad, PortError, ServiceDeployment, ServiceState, ServiceTask, Services,
};

/// How many services one `DescribeServices` takes (ECS API reference).
const AT_ONCE: usize = 10;
/// How many tasks one `DescribeTasks` takes (ECS API reference).
pub(super) const TASKS_AT_ONCE: usize = 100;

/// ECS, as a port.
pub(super) struct AwsServices {
    clients: Arc<Clients>,
}

impl AwsServices {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    async fn arns(&self, cluster: &str) -> Result<Vec<String>, PortError> {
        let what = format!("cluster {cluster}");
        let call = Call::new("ecs", "ListServices", &what);
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let page = self
                .clients
                .ecs()
                .list_services()
                .cluster(cluster)
                .max_results(100);
            let page = page.set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            arns.extend(page.service_arns.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                return Ok(arns);
            }
        }
    }
}

#[async_trait]
impl Services for AwsServices {
    async fn cluster(&self, cluster: &str) -> Result<Cluster, PortError> {
        let what = format!("cluster {cluster}");
        let call = Call::new("ecs", "DescribeServices", &what);
        let mut found = Vec::new();
        for arns in self.arns(cluster).await?.chunks(AT_ONCE) {
            let answer = self.clients.ecs().describe_services().cluster(cluster);
            let answer = answer.set_services(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| call.failed(error))?;
            found.extend(answer.services.unwrap_or_default());
        }
        cluster::read(&self.clients, cluster, found).await
    }

    async fn loads(&self, cluster: &str) -> Result<Vec<HostLoad>, PortError> {
        cluster::loads(&self.clients, cluster).await
    }

    async fn drain(
        &self,
        cluster: &str,
        instances: &[String],
        draining: bool,
    ) -> Result<(), PortError> {
        cluster::drain(&self.clients, cluster, instances, draining).await
    }

    async fn service(&self, cluster: &str, service: &str) -> Result<ServiceState, PortError> {
        let what = format!("service {service}");
        let call = Call::new("ecs", "DescribeServices", &what);
        let answer = self.clients.ecs().describe_services().cluster(cluster);
        let answer = answer.services(service).send().await;
        let answer = answer.map_err(|error| call.failed(error))?;
        let first = answer.services.unwrap_or_default().into_iter().next();
        first.map(state_of).ok_or(PortError::NotFound { what })
    }

    async fn tasks(&self, cluster: &str, service: &str) -> Result<Vec<ServiceTask>, PortError> {
        let what = format!("service {service}");
        let call = Call::new("ecs", "ListTasks", &what);
        let name = service.rsplit_once('/').map_or(service, |(_, name)| name);
        let mut arns = Vec::new();
        let mut token = None;
        loop {
            let page = self.clients.ecs().list_tasks().cluster(cluster);
            let page = page.service_name(name).set_next_token(token).send().await;
            let page = page.map_err(|error| call.failed(error))?;
            arns.extend(page.task_arns.unwrap_or_default());
            token = page.next_token.filter(|token| !token.is_empty());
            if token.is_none() {
                break;
            }
        }
        let call = Call::new("ecs", "DescribeTasks", &what);
        let mut tasks = Vec::new();
        for arns in arns.chunks(TASKS_AT_ONCE) {
            let answer = self.clients.ecs().describe_tasks().cluster(cluster);
            let answer = answer.set_tasks(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| call.failed(error))?;
            let found = answer.tasks.unwrap_or_default().into_iter();
            tasks.extend(found.map(|task| ServiceTask {
                id: task.task_arn.unwrap_or_default(),
                deployment: task.started_by,
                status: task.last_status.unwrap_or_default(),
                created_at: task.created_at.as_ref().and_then(timestamp_of),
                started_at: task.started_at.as_ref().and_then(timestamp_of),
            }));
        }
        Ok(tasks)
    }

    async fn redeploy(&self, cluster: &str, service: &str) -> Result<ServiceState, PortError> {
        let what = format!("service {service}");
        let call = Call::new("ecs", "UpdateService", &what);
        let answer = self.clients.ecs().update_service().cluster(cluster);
        let answer = answer.service(service).force_new_deployment(true);
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        answer.service.map(state_of).ok_or(PortError::Unanswered {
            api: call.api,
            message: "the answer describes no service".to_owned(),
        })
    }
}

fn state_of(service: aws_sdk_ecs::types::Service) -> ServiceState {
    let config = service.deployment_configuration;
    let percent = |of: fn(&DeploymentConfiguration) -> Option<i32>| {
        config.as_ref().and_then(of).map(count_of)
    };
    let deployments = service.deployments.unwrap_or_default().into_iter();
    let mut deployments: Vec<_> = deployments
        .map(|deployment| ServiceDeployment {
            is_primary: deployment.status.as_deref() == Some("PRIMARY"),
            definition: deployment.task_definition.unwrap_or_default(),
            created_at: deployment.created_at.as_ref().and_then(timestamp_of),
            failed: deployment.rollout_state == Some(DeploymentRolloutState::Failed),
            failed_tasks: count_of(deployment.failed_tasks),
            running: count_of(deployment.running_count),
            id: deployment.id.unwrap_or_default(),
        })
        .collect();
    deployments.sort_by_key(|deployment| !deployment.is_primary);
    ServiceState {
        desired: count_of(service.desired_count),
        running: count_of(service.running_count),
        pending: count_of(service.pending_count),
        minimum_healthy_percent: percent(|config| config.minimum_healthy_percent),
        maximum_percent: percent(|config| config.maximum_percent),
        deployments,
        name: service.service_name.unwrap_or_default(),
    }
}

/// AWS counts with signed numbers and never goes below nothing.
pub(super) fn count_of(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}
