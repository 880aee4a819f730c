//! What an ECS cluster runs and where, and how a group's instances come and go: what a roll is
//! foretold from.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::balancer::TargetGroup;

/// How long ECS lets a task stop that does not say otherwise (ECS developer guide,
/// `ECS_CONTAINER_STOP_TIMEOUT`), in seconds.
pub const STOP_TIMEOUT_SECS: u32 = 30;

/// An ECS cluster: its services, what runs of them, and the instances that they run on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// The name.
    pub name: String,
    /// Its services.
    pub services: Vec<ClusterService>,
    /// Its tasks that are meant to run, of services and one-off.
    pub tasks: Vec<ClusterTask>,
    /// How long tasks took that stopped within the last hour, by service and in milliseconds,
    /// where ECS still tells.
    pub stops: Vec<(String, u64)>,
    /// What the services' tasks and the one-off tasks are started from.
    pub definitions: Vec<ClusterDefinition>,
    /// Its container instances.
    pub hosts: Vec<ClusterHost>,
    /// Whether ECS itself drains instances that their group terminates; `None` where nobody says.
    pub managed_draining: Option<bool>,
    /// What of it could not be read, and why, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<String>,
    /// The target groups that its services are in, once they are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_groups: Vec<TargetGroup>,
    /// What of those could not be read, and why, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_unread: Vec<String>,
}

/// A service of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterService {
    /// The name.
    pub name: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// `minimumHealthyPercent` of its deployment configuration.
    pub minimum_healthy_percent: Option<u32>,
    /// `maximumPercent` of its deployment configuration.
    pub maximum_percent: Option<u32>,
    /// Whether every instance has one task of it.
    pub is_daemon: bool,
    /// Whether its tasks are on Fargate, which no instance matters to.
    pub is_fargate: bool,
    /// How long a load balancer's verdict on a new task is not heeded, in seconds.
    pub health_check_grace_secs: Option<u32>,
    /// The target groups that its tasks are registered with, by ARN.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_groups: Vec<String>,
    /// The classic load balancers that its instances are registered with, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classic_balancers: Vec<String>,
    /// The task definition's ARN.
    pub definition: String,
}

impl ClusterService {
    /// Returns the fewest tasks that should run: the least healthy percent of those desired,
    /// rounded up as ECS does. Nothing said means all of them.
    #[must_use]
    pub fn minimum(&self) -> u32 {
        let percent = self.minimum_healthy_percent.unwrap_or(100).min(100);
        (self.desired * percent).div_ceil(100)
    }
}

/// What tasks are started from, as far as a roll can notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterDefinition {
    /// The ARN.
    pub arn: String,
    /// Ports of the host that a task takes, each of which a host has once.
    pub host_ports: Vec<u16>,
    /// How long its slowest container may take to stop, in seconds, where one says so.
    pub stop_timeout_secs: Option<u32>,
    /// CPU units that a task reserves.
    pub cpu: u32,
    /// Memory that a task reserves, in MiB.
    pub memory: u32,
}

/// A task that is meant to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterTask {
    /// The ARN.
    pub id: String,
    /// The service that it belongs to; none for one that somebody started by itself.
    pub service: Option<String>,
    /// The task definition's ARN.
    pub definition: String,
    /// The EC2 instance that it is on.
    pub instance: Option<String>,
    /// Whether it runs already.
    pub is_running: bool,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
    /// When it came up.
    pub started_at: Option<Timestamp>,
}

/// An instance as its cluster sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterHost {
    /// The EC2 instance.
    pub instance: String,
    /// Whether it takes no more tasks.
    pub is_draining: bool,
    /// When it joined.
    pub registered_at: Option<Timestamp>,
    /// CPU units that tasks may reserve.
    pub cpu: u32,
    /// Memory that tasks may reserve, in MiB.
    pub memory: u32,
    /// Tasks on it that are meant to run; those that are asked to stop count no more (ECS API
    /// reference, `runningTasksCount`).
    #[serde(default)]
    pub tasks: u32,
}

/// What an instance of a cluster has yet to get rid of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostLoad {
    /// The EC2 instance.
    pub instance: String,
    /// Whether it takes no more tasks.
    pub is_draining: bool,
    /// Tasks of services that have not stopped, those that are asked to included: they may still
    /// answer what they were asked before.
    pub tasks: u32,
    /// The services whose tasks those are, as far as their tasks are listed, each once and by name.
    pub services: Vec<String>,
    /// Tasks that belong to no service and have not stopped: nothing can move them.
    pub alone: u32,
}

/// A lifecycle hook of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The name.
    pub name: String,
    /// Whether it holds instances on the way out, and not on the way in.
    pub is_terminating: bool,
    /// How long it holds an instance without a heartbeat, in seconds.
    pub heartbeat_secs: u32,
    /// What happens then: `CONTINUE` or `ABANDON`.
    pub default_result: String,
    /// Whether somebody is notified, such as the rack's drain function.
    pub is_handled: bool,
    /// Whom it notifies, by ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The role that it notifies them in, by ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// What it tells them besides; at most 1023 letters (Auto Scaling API reference).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
}

impl Hook {
    /// Tells whether it notifies one of these: topics by their ARNs, functions by their names.
    #[must_use]
    pub fn notifies_one_of(&self, listeners: &[String]) -> bool {
        let Some(target) = &self.target else {
            return false;
        };
        listeners.iter().any(|listener| {
            target == listener || target.ends_with(&format!(":function:{listener}"))
        })
    }
}

/// A launch that a group has carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    /// When the group began it.
    pub started_at: Timestamp,
    /// When the instance was in service.
    pub ended_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minimum_is_rounded_up() {
        let minimum = |desired, percent| {
            let service = ClusterService {
                name: String::new(),
                desired,
                running: desired,
                minimum_healthy_percent: percent,
                maximum_percent: None,
                is_daemon: false,
                is_fargate: false,
                health_check_grace_secs: None,
                target_groups: Vec::new(),
                classic_balancers: Vec::new(),
                definition: String::new(),
            };
            service.minimum()
        };
        for (desired, percent, least) in [
            (1, Some(50), 1),
            (3, Some(50), 2),
            (4, Some(0), 0),
            (2, Some(200), 2),
            (2, None, 2),
            (0, Some(100), 0),
        ] {
            assert_eq!(minimum(desired, percent), least, "{desired} {percent:?}");
        }
    }
}
