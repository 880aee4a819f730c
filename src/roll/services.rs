//! What a roll means for the services of the rack's clusters: facts for the plan. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::plan::Advice;
use super::preflight::advice;
use crate::rack::{Cluster, ClusterService, ClusterTask, Hook, STOP_TIMEOUT_SECS, ServiceHealth};

/// How long a rack's drain function lives, in seconds (AWS Lambda timeout in the rack template):
/// what still runs then goes down with its instance.
const DRAIN_FUNCTION_SECS: u32 = 300;

/// A cluster whose instances a roll may replace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterPlan {
    /// The name.
    pub name: String,
    /// Whether ECS itself drains instances; `None` where nobody says.
    pub managed_draining: Option<bool>,
    /// How long an instance is given to be emptied, in seconds; `None` where nothing empties it.
    pub drain_limit_secs: Option<u32>,
    /// Its services.
    pub services: Vec<ServicePlan>,
    /// Tasks on instances that belong to no service: draining kills them.
    pub one_off_tasks: Vec<String>,
    /// What could not be read of the services' health, and why, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub health_unread: Vec<String>,
}

/// A service as a roll meets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServicePlan {
    /// The name.
    pub name: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// `minimumHealthyPercent`.
    pub minimum_healthy_percent: Option<u32>,
    /// `maximumPercent`.
    pub maximum_percent: Option<u32>,
    /// The fewest tasks that should run, which follows from the percentage.
    pub minimum: u32,
    /// On how many instances its tasks are; none on Fargate.
    pub instances: u32,
    /// The most of its tasks that are on one instance.
    pub most_on_one: u32,
    /// Ports of the host that each task takes: so many tasks need so many instances.
    pub host_ports: Vec<u16>,
    /// How long a load balancer's verdict on a new task is not heeded, in seconds.
    pub health_check_grace_secs: Option<u32>,
    /// How it stands behind its load balancers; none for a service that is behind none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<ServiceHealth>,
    /// How long a task may take to stop, in seconds.
    pub stop_timeout_secs: u32,
    /// Whether every instance has a task of its own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_daemon: bool,
    /// Whether its tasks are on Fargate, which no instance matters to.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_fargate: bool,
    /// Whether it is sure to have a healthy task all through a roll that ends well.
    #[serde(default)]
    pub stays_up: bool,
}

impl ClusterPlan {
    /// Words the facts of a cluster; `hooks` are those of the groups that are its instances.
    pub(super) fn of<'a>(cluster: &Cluster, hooks: impl IntoIterator<Item = &'a Hook>) -> Self {
        let handled = |hook: &&Hook| hook.is_terminating && hook.is_handled;
        let heartbeats = hooks.into_iter().filter(handled);
        let heartbeats = heartbeats.map(|hook| hook.heartbeat_secs.min(DRAIN_FUNCTION_SECS));
        let one_off = |task: &&ClusterTask| task.service.is_none() && task.instance.is_some();
        let one_off = cluster.tasks.iter().filter(one_off);
        Self {
            name: cluster.name.clone(),
            managed_draining: cluster.managed_draining,
            drain_limit_secs: heartbeats.min(),
            services: cluster
                .services
                .iter()
                .map(|service| service_plan(cluster, service))
                .collect(),
            one_off_tasks: one_off.map(|task| short(&task.id)).collect(),
            health_unread: cluster.health_unread.clone(),
        }
    }

    /// Warns of what a roll does to the services.
    pub(super) fn warnings(&self) -> Vec<Advice> {
        let mut warnings = Vec::new();
        for service in &self.services {
            warnings.extend(few_processes(service));
            warnings.extend(self.slow_to_stop(service));
            warnings.extend(behind_classic(service));
        }
        warnings.extend(self.health_unread.iter().map(|what| {
            advice(
                "health-unread",
                format!("how services stand behind their load balancers is not known of {what}"),
                "allow elasticloadbalancing:DescribeTargetGroups, DescribeTargetGroupAttributes and \
                 DescribeTargetHealth, or look at the services during the roll",
            )
        }));
        if !self.one_off_tasks.is_empty() {
            let message = match self.one_off_tasks.as_slice() {
                [only] => format!("one-off task {only} belongs to no service: draining kills it"),
                several => format!(
                    "{} one-off tasks belong to no service: draining kills them",
                    several.len()
                ),
            };
            warnings.push(advice("one-off-tasks", message, "let them end first"));
        }
        warnings
    }

    fn slow_to_stop(&self, service: &ServicePlan) -> Option<Advice> {
        let limit = self.drain_limit_secs.filter(|_| service.desired > 0)?;
        let on_instances = service.instances > 0;
        let stop = service.stop_timeout_secs;
        let health = service.health.as_ref();
        let delay = health.and_then(|it| it.deregistration_delay_secs);
        if let Some(delay) = delay.filter(|delay| *delay > 0) {
            let both = delay.saturating_add(stop);
            return (on_instances && both > limit).then(|| {
                advice(
                    "stop-timeout",
                    format!(
                        "service {} may take {both} s to leave its load balancer and to stop \
                         ({delay} s and {stop} s), and draining gives it {limit} s",
                        service.name
                    ),
                    "lower its deregistration delay or its stop timeout, or what it does last is cut off",
                )
            });
        }
        (on_instances && stop > limit).then(|| {
            advice(
                "stop-timeout",
                format!(
                    "service {} may take {} s to stop, and draining gives it {limit} s",
                    service.name, stop
                ),
                "lower its stop timeout, or what it does last is cut off",
            )
        })
    }
}

