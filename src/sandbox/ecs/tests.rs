//! Services on instances of a group, while instances come and go.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use super::super::api::Input;
use super::super::autoscaling::{GroupSpec, HookSpec, TemplateVersion};
use super::super::balancers::TargetGroup;
use super::super::ec2::LaunchTemplateData;
use super::super::scenario::Scenario;
use super::super::world::World;
use super::services::ServiceChange;
use super::{Service, Task, TaskState, tasks};

const SERVICE: &str = "arn:aws:ecs:us-east-1:123456789012:service/demo/web";

fn pass(world: &mut World, secs: u64) {
    let until = world.now + Duration::from_secs(secs);
    world.advance_to(until);
}

/// A cluster on a group of that many instances, and a service with a fixed host port.
fn rack(size: u32, desired: u32, min_percent: u32) -> World {
    let mut world = World::new("2026-01-01T00:00:00Z".parse().unwrap(), 11);
    world.create_cluster("demo");
    world.create_cluster("other");
    let data = LaunchTemplateData {
        user_data: Some("echo ECS_CLUSTER=demo >> /etc/ecs/ecs.config\n".to_owned()),
        ..LaunchTemplateData::default()
    };
    let id = world.create_launch_template("web", data).unwrap();
    let spec = GroupSpec {
        name: "web".to_owned(),
        min: size,
        max: size * 2,
        launch_template: Some(TemplateVersion { id, version: 1 }),
        ..GroupSpec::default()
    };
    world.create_group(spec).unwrap();
    world.put_lifecycle_hook(
        "web",
        HookSpec {
            name: "out".to_owned(),
            terminating: true,
            heartbeat_secs: 300,
            default_result: "CONTINUE".to_owned(),
            has_handler: true,
            metadata: None,
        },
    );
    let definition = web(&mut world);
    let properties = json!({
        "Cluster": "demo", "TaskDefinition": definition, "DesiredCount": desired.to_string(),
        "DeploymentConfiguration": {
            "MinimumHealthyPercent": min_percent.to_string(), "MaximumPercent": "200",
        },
    });
    assert_eq!(world.create_service("web", &properties).unwrap(), SERVICE);
    pass(&mut world, 180);
    world
}

fn web(world: &mut World) -> String {
    world.register_task_definition(&json!({
        "Family": "web",
        "ContainerDefinitions": [{
            "Name": "web", "Image": "convox/rack",
            "PortMappings": [{ "HostPort": "4000", "ContainerPort": "5443" }],
        }],
    }))
}

fn service(world: &World) -> &Service {
    world.ecs.service(SERVICE).unwrap()
}

fn running(world: &World) -> usize {
    let cluster = world.ecs.cluster("demo").unwrap();
    cluster
        .tasks
        .values()
        .filter(|task| task.state == TaskState::Running)
        .count()
}

fn hosts(world: &World) -> BTreeSet<String> {
    let cluster = world.ecs.cluster("demo").unwrap();
    let up = cluster
        .tasks
        .values()
        .filter(|task| task.state == TaskState::Running);
    up.filter_map(|task| task.instance.clone()).collect()
}

#[test]
fn instances_join_the_cluster_of_their_boot_script_and_tasks_spread() {
    let world = rack(3, 3, 50);
    assert_eq!(world.ecs.cluster("demo").unwrap().instances.len(), 3);
    assert!(world.ecs.cluster("other").unwrap().instances.is_empty());
    assert!(world.service_is_stable(SERVICE));
    assert_eq!((running(&world), hosts(&world).len()), (3, 3));
}

#[test]
fn a_fixed_host_port_is_given_once_an_instance() {
    let world = rack(2, 3, 50);
    assert_eq!(running(&world), 2);
    assert!(!world.service_is_stable(SERVICE));
    let told = &service(&world).events[0].message;
    assert!(
        told.starts_with("(service web) was unable to place a task"),
        "{told}"
    );
}

