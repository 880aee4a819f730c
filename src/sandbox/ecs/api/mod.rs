//! ECS's calls: what they take and how they answer.

mod clusters;
mod services;
mod tasks;

use serde_json::{Value, json};

use super::super::api::{Answer, AwsError, Input};
use super::super::paging::{Page, page};
use super::super::world::World;
use super::Cluster;
use super::services::{cluster_name, no_such_cluster};

/// Answers one API call; `None` for an action that is not simulated.
pub fn handle(world: &mut World, action: &str, input: &Input) -> Option<Answer> {
    let call = match action {
        "CreateCluster" => clusters::create,
        "DeleteCluster" => clusters::delete,
        "ListClusters" => clusters::list,
        "DescribeClusters" => clusters::describe,
        "ListContainerInstances" => clusters::list_instances,
        "DescribeContainerInstances" => clusters::describe_instances,
        "UpdateContainerInstancesState" => clusters::update_instances,
        "DeregisterContainerInstance" => clusters::deregister_instance,
        "RegisterTaskDefinition" => tasks::register,
        "DescribeTaskDefinition" => tasks::describe_definition,
        "RunTask" => tasks::run,
        "StopTask" => tasks::stop,
        "ListTasks" => tasks::list,
        "DescribeTasks" => tasks::describe,
        "CreateService" => services::create,
        "UpdateService" => services::update,
        "DeleteService" => services::delete,
        "ListServices" => services::list,
        "DescribeServices" => services::describe,
        _ => return None,
    };
    Some(call(world, input))
}

/// An instant as ECS writes it: seconds since 1970, with a fraction.
fn instant(at: jiff::Timestamp) -> f64 {
    let whole = f64::from(i32::try_from(at.as_second()).unwrap_or(i32::MAX));
    whole + f64::from(at.subsec_millisecond()) / 1000.0
}

/// Returns the cluster that a call is about; `default` when it names none.
fn asked_cluster<'a>(world: &'a World, input: &Input) -> Result<&'a Cluster, AwsError> {
    let text = input
        .text("cluster")
        .unwrap_or_else(|| "default".to_owned());
    world
        .ecs
        .cluster(cluster_name(&text))
        .ok_or_else(no_such_cluster)
}

/// The part of an ARN, or of an id, that tells a thing within its cluster.
fn short(text: &str) -> &str {
    text.rsplit_once('/').map_or(text, |(_, short)| short)
}

/// A list call's answer: one page of ARNs.
fn page_of_arns(input: &Input, name: &str, mut arns: Vec<String>, usual: usize) -> Answer {
    arns.sort();
    let size = input
        .integer("maxResults")
        .and_then(|size| usize::try_from(size).ok());
    let token = input.text("nextToken");
    let Page { items, next } = page(
        arns,
        String::clone,
        size.unwrap_or(usual).min(100),
        token.as_deref(),
    )
    .map_err(|_| invalid("Invalid token"))?;
    Ok(json!({ name: items, "nextToken": next }))
}

fn invalid(message: &str) -> AwsError {
    AwsError::new(400, "InvalidParameterException", message)
}

/// What a describe call says about something that is not there.
fn missing(arn: &str) -> Value {
    json!({ "arn": arn, "reason": "MISSING" })
}
