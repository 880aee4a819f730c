//! Drives whole stacks through the API, on virtual time.

mod api;
mod change_sets;
mod configuration;
mod failing;
mod nested;
mod rack;
mod rolling;

use std::time::Duration;

use serde_json::{Value, json};

use super::super::api::{AwsError, Input};
use super::super::ec2::KeyKind;
use super::super::world::World;
use super::*;

/// A group with a launch template, as a rack has it; sizes and policy are up to the test.
fn template(properties: Value, policy: Value) -> Value {
    let mut group = json!({
        "LaunchTemplate": {
            "LaunchTemplateId": {"Ref": "Template"},
            "Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]},
        },
    });
    for (name, value) in properties.as_object().unwrap() {
        group[name] = value.clone();
    }
    json!({
        "Parameters": {
            "Key": {"Type": "String", "Default": ""},
            "Password": {"Type": "String", "NoEcho": true, "Default": "hunter2"},
            "Ami": {
                "Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>",
                "Default": "/aws/service/ecs/optimized-ami/amazon-linux-2/recommended/image_id",
            },
        },
        "Conditions": {"BlankKey": {"Fn::Equals": [{"Ref": "Key"}, ""]}},
        "Resources": {
            "Template": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {
                "LaunchTemplateData": {
                    "ImageId": {"Ref": "Ami"},
                    "KeyName": {"Fn::If": ["BlankKey", {"Ref": "AWS::NoValue"}, {"Ref": "Key"}]},
                    "UserData": {"Fn::Base64": "cfn-signal"},
                },
            }},
            "Instances": {
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": group,
                "UpdatePolicy": policy,
            },
            "Topic": {"Type": "AWS::SNS::Topic"},
        },
        "Outputs": {"Group": {"Value": {"Ref": "Instances"}}},
    })
}

fn rolling_policy(batch: u32, in_service: u32) -> Value {
    json!({"AutoScalingRollingUpdate": {
        "MaxBatchSize": batch,
        "MinInstancesInService": in_service,
        "PauseTime": "PT5M",
        "SuspendProcesses": ["ScheduledActions"],
        "WaitOnResourceSignals": "true",
    }})
}

fn world(keys: &[&str]) -> World {
    let mut world = World::new("2026-01-01T00:00:00Z".parse().unwrap(), 7);
    for key in keys {
        world
            .create_key_pair(key, KeyKind::Ed25519, Default::default())
            .unwrap();
    }
    world
}

fn call(world: &mut World, action: &str, input: Value) -> Result<Value, AwsError> {
    handle(world, action, &Input(input)).expect("a simulated action")
}

fn advance(world: &mut World, seconds: u64) {
    let until = world.now + Duration::from_secs(seconds);
    world.advance_to(until);
}

/// Makes a stack called `rack` with key `old`, and waits until it is complete.
fn create(world: &mut World, template: &Value) -> String {
    let input = json!({
        "StackName": "rack",
        "TemplateBody": template.to_string(),
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [{"ParameterKey": "Key", "ParameterValue": "old"}],
    });
    let answer = call(world, "CreateStack", input).unwrap();
    advance(world, 600);
    assert_eq!(status(world), "CREATE_COMPLETE", "{:#?}", told(world, 0));
    answer["StackId"].as_str().unwrap().to_owned()
}

/// Asks for another key, everything else as it was.
fn update(world: &mut World, key: &str) -> Result<Value, AwsError> {
    update_with(world, key, json!({}))
}

fn update_with(world: &mut World, key: &str, more: Value) -> Result<Value, AwsError> {
    let mut input = json!({
        "StackName": "rack",
        "UsePreviousTemplate": "true",
        "ClientRequestToken": format!("token-{key}"),
        "Capabilities": ["CAPABILITY_IAM"],
        "Parameters": [
            {"ParameterKey": "Key", "ParameterValue": key},
            {"ParameterKey": "Password", "UsePreviousValue": "true"},
            {"ParameterKey": "Ami", "UsePreviousValue": "true"},
        ],
    });
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    call(world, "UpdateStack", input)
}

fn status(world: &World) -> &str {
    world
        .cloudformation
        .stacks()
        .last()
        .unwrap()
        .status
        .as_str()
}

/// Returns every event after the first `skip`, oldest first, as `name status reason`.
fn told(world: &World, skip: usize) -> Vec<String> {
    let stack = world.cloudformation.stacks().last().unwrap();
    stack
        .events()
        .skip(skip)
        .map(|event| {
            let reason = event.reason.as_deref().unwrap_or_default();
            format!("{} {} {reason}", event.logical_id, event.status)
                .trim_end()
                .to_owned()
        })
        .collect()
}

fn event_count(world: &World) -> usize {
    world
        .cloudformation
        .stacks()
        .last()
        .unwrap()
        .events()
        .count()
}

/// Returns how many live instances hold each key, by key.
fn keys(world: &World) -> BTreeMap<String, usize> {
    let mut held = BTreeMap::new();
    for instance in world.live_instances() {
        *held
            .entry(instance.key_name.clone().unwrap_or_default())
            .or_default() += 1;
    }
    held
}

fn physical_id(world: &World, logical_id: &str) -> String {
    let stack = world.cloudformation.stack("rack").unwrap();
    stack.resources.get(logical_id).unwrap().physical_id.clone()
}

/// Waits, second by second, until an event contains a text.
fn wait_for(world: &mut World, skip: usize, text: &str) {
    for _ in 0..3_600 {
        if told(world, skip).iter().any(|event| event.contains(text)) {
            return;
        }
        advance(world, 1);
    }
    panic!("no event says {text}: {:#?}", told(world, skip));
}
