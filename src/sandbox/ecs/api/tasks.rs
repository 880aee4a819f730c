//! Calls about task definitions and tasks.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::tasks::{self, NewTask};
use super::super::{Cluster, Task, TaskDefinition, scheduler};
use super::clusters::host_arn;
use super::{asked_cluster, instant, invalid, missing, page_of_arns, short};

/// `RegisterTaskDefinition`.
pub(super) fn register(world: &mut World, input: &Input) -> Answer {
    if !input.has("family") {
        return Err(AwsError::new(
            400,
            "ClientException",
            "Family should not be empty",
        ));
    }
    let shown = shown_definition(world.register_body(input.0.clone()));
    Ok(json!({ "taskDefinition": shown }))
}

/// `DescribeTaskDefinition`.
pub(super) fn describe_definition(world: &mut World, input: &Input) -> Answer {
    let name = input.text("taskDefinition").unwrap_or_default();
    let definition = world
        .ecs
        .task_definition(&name)
        .ok_or_else(no_such_definition)?;
    Ok(json!({ "taskDefinition": shown_definition(definition), "tags": [] }))
}

fn no_such_definition() -> AwsError {
    AwsError::new(
        400,
        "ClientException",
        "Unable to describe task definition.",
    )
}

fn shown_definition(definition: &TaskDefinition) -> Value {
    let mut shown = definition.body.clone();
    if let Some(fields) = shown.as_object_mut() {
        fields.insert(
            "taskDefinitionArn".to_owned(),
            definition.arn.clone().into(),
        );
        fields.insert("revision".to_owned(), definition.revision.into());
        fields.insert("status".to_owned(), "ACTIVE".into());
        fields.insert(
            "registeredAt".to_owned(),
            instant(definition.registered).into(),
        );
        fields.entry("volumes").or_insert_with(|| json!([]));
        fields
            .entry("placementConstraints")
            .or_insert_with(|| json!([]));
    }
    shown
}

/// `RunTask`.
pub(super) fn run(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?.name.clone();
    let name = input.text("taskDefinition").unwrap_or_default();
    let definition = world
        .ecs
        .task_definition(&name)
        .ok_or_else(no_such_definition)?
        .arn
        .clone();
    let is_fargate = input.text("launchType").as_deref() == Some("FARGATE");
    let (mut started, mut failures) = (Vec::new(), Vec::new());
    for _ in 0..input.integer("count").unwrap_or(1) {
        let host = scheduler::place_one(world, &cluster, &definition).filter(|_| !is_fargate);
        if host.is_none() && !is_fargate {
            failures.push(json!({ "reason": "RESOURCE:PORTS" }));
            continue;
        }
        let new = NewTask {
            definition: &definition,
            service: None,
            host: host.as_deref(),
        };
        started.extend(tasks::start(world, &cluster, &new));
    }
    let cluster = asked_cluster(world, input)?;
    let shown: Vec<Value> = started
        .iter()
        .filter_map(|id| cluster.tasks.get(id))
        .map(|task| shown_task(world, cluster, task))
        .collect();
    Ok(json!({ "tasks": shown, "failures": failures }))
}

/// `StopTask`.
pub(super) fn stop(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let text = input.text("task").unwrap_or_default();
    let id = short(&text).to_owned();
    if !cluster.tasks.contains_key(&id) {
        return Err(invalid("The referenced task was not found."));
    }
    let name = cluster.name.clone();
    let reason = input
        .text("reason")
        .unwrap_or_else(|| "Task stopped by user".to_owned());
    tasks::stop(world, &name, &id, &reason);
    let cluster = asked_cluster(world, input)?;
    let shown = cluster
        .tasks
        .get(&id)
        .map(|task| shown_task(world, cluster, task));
    Ok(json!({ "task": shown }))
}

fn desired(task: &Task) -> &'static str {
    if task.stopping { "STOPPED" } else { "RUNNING" }
}