#[test]
fn draining_moves_tasks_and_lets_the_instance_go() {
    let mut world = rack(3, 2, 50);
    let old = hosts(&world).pop_first().unwrap();
    world.terminate_member(&old, false).unwrap();
    for _ in 0..120 {
        pass(&mut world, 1);
        assert!(running(&world) >= 1);
    }
    assert!(world.service_is_stable(SERVICE));
    assert!(!hosts(&world).contains(&old));
    assert!(world.ecs.host(&old).is_none());
    assert!(
        world
            .group("web")
            .unwrap()
            .members
            .iter()
            .all(|member| member.instance != old)
    );
}

#[test]
fn a_full_healthy_percent_keeps_the_task_until_its_replacement_runs() {
    let mut world = rack(2, 1, 100);
    let old = hosts(&world).pop_first().unwrap();
    world.terminate_member(&old, false).unwrap();
    for _ in 0..120 {
        pass(&mut world, 1);
        assert!(running(&world) >= 1);
    }
    assert!(!hosts(&world).contains(&old));
}

#[test]
fn a_new_definition_is_deployed_even_when_every_port_is_taken() {
    let mut world = rack(2, 2, 50);
    let definition = web(&mut world);
    world
        .update_service(SERVICE, &json!({ "TaskDefinition": definition }))
        .unwrap();
    assert!(!world.service_is_stable(SERVICE));
    assert_eq!(service(&world).deployments.len(), 2);
    for _ in 0..120 {
        pass(&mut world, 1);
        assert!(running(&world) >= 1);
    }
    assert!(world.service_is_stable(SERVICE));
    let cluster = world.ecs.cluster("demo").unwrap();
    let up = cluster
        .tasks
        .values()
        .filter(|task| task.state == TaskState::Running);
    assert!(up.clone().all(|task| task.definition == definition));
    assert_eq!(up.count(), 2);
}

#[test]
fn a_task_of_no_service_is_killed_by_draining() {
    let mut world = rack(1, 0, 50);
    let host = scheduler_place(&world);
    let new = tasks::NewTask {
        definition: "web",
        service: None,
        host: Some(host.as_str()),
    };
    let task = tasks::start(&mut world, "demo", &new).unwrap();
    pass(&mut world, 30);
    assert_eq!(running(&world), 1);
    let old = hosts(&world).pop_first().unwrap();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 20);
    let task = &world.ecs.cluster("demo").unwrap().tasks[&task];
    assert_eq!(task.state, TaskState::Stopped);
    assert_eq!(
        task.reason.as_deref(),
        Some("draining instance for termination")
    );
}

fn scheduler_place(world: &World) -> String {
    super::scheduler::place_one(world, "demo", "web").unwrap()
}

#[test]
fn what_cannot_be_drained_in_time_goes_down_with_the_instance() {
    // Nowhere to go, and nothing may go below one hundred percent.
    let mut world = rack(1, 1, 100);
    world.suspend_processes("web", &["Launch".to_owned()]);
    let old = hosts(&world).pop_first().unwrap();
    world.terminate_member(&old, false).unwrap();
    pass(&mut world, 290);
    assert_eq!(running(&world), 1);
    pass(&mut world, 60);
    assert_eq!(running(&world), 0);
    assert!(world.group("web").unwrap().members.is_empty());
}

#[test]
fn a_daemon_runs_once_on_every_instance() {
    let mut world = rack(3, 0, 50);
    let definition = world.register_task_definition(&json!({ "Family": "agent" }));
    let properties = json!({
        "Cluster": "demo", "TaskDefinition": definition, "SchedulingStrategy": "DAEMON",
    });
    let arn = world.create_service("agent", &properties).unwrap();
    pass(&mut world, 60);
    assert_eq!(hosts(&world).len(), 3);
    assert!(world.service_is_stable(&arn));
}

fn call(world: &mut World, action: &str, input: serde_json::Value) -> serde_json::Value {
    super::handle(world, action, &Input(input))
        .unwrap()
        .unwrap()
}

