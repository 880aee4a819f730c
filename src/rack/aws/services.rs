//! ECS services.

use std::sync::Arc;

use async_trait::async_trait;

use super::account::Clients;
use super::error::Call;
use crate::rack::{PortError, Service, Services};

/// How many services one `DescribeServices` takes (ECS API reference).
const AT_ONCE: usize = 10;

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
    async fn in_cluster(&self, cluster: &str) -> Result<Vec<Service>, PortError> {
        let what = format!("cluster {cluster}");
        let call = Call::new("ecs", "DescribeServices", &what);
        let mut found = Vec::new();
        for arns in self.arns(cluster).await?.chunks(AT_ONCE) {
            let answer = self.clients.ecs().describe_services().cluster(cluster);
            let answer = answer.set_services(Some(arns.to_vec())).send().await;
            let answer = answer.map_err(|error| call.failed(error))?;
            found.extend(
                answer
                    .services
                    .unwrap_or_default()
                    .into_iter()
                    .map(|service| {
                        let deployment = service.deployment_configuration.as_ref();
                        let least = deployment.and_then(|config| config.minimum_healthy_percent);
                        Service {
                            desired: count_of(service.desired_count),
                            running: count_of(service.running_count),
                            minimum_healthy_percent: least.map(count_of),
                            name: service.service_name.unwrap_or_default(),
                        }
                    }),
            );
        }
        Ok(found)
    }
}

/// AWS counts with signed numbers and never goes below nothing.
pub(super) fn count_of(count: i32) -> u32 {
    u32::try_from(count).unwrap_or(0)
}
