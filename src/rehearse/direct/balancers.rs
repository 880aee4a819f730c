//! Elastic Load Balancing.

use async_trait::async_trait;

use super::Direct;
use crate::rack::{Balancers, HealthChecks, PortError, TargetCounts, TargetGroup, TargetGroups};
use crate::sandbox::balancers;
use crate::sandbox::world::World;

#[async_trait]
impl Balancers for Direct {
    async fn target_groups(&self, arns: &[String]) -> Result<TargetGroups, PortError> {
        Ok(self.sandbox.with(|world| {
            let known = arns.iter().filter_map(|arn| world.target_group(arn));
            TargetGroups {
                found: known.map(|group| group_of(world, group)).collect(),
                unread: Vec::new(),
            }
        }))
    }
}

fn group_of(world: &World, group: &balancers::TargetGroup) -> TargetGroup {
    let seconds = |span: std::time::Duration| u32::try_from(span.as_secs()).unwrap_or(u32::MAX);
    let mut targets = TargetCounts::default();
    for (_, state) in world.targets(&group.arn) {
        if state != "draining" {
            targets.all += 1;
            targets.healthy += u32::from(state == "healthy");
        }
    }
    TargetGroup {
        arn: group.arn.clone(),
        name: group.name().to_owned(),
        checks: HealthChecks {
            interval_secs: seconds(group.interval),
            timeout_secs: seconds(group.timeout),
            healthy_threshold: group.healthy_threshold,
            unhealthy_threshold: group.unhealthy_threshold,
        },
        deregistration_delay_secs: Some(seconds(group.deregistration_delay)),
        targets: Some(targets),
    }
}