#[test]
fn draining_by_call_moves_the_service_and_the_lists_tell() {
    let mut world = rack(3, 2, 50);
    let list = call(
        &mut world,
        "ListContainerInstances",
        json!({ "cluster": "demo" }),
    );
    assert_eq!(list["containerInstanceArns"].as_array().unwrap().len(), 3);
    let wish = json!({ "cluster": "demo", "serviceName": "web" });
    let tasks = call(&mut world, "ListTasks", wish.clone())["taskArns"].clone();
    let wish_tasks = json!({ "cluster": "demo", "tasks": tasks });
    let described = call(&mut world, "DescribeTasks", wish_tasks);
    let host = described["tasks"][0]["containerInstanceArn"].clone();
    let drain = json!({
        "cluster": "demo", "containerInstances": [host.clone()], "status": "DRAINING",
    });
    let drained = call(&mut world, "UpdateContainerInstancesState", drain);
    assert_eq!(drained["containerInstances"][0]["status"], "DRAINING");
    pass(&mut world, 90);
    let asked = json!({ "cluster": "demo", "containerInstances": [host] });
    let shown = call(&mut world, "DescribeContainerInstances", asked);
    assert_eq!(shown["containerInstances"][0]["runningTasksCount"], 0);
    let asked = json!({ "cluster": "demo", "services": [SERVICE, "ghost"] });
    let shown = call(&mut world, "DescribeServices", asked);
    assert_eq!(shown["services"][0]["runningCount"], 2);
    assert_eq!(shown["failures"][0]["reason"], "MISSING");
    let told = shown["services"][0]["events"][0]["message"]
        .as_str()
        .unwrap();
    assert_eq!(told, "(service web) has reached a steady state.");
}

#[test]
fn a_forced_deployment_replaces_tasks_of_the_same_definition() {
    let mut world = rack(3, 2, 50);
    let before: Vec<String> = service(&world).tasks.iter().cloned().collect();
    let wish = json!({ "cluster": "demo", "service": "web", "forceNewDeployment": true });
    let shown = call(&mut world, "UpdateService", wish);
    assert_eq!(shown["service"]["deployments"].as_array().unwrap().len(), 2);
    pass(&mut world, 120);
    assert!(world.service_is_stable(SERVICE));
    assert!(
        before
            .iter()
            .all(|task| !service(&world).tasks.contains(task))
    );
}

#[test]
fn a_missing_cluster_is_told_so() {
    let mut world = rack(1, 1, 0);
    let wish = Input(json!({ "cluster": "ghost" }));
    let refused = super::handle(&mut world, "ListServices", &wish)
        .unwrap()
        .unwrap_err();
    assert_eq!(refused.code, "ClusterNotFoundException");
}

#[test]
fn a_thousand_instances_are_replaced_one_by_one() {
    let mut world = rack(1000, 20, 50);
    let old: Vec<String> = world
        .group("web")
        .unwrap()
        .members
        .into_iter()
        .map(|member| member.instance)
        .collect();
    for batch in old.chunks(10) {
        for instance in batch {
            world.terminate_member(instance, false).unwrap();
        }
        pass(&mut world, 60);
    }
    pass(&mut world, 300);
    assert!(world.service_is_stable(SERVICE));
    let members = world.group("web").unwrap().members;
    assert_eq!(members.len(), 1000);
    assert!(members.iter().all(|member| !old.contains(&member.instance)));
}

const GROUP: &str = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/shop/0f";

/// The rack with a service of one process more, behind a target group that checks every 10 s, three
/// times, and that keeps what leaves for 20 s.
fn balanced() -> World {
    let mut world = rack(3, 1, 50);
    world.put_target_group(TargetGroup {
        interval: Duration::from_secs(10),
        healthy_threshold: 3,
        deregistration_delay: Duration::from_secs(20),
        ..TargetGroup::new(GROUP)
    });
    let definition = world.register_task_definition(&json!({
        "Family": "shop", "ContainerDefinitions": [{ "Name": "web", "Image": "shop" }],
    }));
    let properties = json!({
        "Cluster": "demo", "TaskDefinition": definition, "DesiredCount": 1,
        "LoadBalancers": [
            { "TargetGroupArn": GROUP, "ContainerName": "web", "ContainerPort": "80" },
        ],
    });
    world.create_service("shop", &properties).unwrap();
    world
}