fn task_arn(world: &World, cluster: &str, id: &str) -> String {
    world.arn("ecs", &format!("task/{cluster}/{id}"))
}

/// `ListTasks`: those that are to run, unless `desiredStatus` says otherwise.
pub(super) fn list(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let wanted = input
        .text("desiredStatus")
        .unwrap_or_else(|| "RUNNING".to_owned());
    let service = input.text("serviceName");
    let family = input.text("family");
    let host = input.text("containerInstance");
    let fits = |task: &&Task| {
        let of_service = |name: &String| {
            task.service
                .as_ref()
                .is_some_and(|(service, _)| service == short(name))
        };
        let of_family = |family: &String| {
            short(&task.definition)
                .rsplit_once(':')
                .is_some_and(|(own, _)| own == family)
        };
        desired(task) == wanted
            && service.as_ref().is_none_or(of_service)
            && family.as_ref().is_none_or(of_family)
            && host
                .as_ref()
                .is_none_or(|host| task.host.as_deref() == Some(short(host)))
    };
    let arns = cluster
        .tasks
        .values()
        .filter(fits)
        .map(|task| task_arn(world, &cluster.name, &task.id))
        .collect();
    page_of_arns(input, "taskArns", arns, 100)
}

/// `DescribeTasks`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let cluster = asked_cluster(world, input)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for text in input.texts("tasks") {
        match cluster.tasks.get(short(&text)) {
            Some(task) => found.push(shown_task(world, cluster, task)),
            None => failures.push(missing(&task_arn(world, &cluster.name, short(&text)))),
        }
    }
    Ok(json!({ "tasks": found, "failures": failures }))
}

fn shown_task(world: &World, cluster: &Cluster, task: &Task) -> Value {
    let definition = world.ecs.task_definition(&task.definition);
    let declared = definition.and_then(|it| it.body.get("containerDefinitions")?.as_array());
    let containers: Vec<Value> = declared
        .into_iter()
        .flatten()
        .map(|container| {
            let text = |name: &str| {
                container
                    .get(name)
                    .and_then(Value::as_str)
                    .unwrap_or_default()
            };
            json!({
                "containerArn": world.arn(
                    "ecs",
                    &format!("container/{}/{}/{}", cluster.name, task.id, text("name")),
                ),
                "taskArn": task_arn(world, &cluster.name, &task.id),
                "name": text("name"),
                "image": text("image"),
                "lastStatus": task.state.as_str(),
                "networkBindings": [],
                "networkInterfaces": [],
            })
        })
        .collect();
    let stop_code = task.reason.as_ref().map(|reason| match reason {
        it if it.starts_with("Host EC2") => "TerminationNotice",
        it if it.starts_with("Scaling activity") || it == "Service deleted" => {
            "ServiceSchedulerInitiated"
        }
        _ => "UserInitiated",
    });
    json!({
        "taskArn": task_arn(world, &cluster.name, &task.id),
        "clusterArn": world.arn("ecs", &format!("cluster/{}", cluster.name)),
        "taskDefinitionArn": task.definition,
        "containerInstanceArn":
            task.host.as_ref().map(|host| host_arn(world, &cluster.name, host)),
        "launchType": if task.host.is_some() { "EC2" } else { "FARGATE" },
        "lastStatus": task.state.as_str(),
        "desiredStatus": desired(task),
        "healthStatus": "UNKNOWN",
        "group": task.group,
        "startedBy": task.service.as_ref().map(|(_, deployment)| deployment),
        "createdAt": instant(task.created),
        "startedAt": task.started.map(instant),
        "stoppingAt": task.stopping_at.map(instant),
        "stoppedAt": task.stopped.map(instant),
        "stoppedReason": task.reason,
        "stopCode": stop_code,
        "containers": containers,
        "version": 1,
        "attachments": [],
        "attributes": [],
        "tags": [],
    })
}