fn behind_classic(service: &ServicePlan) -> Option<Advice> {
    let classic = &service.health.as_ref()?.classic;
    (!classic.is_empty() && !service.is_fargate).then(|| {
        advice(
            "classic-balancer",
            format!(
                "service {} is behind classic load balancer {}, whose health is not read",
                service.name,
                classic.join(", ")
            ),
            "look at its instances there during the roll",
        )
    })
}

fn few_processes(service: &ServicePlan) -> Option<Advice> {
    if service.is_daemon || service.is_fargate {
        return None;
    }
    let processes = match service.desired {
        _ if service.stays_up => return None,
        1 => "1 process".to_owned(),
        2 => "2 processes".to_owned(),
        _ => return None,
    };
    let message = format!(
        "service {} has {processes}: it may be down for moments of the roll",
        service.name
    );
    Some(advice(
        "few-processes",
        message,
        "scale it to 3 or more first",
    ))
}

fn service_plan(cluster: &Cluster, service: &ClusterService) -> ServicePlan {
    let own = |task: &&ClusterTask| task.service.as_deref() == Some(service.name.as_str());
    let placed = cluster.tasks.iter().filter(own);
    let placed: Vec<&str> = placed.filter_map(|task| task.instance.as_deref()).collect();
    let instances: BTreeSet<&str> = placed.iter().copied().collect();
    let on = |instance: &str| placed.iter().filter(|it| **it == instance).count();
    let most = instances.iter().map(|instance| on(instance)).max();
    let mut definitions = cluster.definitions.iter();
    let definition = definitions.find(|definition| definition.arn == service.definition);
    ServicePlan {
        name: service.name.clone(),
        desired: service.desired,
        running: service.running,
        minimum_healthy_percent: service.minimum_healthy_percent,
        maximum_percent: service.maximum_percent,
        minimum: service.minimum(),
        instances: number(instances.len()),
        most_on_one: number(most.unwrap_or(0)),
        host_ports: definition.map_or_else(Vec::new, |it| it.host_ports.clone()),
        health_check_grace_secs: service.health_check_grace_secs,
        health: cluster.health_of(service),
        stop_timeout_secs: definition
            .and_then(|it| it.stop_timeout_secs)
            .unwrap_or(STOP_TIMEOUT_SECS),
        is_daemon: service.is_daemon,
        is_fargate: service.is_fargate,
        stays_up: false,
    }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// The part of an ARN that tells a task from others.
fn short(arn: &str) -> String {
    arn.rsplit_once('/').map_or(arn, |(_, id)| id).to_owned()
}
