//! Services and their deployments.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::api::AwsError;
use super::super::world::World;
use super::task_definitions::{whole, with_api_names};
use super::{Cluster, Ecs, scheduler, tasks};

/// How many events a service remembers (ECS API reference: "up to 100").
const EVENTS: usize = 100;

/// A service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Service {
    /// The name.
    pub name: String,
    /// The cluster's name.
    pub cluster: String,
    /// How many tasks are wanted.
    pub desired: u64,
    /// The fewest running tasks, in percent of what is wanted.
    pub min_percent: u64,
    /// The most tasks, in percent of what is wanted.
    pub max_percent: u64,
    /// `EC2` or `FARGATE`.
    pub launch_type: String,
    /// Whether it wants one task on every instance.
    pub daemon: bool,
    /// When it was made.
    pub created: Timestamp,
    /// Deployments; the first is the primary one.
    pub deployments: Vec<Deployment>,
    /// Its tasks that have not stopped.
    pub tasks: BTreeSet<String>,
    /// What it tells, newest first.
    pub events: VecDeque<ServiceEvent>,
    /// Its load balancers, with the API's names.
    pub load_balancers: Value,
    /// How long the checks of a new task are not heeded.
    #[serde(default)]
    pub grace: Duration,
    /// Whether it runs what it should, and nothing else.
    pub steady: bool,
    /// Whether it has told that a task has no place.
    pub(super) told_no_place: bool,
    /// Whether it is about to look.
    pub(super) check_due: bool,
}

/// One attempt to bring a service to a task definition.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Deployment {
    /// The id, such as `ecs-svc/0123456789012345678`.
    pub id: String,
    /// The task definition's ARN.
    pub definition: String,
    /// When it was begun.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
    /// Whether all its tasks have come up.
    pub completed: bool,
}

/// Something that a service tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// The id, a UUID.
    pub id: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub message: String,
}

/// What is asked of a service: what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct ServiceChange {
    /// The task definition, by any of its names.
    pub definition: Option<String>,
    /// How many tasks are wanted.
    pub desired: Option<u64>,
    /// The fewest running tasks, in percent.
    pub min_percent: Option<u64>,
    /// The most tasks, in percent.
    pub max_percent: Option<u64>,
    /// Whether tasks are replaced even if nothing else has changed.
    pub forced: bool,
}

impl ServiceChange {
    /// Reads a change with the API's names.
    pub(super) fn read(body: &Value) -> Self {
        let percent = |name: &str| {
            body.get("deploymentConfiguration")?
                .get(name)
                .and_then(whole)
        };
        Self {
            definition: body
                .get("taskDefinition")
                .and_then(Value::as_str)
                .map(str::to_owned),
            desired: body.get("desiredCount").and_then(whole),
            min_percent: percent("minimumHealthyPercent"),
            max_percent: percent("maximumPercent"),
            forced: body
                .get("forceNewDeployment")
                .and_then(Value::as_bool)
                .unwrap_or(false),
        }
    }
}

impl Service {
    /// Writes down something to tell.
    pub(super) fn tell(&mut self, id: String, at: Timestamp, what: &str) {
        let message = format!("(service {}) {what}", self.name);
        self.events.push_front(ServiceEvent { id, at, message });
        self.events.truncate(EVENTS);
    }

    /// Tells whether it runs what it should, and nothing else.
    #[must_use]
    pub fn is_stable(&self) -> bool {
        self.steady && !self.check_due && self.deployments.len() == 1
    }
}

/// The cluster's and the service's names in a service's ARN.
fn names_in(arn: &str) -> Option<(&str, &str)> {
    let (_, names) = arn.split_once(":service/")?;
    names.split_once('/')
}

/// The name in a cluster's ARN, or the name itself.
pub(super) fn cluster_name(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(_, name)| name)
}

impl Ecs {
    /// Returns a service by its ARN.
    #[must_use]
    pub fn service(&self, arn: &str) -> Option<&Service> {
        let (cluster, name) = names_in(arn)?;
        self.clusters.get(cluster)?.services.get(name)
    }
}

impl World {
    /// Makes a service from its CloudFormation properties and returns its ARN.
    ///
    /// # Errors
    /// When the cluster does not exist.
    pub fn create_service(&mut self, name: &str, properties: &Value) -> Result<String, AwsError> {
        self.create_service_from(name, &with_api_names(properties))
    }

    /// Changes a service from its CloudFormation properties: a new task definition is deployed.
    ///
    /// # Errors
    /// When the service does not exist.
    pub fn update_service(&mut self, arn: &str, properties: &Value) -> Result<(), AwsError> {
        let change = ServiceChange::read(&with_api_names(properties));
        let (cluster, name) = names_in(arn).ok_or_else(no_such_service)?;
        self.change_service(cluster, name, &change)
    }

    /// Deletes a service and its tasks.
    pub fn delete_service(&mut self, arn: &str) {
        let Some((cluster_name, name)) = names_in(arn) else {
            return;
        };
        let Some(cluster) = self.ecs.clusters.get_mut(cluster_name) else {
            return;
        };
        let Some(service) = cluster.services.remove(name) else {
            return;
        };
        for task in service.tasks {
            tasks::stop(self, cluster_name, &task, "Service deleted");
        }
    }

