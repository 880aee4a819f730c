//! What the account in memory may run, and runs. A copy has the room that a surge needs.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::Direct;
use crate::rack::{Market, PortError, Quotas, RunningInstance, VcpuQuota};
use crate::sandbox::ec2::InstanceState;
use crate::sandbox::quotas::vcpus_of;

#[async_trait]
impl Quotas for Direct {
    async fn running(&self) -> Result<Vec<RunningInstance>, PortError> {
        let counts = |state| matches!(state, InstanceState::Pending | InstanceState::Running);
        Ok(self.sandbox.with(|world| {
            let running = world.ec2.instances().filter(|it| counts(it.state));
            running
                .map(|it| RunningInstance {
                    id: it.id.clone(),
                    instance_type: it.instance_type.clone(),
                    market: if it.is_spot {
                        Market::Spot
                    } else {
                        Market::OnDemand
                    },
                })
                .collect()
        }))
    }

    async fn vcpus(&self, types: &[String]) -> Result<BTreeMap<String, u32>, PortError> {
        let told = types.iter().map(|name| (name.clone(), vcpus_of(name)));
        Ok(told.collect())
    }

    async fn quota(&self, quota: VcpuQuota) -> Result<f64, PortError> {
        let limit = self.sandbox.with(|world| world.quota(quota.code));
        Ok(f64::from(limit))
    }
}