fn states(world: &World) -> Vec<&'static str> {
    world.targets(GROUP).map(|(_, state)| state).collect()
}

#[test]
fn a_task_is_healthy_once_it_has_passed_the_checks_and_its_service_at_rest_only_then() {
    let mut world = balanced();
    let shop = SERVICE.replace("web", "shop");
    let (mut initial, mut seen) = (0, false);
    for _ in 0..120 {
        pass(&mut world, 1);
        match states(&world).as_slice() {
            [] => assert!(!seen),
            ["initial"] => initial += 1,
            ["healthy"] => seen = true,
            other => panic!("{other:?}"),
        }
        assert!(seen || !world.service_is_stable(&shop));
    }
    // Two intervals behind the first check, which comes within the first.
    assert!((20..=31).contains(&initial), "{initial}");
    assert!(world.service_is_stable(&shop));
}

#[test]
fn draining_waits_for_health_and_what_leaves_is_kept_before_it_is_stopped() {
    let mut world = balanced();
    pass(&mut world, 120);
    let (old, host) = world
        .targets(GROUP)
        .map(|(task, _)| (task.id.clone(), task.instance.clone().unwrap()))
        .next()
        .unwrap();
    world.set_draining(&host, true);
    let mut kept = 0;
    for _ in 0..180 {
        pass(&mut world, 1);
        let states = states(&world);
        assert!(states.contains(&"healthy"), "{states:?}");
        kept += u32::from(states.contains(&"draining"));
    }
    assert!((19..=20).contains(&kept), "{kept}");
    assert_eq!(states(&world), ["healthy"]);
    let cluster = world.ecs.cluster("demo").unwrap();
    let old = &cluster.tasks[&old];
    let took = old
        .stopped
        .unwrap()
        .duration_since(old.stopping_at.unwrap());
    // ECS tells of both together: what its target group kept it for, and how long it stopped.
    assert!(took.as_secs() > 20, "{took:?}");
}

#[test]
fn a_task_that_never_passes_is_replaced_when_its_grace_is_over() {
    let text = "name: x\nabout: y\nrack: { services: [{ name: shop, processes: 1, balancer: \
                { interval: 10s, healthy: 2, delay: 0s, grace: 90s } }] }\n\
                faults: [{ unhealthy: { service: prod-shop, times: 1 } }]\n";
    let scenario = Scenario::parse(text, "x").unwrap();
    let now = "2026-01-01T00:00:00Z".parse().unwrap();
    let mut world = World::of_scenario(&scenario, now).unwrap();
    let cluster = world.ecs.clusters().next().unwrap().name.clone();
    let change = ServiceChange {
        forced: true,
        ..ServiceChange::default()
    };
    world
        .change_service(&cluster, "prod-shop", &change)
        .unwrap();
    let healthy = |world: &World| {
        let tasks = world.ecs.cluster(&cluster).unwrap().tasks.values();
        let own = tasks.filter(|task| task.group == "service:prod-shop");
        own.filter(|task| task.is_healthy()).count()
    };
    for _ in 0..300 {
        pass(&mut world, 1);
        assert!(healthy(&world) >= 1);
    }
    let found = world.ecs.cluster(&cluster).unwrap();
    let failed = |task: &&Task| {
        let reason = task.reason.as_deref().unwrap_or_default();
        reason.starts_with("Task failed ELB health checks")
    };
    let failed: Vec<_> = found.tasks.values().filter(failed).collect();
    let [failed] = failed.as_slice() else {
        panic!("{failed:?}");
    };
    let ran = failed
        .stopping_at
        .unwrap()
        .duration_since(failed.started.unwrap());
    assert_eq!(ran.as_secs(), 90);
    assert!(found.services["prod-shop"].is_stable());
}
