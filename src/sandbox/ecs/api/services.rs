//! Calls about services.

use serde_json::{Value, json};

use super::super::super::api::{Answer, Input};
use super::super::super::world::World;
use super::super::services::{ServiceChange, find, no_such_service};
use super::super::tasks::TaskState;
use super::super::{Cluster, Deployment, Service};
use super::{asked_cluster, instant, invalid, missing, page_of_arns, short};

fn service_arn(world: &World, cluster: &str, name: &str) -> String {
    world.arn("ecs", &format!("service/{cluster}/{name}"))
}

/// `CreateService`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let name = input
        .text("serviceName")
        .ok_or_else(|| invalid("Service name is missing."))?;
    asked_cluster(world, input)?;
    let arn = world.create_service_from(&name, &input.0)?;
    let cluster = asked_cluster(world, input)?;
    let shown = world
        .ecs
        .service(&arn)
        .map(|service| shown(world, cluster, service));
    Ok(json!({ "service": shown }))
}

/// `UpdateService`.
pub(super) fn update(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?.name.clone();
    let text = input.text("service").unwrap_or_default();
    let name = short(&text);
    world.change_service(&cluster, name, &ServiceChange::read(&input.0))?;
    let cluster = asked_cluster(world, input)?;
    let shown = cluster
        .services
        .get(name)
        .map(|service| shown(world, cluster, service));
    Ok(json!({ "service": shown }))
}

/// `DeleteService`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let text = input.text("service").unwrap_or_default();
    let service = find(&world.ecs, &cluster.name, short(&text)).ok_or_else(no_such_service)?;
    if service.desired > 0 && input.truth("force") != Some(true) {
        return Err(invalid(
            "The service cannot be stopped while it is scaled above 0.",
        ));
    }
    let mut last = shown(world, cluster, service);
    last["status"] = "DRAINING".into();
    let arn = service_arn(world, &cluster.name, &service.name);
    world.delete_service(&arn);
    Ok(json!({ "service": last }))
}

/// `ListServices`.
pub(super) fn list(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let arns = cluster
        .services
        .keys()
        .map(|name| service_arn(world, &cluster.name, name))
        .collect();
    page_of_arns(input, "serviceArns", arns, 10)
}

/// `DescribeServices`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let asked = input.texts("services");
    if asked.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if asked.len() > 10 {
        return Err(invalid("Services can have at most 10 items."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in asked {
        match cluster.services.get(short(&text)) {
            Some(service) => found.push(shown(world, cluster, service)),
            None => failures.push(missing(&service_arn(world, &cluster.name, short(&text)))),
        }
    }
    Ok(json!({ "services": found, "failures": failures }))
}

/// Counts a service's tasks that are to run, of one deployment or of all.
fn count(
    cluster: &Cluster,
    service: &Service,
    state: TaskState,
    deployment: Option<&Deployment>,
) -> usize {
    let of_deployment = |of: &Option<(String, String)>| {
        deployment.is_none_or(|wanted| {
            of.as_ref()
                .is_some_and(|(_, deployment)| *deployment == wanted.id)
        })
    };
    let tasks = service.tasks.iter().filter_map(|id| cluster.tasks.get(id));
    tasks
        .filter(|task| task.state == state && !task.stopping && of_deployment(&task.service))
        .count()
}

fn shown(world: &World, cluster: &Cluster, service: &Service) -> Value {
    let wanted = if service.daemon {
        u64::try_from(
            cluster
                .instances
                .values()
                .filter(|host| !host.draining)
                .count(),
        )
        .unwrap_or(0)
    } else {
        service.desired
    };
    let deployments: Vec<Value> = service
        .deployments
        .iter()
        .enumerate()
        .map(|(place, deployment)| {
            let is_primary = place == 0;
            let counted = |state| count(cluster, service, state, Some(deployment));
            let rollout = if deployment.completed {
                "COMPLETED"
            } else {
                "IN_PROGRESS"
            };
            json!({
                "id": deployment.id,
                "status": if is_primary { "PRIMARY" } else { "ACTIVE" },
                "taskDefinition": deployment.definition,
                "desiredCount": if is_primary { wanted } else { 0 },
                "pendingCount": counted(TaskState::Pending),
                "runningCount": counted(TaskState::Running),
                "failedTasks": 0,
                "createdAt": instant(deployment.created),
                "updatedAt": instant(deployment.updated),
                "launchType": service.launch_type,
                "rolloutState": rollout,
            })
        })
        .collect();
    let events: Vec<Value> = service
        .events
        .iter()
        .map(|event| {
            json!({ "id": event.id, "createdAt": instant(event.at), "message": event.message })
        })
        .collect();
    json!({
        "serviceArn": service_arn(world, &cluster.name, &service.name),
        "serviceName": service.name,
        "clusterArn": world.arn("ecs", &format!("cluster/{}", cluster.name)),
        "loadBalancers": service.load_balancers,
        "healthCheckGracePeriodSeconds":
            (service.target_groups().next().is_some()).then_some(service.grace.as_secs()),
        "serviceRegistries": [],
        "status": "ACTIVE",
        "desiredCount": wanted,
        "runningCount": count(cluster, service, TaskState::Running, None),
        "pendingCount": count(cluster, service, TaskState::Pending, None),
        "launchType": service.launch_type,
        "taskDefinition": service.deployments.first().map(|primary| &primary.definition),
        "deploymentConfiguration": {
            "maximumPercent": service.max_percent,
            "minimumHealthyPercent": service.min_percent,
        },
        "deployments": deployments,
        "events": events,
        "createdAt": instant(service.created),
        "placementConstraints": [],
        "placementStrategy": [],
        "schedulingStrategy": if service.daemon { "DAEMON" } else { "REPLICA" },
        "enableECSManagedTags": false,
        "propagateTags": "NONE",
        "enableExecuteCommand": false,
    })
}
