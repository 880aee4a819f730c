//! Auto Scaling's calls, as the wire hands them over.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::api::{AwsError, Input};
use super::super::super::ec2::LaunchTemplateData;
use super::super::super::world::World;
use super::handle;

fn call(world: &mut World, action: &str, input: Value) -> Value {
    handle(world, action, &Input(input)).unwrap().unwrap()
}

fn refusal(world: &mut World, action: &str, input: Value) -> AwsError {
    handle(world, action, &Input(input)).unwrap().unwrap_err()
}

fn pass(world: &mut World, secs: u64) {
    let until = world.now + Duration::from_secs(secs);
    world.advance_to(until);
}

fn world(size: u32) -> World {
    let mut world = World::new("2026-01-01T00:00:00Z".parse().unwrap(), 5);
    world
        .create_launch_template("web", LaunchTemplateData::default())
        .unwrap();
    call(
        &mut world,
        "CreateAutoScalingGroup",
        json!({
            "AutoScalingGroupName": "web", "MinSize": size.to_string(), "MaxSize": "20",
            "LaunchTemplate": { "LaunchTemplateName": "web", "Version": "$Latest" },
            "Tags": [
                { "Key": "Rack", "Value": "demo", "PropagateAtLaunch": "true" },
                { "Key": "Note", "Value": "x", "PropagateAtLaunch": "false" },
            ],
        }),
    );
    pass(&mut world, 30);
    world
}

fn group(world: &mut World) -> Value {
    let wish = json!({ "AutoScalingGroupNames": ["web", "ghost"] });
    let found = call(world, "DescribeAutoScalingGroups", wish);
    assert_eq!(found["AutoScalingGroups"].as_array().unwrap().len(), 1);
    found["AutoScalingGroups"][0].clone()
}

