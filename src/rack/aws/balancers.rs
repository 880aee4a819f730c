//! Target groups: Elastic Load Balancing, by describe calls only.

use std::slice;
use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_elasticloadbalancingv2::types::{
    TargetGroup as SdkTargetGroup, TargetHealthDescription, TargetHealthStateEnum,
};
use futures_util::stream::{self, StreamExt as _};

use super::account::Clients;
use super::cluster::as_far_as;
use super::error::Call;
use super::services::count_of;
use crate::rack::{Balancers, HealthChecks, PortError, TargetCounts, TargetGroup, TargetGroups};

/// How many groups one call names: what Elastic Load Balancing takes of anything at once.
const GROUPS_AT_ONCE: usize = 20;
/// Of how many groups attributes and health are asked for at a time.
const AT_A_TIME: usize = 8;
/// How long a target is kept that leaves (Elastic Load Balancing, target group attributes).
const DELAY: &str = "deregistration_delay.timeout_seconds";

/// Elastic Load Balancing, as a port.
pub(super) struct AwsBalancers {
    clients: Arc<Clients>,
}

impl AwsBalancers {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    /// Describes groups; those that are not there are left out.
    async fn described(&self, arns: &[String]) -> Result<Vec<SdkTargetGroup>, PortError> {
        match self.describe(arns).await {
            // The call fails as a whole for one that is gone.
            Err(error) if error.is_not_found() => {}
            answer => return answer,
        }
        let mut found = Vec::new();
        for arn in arns.iter().filter(|_| arns.len() > 1) {
            match self.describe(slice::from_ref(arn)).await {
                Err(error) if error.is_not_found() => {}
                answer => found.extend(answer?),
            }
        }
        Ok(found)
    }

    async fn describe(&self, arns: &[String]) -> Result<Vec<SdkTargetGroup>, PortError> {
        let call = call("DescribeTargetGroups", "the target groups");
        let asked = self.clients.elasticloadbalancingv2();
        let asked = asked.describe_target_groups();
        let answer = asked.set_target_group_arns(Some(arns.to_vec())).send();
        let answer = answer.await.map_err(|error| call.failed(error))?;
        Ok(answer.target_groups.unwrap_or_default())
    }

    /// Reads what one group keeps to and who is in it.
    async fn read(&self, group: SdkTargetGroup) -> Result<(TargetGroup, Vec<String>), PortError> {
        let arn = group.target_group_arn.clone().unwrap_or_default();
        let name = group.target_group_name.clone().unwrap_or_default();
        let what = format!("target group {name}");
        let mut unread = Vec::new();
        let (delay, targets) = tokio::join!(self.delay(&arn, &what), self.targets(&arn, &what));
        let delay = as_far_as(delay, &what, &mut unread)?;
        let targets = as_far_as(targets.map(Some), &what, &mut unread)?;
        let read = TargetGroup {
            arn,
            name,
            checks: checks_of(&group),
            deregistration_delay_secs: delay,
            targets,
        };
        Ok((read, unread))
    }

    async fn delay(&self, arn: &str, what: &str) -> Result<Option<u32>, PortError> {
        let call = call("DescribeTargetGroupAttributes", what);
        let asked = self.clients.elasticloadbalancingv2();
        let asked = asked.describe_target_group_attributes();
        let answer = asked.target_group_arn(arn).send().await;
        let answer = answer.map_err(|error| call.failed(error))?;
        let mut attributes = answer.attributes.unwrap_or_default().into_iter();
        let delay = attributes.find(|it| it.key.as_deref() == Some(DELAY));
        Ok(delay.and_then(|it| it.value?.parse().ok()))
    }

    async fn targets(&self, arn: &str, what: &str) -> Result<TargetCounts, PortError> {
        let call = call("DescribeTargetHealth", what);
        let asked = self.clients.elasticloadbalancingv2();
        let answer = asked.describe_target_health().target_group_arn(arn).send();
        let answer = answer.await.map_err(|error| call.failed(error))?;
        Ok(counted(
            &answer.target_health_descriptions.unwrap_or_default(),
        ))
    }
}

fn call<'a>(api: &'static str, what: &'a str) -> Call<'a> {
    Call::new("elasticloadbalancing", api, what)
}

#[async_trait]
impl Balancers for AwsBalancers {
    async fn target_groups(&self, arns: &[String]) -> Result<TargetGroups, PortError> {
        let mut all = TargetGroups::default();
        let mut described = Vec::new();
        for arns in arns.chunks(GROUPS_AT_ONCE) {
            let found = self.described(arns).await;
            let is_told = found.is_ok();
            let found = as_far_as(found, "the target groups", &mut all.unread)?;
            let is_gone = |arn: &&String| {
                let mut known = found.iter().filter_map(|it| it.target_group_arn.as_ref());
                is_told && !known.any(|known| known == *arn)
            };
            let gone = arns.iter().filter(is_gone);
            let words = gone.map(|arn| format!("target group {arn} is not there"));
            all.unread.extend(words);
            described.extend(found);
        }
        let asked = stream::iter(described).map(|group| self.read(group));
        let read: Vec<_> = asked.buffered(AT_A_TIME).collect().await;
        for answer in read {
            let (group, unread) = answer?;
            all.found.push(group);
            all.unread.extend(unread);
        }
        Ok(all)
    }
}

fn checks_of(group: &SdkTargetGroup) -> HealthChecks {
    let count = |it: Option<i32>| it.map_or(0, count_of);
    HealthChecks {
        interval_secs: count(group.health_check_interval_seconds),
        timeout_secs: count(group.health_check_timeout_seconds),
        healthy_threshold: count(group.healthy_threshold_count),
        unhealthy_threshold: count(group.unhealthy_threshold_count),
    }
}

/// Counts targets; those that are leaving are no more the service's.
fn counted(targets: &[TargetHealthDescription]) -> TargetCounts {
    let state = |target: &TargetHealthDescription| target.target_health.as_ref()?.state.clone();
    let mut counts = TargetCounts::default();
    for target in targets {
        match state(target) {
            Some(TargetHealthStateEnum::Draining | TargetHealthStateEnum::UnhealthyDraining) => {}
            Some(TargetHealthStateEnum::Healthy) => {
                counts.healthy += 1;
                counts.all += 1;
            }
            _ => counts.all += 1,
        }
    }
    counts
}
