//! What load balancers say of the services behind them: how they check, who is healthy, and how
//! long whoever leaves is kept.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::cluster::{Cluster, ClusterService};
use super::error::PortError;

/// Load balancers, as far as a roll depends on them.
#[async_trait]
pub trait Balancers: Send + Sync {
    /// Describes target groups by their ARNs. What may not be read, and groups that are not there,
    /// are left out with a word of it.
    ///
    /// # Errors
    /// When there was no answer, so that asking again may help.
    async fn target_groups(&self, arns: &[String]) -> Result<TargetGroups, PortError>;
}

/// Target groups as far as they could be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TargetGroups {
    /// Those that are there.
    pub found: Vec<TargetGroup>,
    /// What could not be read, and why, in words.
    pub unread: Vec<String>,
}

/// A target group of an application or network load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetGroup {
    /// The ARN.
    pub arn: String,
    /// The name.
    pub name: String,
    /// How its targets are checked.
    pub checks: HealthChecks,
    /// For how long a target that leaves may end what it has begun, in seconds
    /// (`deregistration_delay.timeout_seconds`): ECS stops the task only then.
    pub deregistration_delay_secs: Option<u32>,
    /// How many targets it has.
    pub targets: Option<TargetCounts>,
}

/// How targets are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthChecks {
    /// From one check to the next, in seconds.
    pub interval_secs: u32,
    /// How long an answer may take, in seconds.
    pub timeout_secs: u32,
    /// How many checks in a row a target passes before it is healthy.
    pub healthy_threshold: u32,
    /// How many in a row it fails before it is not.
    pub unhealthy_threshold: u32,
}

impl HealthChecks {
    /// Returns how long a target that answers at once may take to be healthy, in seconds: every
    /// check that it has to pass an interval, and the last answer its timeout.
    #[must_use]
    pub fn healthy_within_secs(&self) -> u32 {
        let checks = self.interval_secs.saturating_mul(self.healthy_threshold);
        checks.saturating_add(self.timeout_secs)
    }
}

/// How many targets a group has; those that are leaving are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetCounts {
    /// How many pass their checks.
    pub healthy: u32,
    /// How many there are.
    pub all: u32,
}

/// How a service stands behind its load balancers. What is `None` nobody knows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceHealth {
    /// How many of its targets are healthy; the fewest, where it is in several groups.
    pub healthy: Option<u32>,
    /// How many targets it has; the most, where it is in several groups.
    pub targets: Option<u32>,
    /// How long a new task may take to be healthy once it answers, in seconds.
    pub healthy_within_secs: Option<u32>,
    /// For how long a task that leaves is kept before it is stopped, in seconds.
    pub deregistration_delay_secs: Option<u32>,
    /// Classic load balancers that it is behind, by name: their health is not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classic: Vec<String>,
}

impl ServiceHealth {
    /// Tells whether all of it could be read.
    #[must_use]
    pub fn is_known(&self) -> bool {
        self.classic.is_empty()
            && self.healthy.is_some()
            && self.healthy_within_secs.is_some()
            && self.deregistration_delay_secs.is_some()
    }
}

impl Cluster {
    /// Says how a service stands behind its load balancers; `None` for one that is behind none.
    #[must_use]
    pub fn health_of(&self, service: &ClusterService) -> Option<ServiceHealth> {
        if service.target_groups.is_empty() && service.classic_balancers.is_empty() {
            return None;
        }
        let found = |arn: &String| self.target_groups.iter().find(|group| group.arn == *arn);
        let groups: Option<Vec<&TargetGroup>> = service.target_groups.iter().map(found).collect();
        let groups = groups.filter(|groups| !groups.is_empty());
        let each = |of: fn(&TargetGroup) -> Option<u32>| -> Option<Vec<u32>> {
            groups.as_ref()?.iter().map(|group| of(group)).collect()
        };
        let most = |of| each(of)?.into_iter().max();
        let healthy = each(|group| group.targets.map(|it| it.healthy));
        Some(ServiceHealth {
            healthy: healthy.and_then(|healthy| healthy.into_iter().min()),
            targets: most(|group| group.targets.map(|it| it.all)),
            healthy_within_secs: most(|group| Some(group.checks.healthy_within_secs())),
            deregistration_delay_secs: most(|group| group.deregistration_delay_secs),
            classic: service.classic_balancers.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(arn: &str, interval_secs: u32, delay: Option<u32>, healthy: u32) -> TargetGroup {
        TargetGroup {
            arn: arn.to_owned(),
            name: arn.to_owned(),
            checks: HealthChecks {
                interval_secs,
                timeout_secs: 5,
                healthy_threshold: 3,
                unhealthy_threshold: 2,
            },
            deregistration_delay_secs: delay,
            targets: Some(TargetCounts { healthy, all: 2 }),
        }
    }

    fn service(groups: &[&str], classic: &[&str]) -> ClusterService {
        let owned = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
        ClusterService {
            name: "web".to_owned(),
            desired: 2,
            running: 2,
            minimum_healthy_percent: None,
            maximum_percent: None,
            is_daemon: false,
            is_fargate: false,
            health_check_grace_secs: None,
            target_groups: owned(groups),
            classic_balancers: owned(classic),
            definition: String::new(),
        }
    }

    #[test]
    fn of_several_groups_the_slowest_counts_and_the_fewest_that_are_healthy() {
        let cluster = Cluster {
            target_groups: vec![group("a", 10, Some(30), 2), group("b", 20, Some(15), 1)],
            ..Cluster::default()
        };
        assert_eq!(cluster.health_of(&service(&[], &[])), None);
        let health = cluster.health_of(&service(&["a", "b"], &[])).unwrap();
        let expected = ServiceHealth {
            healthy: Some(1),
            targets: Some(2),
            healthy_within_secs: Some(65),
            deregistration_delay_secs: Some(30),
            classic: Vec::new(),
        };
        assert_eq!(health, expected);
        assert!(health.is_known());
    }

    #[test]
    fn what_could_not_be_read_of_one_group_is_not_known_of_the_service() {
        let mut cluster = Cluster {
            target_groups: vec![group("a", 10, Some(30), 2), group("b", 20, None, 1)],
            ..Cluster::default()
        };
        let health = cluster.health_of(&service(&["a", "b"], &[])).unwrap();
        assert_eq!(health.deregistration_delay_secs, None);
        assert_eq!(health.healthy, Some(1));
        assert!(!health.is_known());
        cluster.target_groups.pop();
        let health = cluster.health_of(&service(&["a", "b"], &[])).unwrap();
        assert_eq!(health, ServiceHealth::default());
        let health = cluster.health_of(&service(&["a"], &["old"])).unwrap();
        assert!(!health.is_known(), "{health:?}");
        let health = cluster.health_of(&service(&[], &["old"])).unwrap();
        assert!(!health.is_known(), "{health:?}");
    }
}