fn first(world: &mut World) -> String {
    group(world)["Instances"][0]["InstanceId"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn a_group_shows_its_members_and_where_they_come_from() {
    let mut world = world(2);
    let shown = group(&mut world);
    assert_eq!(shown["LaunchTemplate"]["Version"], "$Latest");
    assert_eq!(shown["CreatedTime"], "2026-01-01T00:00:00.000Z");
    let member = &shown["Instances"][1];
    assert_eq!(member["LifecycleState"], "InService");
    assert_eq!(member["LaunchTemplate"]["Version"], "1");
    let id = member["InstanceId"].as_str().unwrap();
    let tags = &world.ec2.instance(id).unwrap().tags;
    assert_eq!(tags.get("Rack").map(String::as_str), Some("demo"));
    assert!(!tags.contains_key("Note"));
    assert_eq!(
        tags.get("aws:autoscaling:groupName").map(String::as_str),
        Some("web")
    );
}

#[test]
fn the_newest_version_is_taken_at_launch() {
    let mut world = world(1);
    let id = world.launch_template_id("web").unwrap().to_owned();
    world
        .create_launch_template_version(&id, LaunchTemplateData::default())
        .unwrap();
    let wish = json!({ "AutoScalingGroupName": "web", "DesiredCapacity": "2" });
    call(&mut world, "SetDesiredCapacity", wish);
    assert_eq!(
        group(&mut world)["Instances"][1]["LaunchTemplate"]["Version"],
        "2"
    );
}

#[test]
fn activities_come_newest_first_and_in_pages() {
    let mut world = world(15);
    let wish = json!({ "AutoScalingGroupName": "web", "MaxRecords": "10" });
    let page = call(&mut world, "DescribeScalingActivities", wish);
    assert_eq!(page["Activities"].as_array().unwrap().len(), 10);
    let wish = json!({
        "AutoScalingGroupName": "web", "MaxRecords": "10", "NextToken": page["NextToken"],
    });
    let rest = call(&mut world, "DescribeScalingActivities", wish);
    assert_eq!(rest["Activities"].as_array().unwrap().len(), 5);
    assert!(rest["NextToken"].is_null());
    assert_eq!(rest["Activities"][0]["StatusCode"], "Successful");
}

#[test]
fn terminating_below_the_least_is_refused() {
    let mut world = world(1);
    let id = first(&mut world);
    let wish = json!({ "InstanceId": id, "ShouldDecrementDesiredCapacity": "true" });
    let refused = refusal(&mut world, "TerminateInstanceInAutoScalingGroup", wish);
    assert!(
        refused
            .message
            .starts_with("Currently, desiredSize equals minSize (1).")
    );
    let wish = json!({ "InstanceId": id, "ShouldDecrementDesiredCapacity": "false" });
    let done = call(&mut world, "TerminateInstanceInAutoScalingGroup", wish);
    assert_eq!(done["Activity"]["StatusCode"], "InProgress");
}

#[test]
fn a_hook_holds_until_it_is_completed_and_heartbeats_put_that_off() {
    let mut world = world(1);
    call(
        &mut world,
        "PutLifecycleHook",
        json!({
            "AutoScalingGroupName": "web", "LifecycleHookName": "out",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "HeartbeatTimeout": "100", "DefaultResult": "CONTINUE",
        }),
    );
    let id = first(&mut world);
    let wish = json!({ "InstanceId": id, "ShouldDecrementDesiredCapacity": "false" });
    call(&mut world, "TerminateInstanceInAutoScalingGroup", wish);
    pass(&mut world, 60);
    let wish = json!({
        "AutoScalingGroupName": "web", "LifecycleHookName": "out", "InstanceId": id,
    });
    call(&mut world, "RecordLifecycleActionHeartbeat", wish.clone());
    pass(&mut world, 90);
    assert_eq!(
        group(&mut world)["Instances"][0]["LifecycleState"],
        "Terminating:Wait"
    );
    let mut wish = wish;
    wish["LifecycleActionResult"] = "CONTINUE".into();
    call(&mut world, "CompleteLifecycleAction", wish.clone());
    assert_eq!(
        group(&mut world)["Instances"][0]["LifecycleState"],
        "Terminating:Proceed"
    );
    let refused = refusal(&mut world, "CompleteLifecycleAction", wish);
    assert!(
        refused
            .message
            .starts_with("No active Lifecycle Action found")
    );
}

#[test]
fn a_refresh_with_a_wished_template_can_be_rolled_back() {
    let mut world = world(4);
    let id = world.launch_template_id("web").unwrap().to_owned();
    world
        .create_launch_template_version(&id, LaunchTemplateData::default())
        .unwrap();
    let change = json!({
        "AutoScalingGroupName": "web",
        "LaunchTemplate": { "LaunchTemplateId": id, "Version": "1" },
    });
    call(&mut world, "UpdateAutoScalingGroup", change);
    let wish = json!({
        "AutoScalingGroupName": "web",
        "DesiredConfiguration": { "LaunchTemplate": { "LaunchTemplateId": id, "Version": "2" } },
        "Preferences": { "MinHealthyPercentage": "50" },
    });
    call(&mut world, "StartInstanceRefresh", wish);
    pass(&mut world, 40);
    let about = json!({ "AutoScalingGroupName": "web" });
    call(&mut world, "RollbackInstanceRefresh", about.clone());
    pass(&mut world, 600);
    let shown = call(&mut world, "DescribeInstanceRefreshes", about);
    assert_eq!(
        shown["InstanceRefreshes"][0]["Status"],
        "RollbackSuccessful"
    );
    for member in group(&mut world)["Instances"].as_array().unwrap() {
        assert_eq!(member["LaunchTemplate"]["Version"], "1");
    }
}

#[test]
fn a_cancelled_refresh_finishes_what_it_began() {
    let mut world = world(4);
    let before = group(&mut world)["Instances"].clone();
    let about = json!({ "AutoScalingGroupName": "web" });
    call(&mut world, "StartInstanceRefresh", about.clone());
    pass(&mut world, 6);
    call(&mut world, "CancelInstanceRefresh", about.clone());
    pass(&mut world, 300);
    let shown = call(&mut world, "DescribeInstanceRefreshes", about.clone());
    assert_eq!(shown["InstanceRefreshes"][0]["Status"], "Cancelled");
    let after = group(&mut world)["Instances"].clone();
    let stayed = |member: &&Value| after.as_array().unwrap().contains(member);
    assert_eq!(before.as_array().unwrap().iter().filter(stayed).count(), 3);
    let none = refusal(&mut world, "CancelInstanceRefresh", about);
    assert_eq!(none.code, "ActiveInstanceRefreshNotFound");
}

#[test]
fn a_detached_instance_lives_on_and_is_replaced() {
    let mut world = world(1);
    let id = first(&mut world);
    let wish = json!({
        "AutoScalingGroupName": "web", "InstanceIds": [id],
        "ShouldDecrementDesiredCapacity": "false",
    });
    call(&mut world, "DetachInstances", wish);
    pass(&mut world, 60);
    assert_ne!(first(&mut world), id);
    assert_eq!(world.live_instances().count(), 2);
}

#[test]
fn a_group_that_does_not_exist_is_told_so() {
    let mut world = world(1);
    let wish = json!({ "AutoScalingGroupName": "ghost" });
    for action in [
        "SuspendProcesses",
        "SetDesiredCapacity",
        "StartInstanceRefresh",
    ] {
        assert_eq!(
            refusal(&mut world, action, wish.clone()).code,
            "ValidationError"
        );
    }
}

#[test]
fn a_protected_surplus_goes_as_soon_as_it_may_and_nothing_else_does() {
    let mut world = world(3);
    let ids: Vec<Value> = group(&mut world)["Instances"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| member["InstanceId"].clone())
        .collect();
    let protect = |protected: bool, ids: &[Value]| {
        json!({
            "AutoScalingGroupName": "web", "InstanceIds": ids,
            "ProtectedFromScaleIn": protected.to_string(),
        })
    };
    call(&mut world, "SetInstanceProtection", protect(true, &ids));
    let smaller = json!({
        "AutoScalingGroupName": "web", "MinSize": "2", "DesiredCapacity": "2",
    });
    call(&mut world, "UpdateAutoScalingGroup", smaller);
    pass(&mut world, 600);
    assert_eq!(group(&mut world)["Instances"].as_array().unwrap().len(), 3);
    call(
        &mut world,
        "SetInstanceProtection",
        protect(false, &ids[1..2]),
    );
    pass(&mut world, 600);
    let left = group(&mut world);
    let left: Vec<&Value> = left["Instances"].as_array().unwrap().iter().collect();
    let left: Vec<&Value> = left.into_iter().map(|it| &it["InstanceId"]).collect();
    assert_eq!(left, [&ids[0], &ids[2]]);
}

#[test]
fn a_hook_keeps_what_it_was_given_and_what_is_not_said_stays() {
    let mut world = world(1);
    let target = world.arn("sns", "InstancesLifecycleTopic");
    let put = |more: Value| {
        let mut input = json!({
            "AutoScalingGroupName": "web", "LifecycleHookName": "drain",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
        });
        let fields = input.as_object_mut().unwrap();
        fields.extend(more.as_object().unwrap().clone());
        input
    };
    let shown = |world: &mut World| {
        let asked = json!({ "AutoScalingGroupName": "web" });
        call(world, "DescribeLifecycleHooks", asked)["LifecycleHooks"][0].clone()
    };
    let notifying = put(json!({ "NotificationTargetARN": target, "NotificationMetadata": "m" }));
    call(&mut world, "PutLifecycleHook", notifying);
    let before = shown(&mut world);
    assert_eq!(before["NotificationTargetARN"], target);
    assert_eq!(before["NotificationMetadata"], "m");
    call(&mut world, "PutLifecycleHook", put(json!({})));
    assert_eq!(shown(&mut world), before);
    let deaf = put(json!({ "NotificationTargetARN": "" }));
    call(&mut world, "PutLifecycleHook", deaf);
    assert!(shown(&mut world)["NotificationTargetARN"].is_null());
}
