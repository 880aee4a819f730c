//! What becomes of each type of resource when it is created, updated and deleted.

mod configuration;
mod ecs;
mod fleet;
mod generic;
mod group;
mod launch_configuration;
mod launch_template;
mod nested;

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::world::World;
use super::event::STACK;
use super::rolling::Roll;
use super::signals::SignalWait;
use super::stack::Resource;

use nested::Goal;

pub(super) use generic::likely_attribute;
pub(super) use nested::{Inherited, are_busy, cancel, is_gone, release};

const TARGET_GROUP: &str = "AWS::ElasticLoadBalancingV2::TargetGroup";

/// Where a resource is.
#[derive(Debug, Clone)]
pub(super) struct Site {
    pub stack_name: String,
    pub stack_id: String,
    pub logical_id: String,
    /// What a stack nested there takes over.
    pub inherited: Inherited,
}

impl Site {
    /// Makes a name as CloudFormation does: stack, logical id and chance.
    pub(super) fn unique_name(&self, world: &mut World) -> String {
        let chance = world.chance.hex(12).to_uppercase();
        format!("{}-{}-{chance}", self.stack_name, self.logical_id)
    }
}

/// What was made of a resource.
#[derive(Debug)]
pub(super) struct Made {
    pub physical_id: String,
    pub attributes: BTreeMap<String, Value>,
    pub begun: Begun,
}

/// What remains until a resource is what it should be.
#[derive(Debug)]
pub(super) enum Begun {
    /// Some time.
    Soon(Duration),
    /// Something that is looked at now and then.
    Wait(Wait),
    /// Signals.
    Signals(SignalWait),
    /// A rolling update.
    Roll(Box<Roll>),
}

/// What is looked at until it has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Wait {
    /// A group has as many instances in service as it wants.
    InService(String),
    /// A service runs what it should.
    Stable {
        service: String,
        /// How many more times it is looked at.
        looks: u32,
    },
    /// An instance refresh is over.
    Refresh(String),
    /// A nested stack is where it should be.
    Nested { stack: String, goal: Goal },
}

/// Tells whether an update needs a new physical resource.
pub(super) fn replaces(now: &Resource, wanted: &EvaluatedResource) -> bool {
    let names: &[&str] = match wanted.kind.as_str() {
        "AWS::ECS::TaskDefinition" | "AWS::AutoScaling::LaunchConfiguration" => return true,
        "AWS::EC2::LaunchTemplate" => &["LaunchTemplateName"],
        "AWS::AutoScaling::AutoScalingGroup" => &["AutoScalingGroupName"],
        "AWS::ECS::Cluster" => &["ClusterName"],
        "AWS::ECS::Service" => &["ServiceName", "Cluster"],
        "AWS::S3::Bucket" => &["BucketName"],
        "AWS::SSM::Parameter" => &["Name"],
        _ => return false,
    };
    names
        .iter()
        .any(|name| now.properties.0.get(name) != wanted.properties.get(name))
}

/// Creates a resource.
///
/// # Errors
/// Why the resource is `CREATE_FAILED`.
pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let mut made = match wanted.kind.as_str() {
        "AWS::EC2::LaunchTemplate" => launch_template::create(world, site, wanted)?,
        "AWS::AutoScaling::LaunchConfiguration" => {
            launch_configuration::create(world, site, wanted)?
        }
        "AWS::AutoScaling::AutoScalingGroup" => group::create(world, site, wanted)?,
        "AWS::AutoScaling::LifecycleHook" => group::create_hook(world, site, wanted),
        "AWS::EC2::SpotFleet" => fleet::create(world, site, wanted)?,
        "AWS::ECS::Cluster" => ecs::create_cluster(world, site, wanted),
        "AWS::ECS::TaskDefinition" => ecs::create_task_definition(world, wanted),
        "AWS::ECS::Service" => ecs::create_service(world, site, wanted)?,
        TARGET_GROUP => configuration::create_target_group(world, site, wanted),
        "AWS::S3::Bucket" => configuration::create_bucket(world, site, wanted),
        "AWS::KMS::Key" | "Custom::KMSKey" => configuration::create_key(world, wanted),
        "AWS::SSM::Parameter" => configuration::create_parameter(world, site, wanted),
        STACK => nested::create(world, site, wanted)?,
        _ => generic::create(world, site, wanted),
    };
    if let Some(signals) = SignalWait::read(&wanted.creation_policy) {
        made.begun = Begun::Signals(signals);
    }
    Ok(made)
}

/// Updates a resource in place.
///
/// # Errors
/// Why the resource is `UPDATE_FAILED`.
pub(super) fn update(
    world: &mut World,
    site: &Site,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    match wanted.kind.as_str() {
        "AWS::EC2::LaunchTemplate" => launch_template::update(world, now, wanted),
        "AWS::AutoScaling::AutoScalingGroup" => group::update(world, site, now, wanted, false),
        "AWS::AutoScaling::LifecycleHook" => Ok(group::update_hook(world, now, wanted)),
        "AWS::ECS::Service" => ecs::update_service(world, now, wanted),
        "AWS::SSM::Parameter" => Ok(configuration::update_parameter(world, now, wanted)),
        TARGET_GROUP => Ok(configuration::update_target_group(world, now, wanted)),
        "AWS::EC2::SpotFleet" => Ok(fleet::update(world, now, wanted)),
        STACK => nested::update(world, site, now, wanted),
        _ => Ok(Made {
            physical_id: now.physical_id.clone(),
            attributes: now.attributes.clone(),
            begun: Begun::Soon(moment(world)),
        }),
    }
}

