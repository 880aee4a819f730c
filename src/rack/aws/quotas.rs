//! What the account may run of EC2, and runs: Service Quotas and EC2.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_ec2::types::{
    Filter, Instance as SdkInstance, InstanceLifecycleType, InstanceType, Tenancy,
};

use super::account::Clients;
use super::error::Call;
use super::fleet::listed;
use super::services::count_of;
use crate::rack::{Market, PortError, Quotas, RunningInstance, VcpuQuota};

/// How many types one call names (EC2 API reference, `DescribeInstanceTypes`).
const TYPES_AT_ONCE: usize = 100;
/// What Service Quotas calls EC2.
const EC2: &str = "ec2";

/// Service Quotas and EC2, as a port.
pub(super) struct AwsQuotas {
    clients: Arc<Clients>,
}

impl AwsQuotas {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }
}

#[async_trait]
impl Quotas for AwsQuotas {
    async fn running(&self) -> Result<Vec<RunningInstance>, PortError> {
        let states = Filter::builder().name("instance-state-name");
        let states = states.values("pending").values("running").build();
        let found = listed(&self.clients, vec![states]).await?;
        Ok(found.into_iter().map(running_of).collect())
    }

    async fn vcpus(&self, types: &[String]) -> Result<BTreeMap<String, u32>, PortError> {
        let call = Call::new("ec2", "DescribeInstanceTypes", "the instance types");
        let types: BTreeSet<&str> = types.iter().map(String::as_str).collect();
        let types: Vec<InstanceType> = types.into_iter().map(InstanceType::from).collect();
        let mut vcpus = BTreeMap::new();
        for types in types.chunks(TYPES_AT_ONCE) {
            let answer = self.clients.ec2().describe_instance_types();
            let answer = answer.set_instance_types(Some(types.to_vec())).send().await;
            let answer = answer.map_err(|error| call.failed(error))?;
            for told in answer.instance_types.unwrap_or_default() {
                let count = told.v_cpu_info.and_then(|info| info.default_v_cpus);
                if let Some((name, count)) = told.instance_type.zip(count) {
                    vcpus.insert(name.as_str().to_owned(), count_of(count));
                }
            }
        }
        Ok(vcpus)
    }

    async fn quota(&self, quota: VcpuQuota) -> Result<f64, PortError> {
        let what = format!("quota {} of EC2", quota.code);
        let call = Call::new("servicequotas", "GetServiceQuota", &what);
        let answer = self.clients.servicequotas().get_service_quota();
        let answer = answer.service_code(EC2).quota_code(quota.code);
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        let value = answer.quota.and_then(|quota| quota.value);
        value.ok_or_else(|| PortError::NotFound { what: what.clone() })
    }
}

fn running_of(instance: SdkInstance) -> RunningInstance {
    let tenancy = instance.placement.and_then(|placement| placement.tenancy);
    let market = match (instance.instance_lifecycle, tenancy) {
        (Some(InstanceLifecycleType::CapacityBlock), _) | (_, Some(Tenancy::Host)) => Market::Apart,
        (Some(InstanceLifecycleType::Spot), _) => Market::Spot,
        _ => Market::OnDemand,
    };
    let instance_type = instance.instance_type;
    RunningInstance {
        id: instance.instance_id.unwrap_or_default(),
        instance_type: instance_type.map_or_else(String::new, |it| it.as_str().to_owned()),
        market,
    }
}
