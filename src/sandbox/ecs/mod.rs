//! ECS: clusters, services, tasks and container instances.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Answer, AwsError, Input};
use super::world::World;

/// ECS's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ecs {}

/// ECS's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {}

/// Carries out what is due.
pub fn on_due(_world: &mut World, due: Due) {
    match due {}
}

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(_world: &mut World, _action: &str, _input: &Input) -> Option<Answer> {
    None
}

/// An instance's boot script has ended: it joins the cluster that the script names.
pub(crate) fn on_instance_booted(_world: &mut World, _instance: &str, _cluster: Option<&str>) {}

/// An instance goes away: its tasks stop with it.
pub(crate) fn on_instance_lost(_world: &mut World, _instance: &str) {}

/// The rack's function empties an instance, and then tells Auto Scaling.
pub(crate) fn drain_instance(world: &mut World, instance: &str) {
    super::autoscaling::on_drained(world, instance);
}

impl World {
    /// Makes a cluster and returns its name. Instances whose boot script names it join it.
    pub fn create_cluster(&mut self, name: &str) -> String {
        name.to_owned()
    }

    /// Deletes a cluster.
    pub fn delete_cluster(&mut self, _name: &str) {}

    /// Registers a task definition from its CloudFormation properties and returns its ARN.
    pub fn register_task_definition(&mut self, _properties: &Value) -> String {
        String::new()
    }

    /// Makes a service from its CloudFormation properties and returns its ARN.
    ///
    /// # Errors
    /// When the cluster does not exist.
    pub fn create_service(&mut self, _name: &str, _properties: &Value) -> Result<String, AwsError> {
        Ok(String::new())
    }

    /// Changes a service from its CloudFormation properties: a new task definition is deployed.
    ///
    /// # Errors
    /// When the service does not exist.
    pub fn update_service(&mut self, _arn: &str, _properties: &Value) -> Result<(), AwsError> {
        Ok(())
    }

    /// Deletes a service and its tasks.
    pub fn delete_service(&mut self, _arn: &str) {}

    /// Tells whether a service runs what it should, and nothing else (CloudFormation waits for it).
    #[must_use]
    pub fn service_is_stable(&self, _arn: &str) -> bool {
        true
    }
}