    /// Tells whether a service runs what it should, and nothing else (CloudFormation waits for it).
    ///
    /// A service that has gone has nothing to wait for.
    #[must_use]
    pub fn service_is_stable(&self, arn: &str) -> bool {
        self.ecs.service(arn).is_none_or(Service::is_stable)
    }

    /// Makes a service from a body with the API's names.
    pub(super) fn create_service_from(
        &mut self,
        name: &str,
        body: &Value,
    ) -> Result<String, AwsError> {
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let cluster = cluster_name(text("cluster").unwrap_or("default")).to_owned();
        let change = ServiceChange::read(body);
        let definition = self.known_definition(change.definition.as_deref().unwrap_or_default())?;
        let deployment = self.new_deployment(definition);
        let daemon = text("schedulingStrategy") == Some("DAEMON");
        let grace = body.get("healthCheckGracePeriodSeconds").and_then(whole);
        let grace = grace.unwrap_or(0);
        let service = Service {
            name: name.to_owned(),
            cluster: cluster.clone(),
            desired: change.desired.unwrap_or(1),
            min_percent: change.min_percent.unwrap_or(if daemon { 0 } else { 100 }),
            max_percent: change.max_percent.unwrap_or(if daemon { 100 } else { 200 }),
            launch_type: text("launchType").unwrap_or("EC2").to_owned(),
            daemon,
            created: self.now,
            deployments: vec![deployment],
            tasks: BTreeSet::new(),
            events: VecDeque::new(),
            load_balancers: body
                .get("loadBalancers")
                .cloned()
                .unwrap_or(Value::Array(Vec::new())),
            grace: Duration::from_secs(grace),
            steady: false,
            told_no_place: false,
            check_due: false,
        };
        let found = self
            .ecs
            .clusters
            .get_mut(&cluster)
            .ok_or_else(no_such_cluster)?;
        if found.services.contains_key(name) {
            return Err(AwsError::new(
                400,
                "InvalidParameterException",
                "Creation of service was not idempotent.",
            ));
        }
        found.services.insert(name.to_owned(), service);
        scheduler::check_soon(self, &cluster, name);
        Ok(self.arn("ecs", &format!("service/{cluster}/{name}")))
    }

    /// Changes a service; what its tasks are started from has changed means a new deployment.
    pub(super) fn change_service(
        &mut self,
        cluster: &str,
        name: &str,
        change: &ServiceChange,
    ) -> Result<(), AwsError> {
        let definition = match &change.definition {
            Some(definition) => Some(self.known_definition(definition)?),
            None => None,
        };
        let service = find(&self.ecs, cluster, name).ok_or_else(no_such_service)?;
        let current = service
            .deployments
            .first()
            .map(|primary| primary.definition.clone());
        let wanted = definition.or_else(|| current.clone()).unwrap_or_default();
        let deployment = (change.forced || current.as_ref() != Some(&wanted))
            .then(|| self.new_deployment(wanted));
        let Some(service) = self
            .ecs
            .clusters
            .get_mut(cluster)
            .and_then(|cluster| cluster.services.get_mut(name))
        else {
            return Err(no_such_service());
        };
        service.desired = change.desired.unwrap_or(service.desired);
        service.min_percent = change.min_percent.unwrap_or(service.min_percent);
        service.max_percent = change.max_percent.unwrap_or(service.max_percent);
        if let Some(deployment) = deployment {
            service.deployments.insert(0, deployment);
            service.steady = false;
        }
        service.told_no_place = false;
        scheduler::check_soon(self, cluster, name);
        Ok(())
    }

    fn known_definition(&self, name: &str) -> Result<String, AwsError> {
        let found = self.ecs.task_definition(name);
        found
            .map(|definition| definition.arn.clone())
            .ok_or_else(|| {
                AwsError::new(
                    400,
                    "ClientException",
                    "Unable to describe task definition.",
                )
            })
    }

    fn new_deployment(&mut self, definition: String) -> Deployment {
        let number = 1_000_000_000_000_000_000 + self.chance.bits() % 8_000_000_000_000_000_000;
        Deployment {
            id: format!("ecs-svc/{number}"),
            definition,
            created: self.now,
            updated: self.now,
            completed: false,
        }
    }
}

pub(super) fn find<'a>(ecs: &'a Ecs, cluster: &str, name: &str) -> Option<&'a Service> {
    ecs.clusters
        .get(cluster)
        .and_then(|cluster: &Cluster| cluster.services.get(name))
}

/// ECS's answer about a cluster that it does not know.
pub(super) fn no_such_cluster() -> AwsError {
    AwsError::new(400, "ClusterNotFoundException", "Cluster not found.")
}

/// ECS's answer about a service that it does not know.
pub(super) fn no_such_service() -> AwsError {
    AwsError::new(400, "ServiceNotFoundException", "Service not found.")
}