/// Makes a resource again what it was before an update.
///
/// # Errors
/// Why the resource is `UPDATE_FAILED`.
pub(super) fn restore(
    world: &mut World,
    site: &Site,
    now: &Resource,
    before: &Resource,
) -> Result<Made, String> {
    if before.kind == "AWS::EC2::LaunchTemplate" {
        // The newer version stays behind (aws-cloudformation/cloudformation-coverage-roadmap
        // issue 1912), but nobody is sent to it any more.
        return Ok(Made {
            physical_id: before.physical_id.clone(),
            attributes: before.attributes.clone(),
            begun: Begun::Soon(moment(world)),
        });
    }
    if before.kind == STACK {
        return nested::restore(world, site, &before.physical_id);
    }
    let wanted = EvaluatedResource {
        logical_id: before.logical_id.clone(),
        kind: before.kind.clone(),
        properties: before.properties.0.clone(),
        update_policy: before.update_policy.clone(),
        creation_policy: Value::Null,
        deletion_policy: before.deletion_policy.clone(),
        depends_on: Vec::new(),
    };
    if wanted.kind == "AWS::AutoScaling::AutoScalingGroup" {
        return group::update(world, site, now, &wanted, true);
    }
    update(world, site, now, &wanted)
}

/// Deletes a resource and says what remains until it is gone.
///
/// # Errors
/// Why the resource is `DELETE_FAILED`.
pub(super) fn delete(world: &mut World, resource: &Resource) -> Result<Begun, String> {
    let id = &resource.physical_id;
    match resource.kind.as_str() {
        "AWS::EC2::LaunchTemplate" => world.delete_launch_template(id),
        "AWS::AutoScaling::AutoScalingGroup" => {
            world.delete_group(id);
            return Ok(Begun::Soon(world.chance.span(world.pace.shutdown_ms)));
        }
        "AWS::AutoScaling::LaunchConfiguration" => launch_configuration::delete(world, id)?,
        "AWS::AutoScaling::LifecycleHook" => {
            let group = group::group_of_hook(&resource.properties.0);
            world.delete_lifecycle_hook(&group, id);
        }
        "AWS::EC2::SpotFleet" => fleet::delete(world, id),
        "AWS::ECS::Cluster" => world.delete_cluster(id),
        "AWS::ECS::Service" => world.delete_service(id),
        "AWS::S3::Bucket" => {
            if let Err(error) = world.delete_bucket(id)
                && error.code == "BucketNotEmpty"
            {
                return Err(refusal(
                    world,
                    "S3",
                    error.status,
                    &error.message,
                    "GeneralServiceException",
                ));
            }
        }
        "AWS::SSM::Parameter" => world.delete_ssm_parameter(id),
        TARGET_GROUP => world.delete_target_group(id),
        STACK => return Ok(nested::delete(world, id)),
        _ => {}
    }
    Ok(Begun::Soon(moment(world)))
}

/// Looks at something that a resource waits for: `None` while it has not come.
pub(super) fn look(world: &mut World, wait: &mut Wait) -> Option<Result<(), String>> {
    match wait {
        Wait::InService(group) => group::look(world, group),
        Wait::Stable { service, looks } => {
            if world.service_is_stable(service) {
                return Some(Ok(()));
            }
            *looks = looks.saturating_sub(1);
            (*looks == 0).then(|| {
                let request = world.chance.uuid();
                Err(format!(
                    "Resource handler returned message: \"Exceeded attempts to wait\" \
                     (RequestToken: {request}, HandlerErrorCode: NotStabilized)"
                ))
            })
        }
        Wait::Nested { stack, goal } => nested::look(world, stack, *goal),
        Wait::Refresh(id) => {
            let (status, _) = world.instance_refresh(id)?;
            match status.as_str() {
                "Successful" => Some(Ok(())),
                "Pending" | "InProgress" | "Baking" | "Cancelling" | "RollbackInProgress" => None,
                other => {
                    let why = world.refresh_reason(id).unwrap_or_default();
                    let told = format!("Instance refresh {id} ended as {other}. {why}");
                    Some(Err(told.trim_end().to_owned()))
                }
            }
        }
    }
}

/// Draws the time that a change of configuration takes.
pub(super) fn moment(world: &mut World) -> Duration {
    world.chance.span(world.pace.configure_ms)
}

/// Says why a service refused, as a resource handler passes it on.
pub(super) fn refusal(
    world: &mut World,
    service: &str,
    status: u16,
    message: &str,
    code: &str,
) -> String {
    let (request, token) = (world.chance.uuid(), world.chance.uuid());
    format!(
        "Resource handler returned message: \"{message} (Service: {service}, Status Code: \
         {status}, Request ID: {request})\" (RequestToken: {token}, HandlerErrorCode: {code})"
    )
}

/// Returns a property as text.
pub(super) fn text(properties: &Value, name: &str) -> Option<String> {
    match properties.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// Makes a map of attributes.
pub(super) fn attributes<const N: usize>(pairs: [(&str, Value); N]) -> BTreeMap<String, Value> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}
