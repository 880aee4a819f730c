//! EC2's calls, as the wire hands them over.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::super::api::{AwsError, Input};
use super::super::super::autoscaling::{GroupSpec, TemplateVersion};
use super::super::super::world::World;
use super::super::LaunchTemplateData;
use super::handle;

fn world() -> World {
    World::new("2026-01-01T00:00:00Z".parse().unwrap(), 3)
}

fn call(world: &mut World, action: &str, input: Value) -> Value {
    handle(world, action, &Input(input)).unwrap().unwrap()
}

fn refusal(world: &mut World, action: &str, input: Value) -> AwsError {
    handle(world, action, &Input(input)).unwrap().unwrap_err()
}

fn fleet_of(world: &mut World, size: u32) {
    call(
        world,
        "CreateKeyPair",
        json!({ "KeyName": "k1", "KeyType": "ed25519" }),
    );
    let data = LaunchTemplateData {
        key_name: Some("k1".to_owned()),
        ..LaunchTemplateData::default()
    };
    let id = world.create_launch_template("web", data).unwrap();
    let spec = GroupSpec {
        name: "web".to_owned(),
        min: size,
        max: size,
        launch_template: Some(TemplateVersion { id, version: 1 }),
        tags: BTreeMap::from([("Rack".to_owned(), "demo".to_owned())]),
        ..GroupSpec::default()
    };
    world.create_group(spec).unwrap();
    let until = world.now + Duration::from_secs(20);
    world.advance_to(until);
}

#[test]
fn a_key_pair_is_made_once_with_its_tags() {
    let mut world = world();
    let wish = json!({
        "KeyName": "k1", "KeyType": "ed25519",
        "TagSpecification": [{
            "ResourceType": "key-pair", "Tag": [{ "Key": "convox:roll", "Value": "r1" }],
        }],
    });
    let made = call(&mut world, "CreateKeyPair", wish.clone());
    assert!(
        made["keyMaterial"]
            .as_str()
            .unwrap()
            .contains("OPENSSH PRIVATE KEY")
    );
    let again = refusal(&mut world, "CreateKeyPair", wish);
    assert_eq!(again.code, "InvalidKeyPair.Duplicate");
    assert_eq!(again.message, "The keypair already exists");
    let filter = json!({ "Filter": [{ "Name": "tag:convox:roll", "Value": ["r1"] }] });
    let found = call(&mut world, "DescribeKeyPairs", filter);
    assert_eq!(found["keySet"][0]["keyFingerprint"], made["keyFingerprint"]);
    assert_eq!(
        found["keySet"][0]["tagSet"],
        json!([{ "key": "convox:roll", "value": "r1" }])
    );
    assert!(found["keySet"][0]["publicKey"].is_null());
}

#[test]
fn the_account_keeps_no_private_key() {
    let mut world = world();
    for kind in ["rsa", "ed25519"] {
        let wish = json!({ "KeyName": kind, "KeyType": kind });
        let made = call(&mut world, "CreateKeyPair", wish);
        let pem = made["keyMaterial"].as_str().unwrap();
        let line = pem.lines().nth(3).unwrap().to_owned();
        let stored = serde_json::to_string(&world).unwrap();
        assert!(!stored.contains("PRIVATE KEY") && !stored.contains(&line));
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let mut world = world();
    let dry = refusal(
        &mut world,
        "CreateKeyPair",
        json!({ "KeyName": "k1", "DryRun": "true" }),
    );
    assert_eq!((dry.status, dry.code.as_str()), (412, "DryRunOperation"));
    assert!(world.key_pair_names().is_empty());
    fleet_of(&mut world, 1);
    let dry = json!({ "KeyName": "k1", "DryRun": "true" });
    assert_eq!(refusal(&mut world, "DeleteKeyPair", dry).status, 412);
    assert_eq!(world.key_pair_names(), ["k1"]);
}

#[test]
fn deleting_a_missing_key_pair_succeeds_and_describing_it_does_not() {
    let mut world = world();
    call(&mut world, "DeleteKeyPair", json!({ "KeyName": "ghost" }));
    let missing = refusal(
        &mut world,
        "DescribeKeyPairs",
        json!({ "KeyName": ["ghost"] }),
    );
    assert_eq!(missing.code, "InvalidKeyPair.NotFound");
    assert_eq!(missing.message, "The key pair 'ghost' does not exist");
}

#[test]
fn instances_are_filtered_and_paged() {
    let mut world = world();
    fleet_of(&mut world, 12);
    let wish = |token: Value| {
        json!({
            "Filter": [
                { "Name": "tag:aws:autoscaling:groupName", "Value": ["web"] },
                { "Name": "instance-state-name", "Value": ["pending", "running"] },
                { "Name": "key-name", "Value": ["k1"] },
            ],
            "MaxResults": "5", "NextToken": token,
        })
    };
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    loop {
        let page = call(&mut world, "DescribeInstances", wish(token));
        for reservation in page["reservationSet"].as_array().unwrap() {
            let instance = &reservation["instancesSet"][0];
            assert_eq!(instance["keyName"], "k1");
            assert_eq!(
                instance["instanceState"],
                json!({ "code": 16, "name": "running" })
            );
            seen.push(instance["instanceId"].as_str().unwrap().to_owned());
        }
        token = page["nextToken"].clone();
        if token.is_null() {
            break;
        }
    }
    assert_eq!(seen.len(), 12);
    let of_groups = |world: &mut World, values: Value| {
        let wish =
            json!({ "Filter": [{ "Name": "tag:aws:autoscaling:groupName", "Value": values }] });
        let found = call(world, "DescribeInstances", wish);
        found["reservationSet"].as_array().unwrap().len()
    };
    assert_eq!(of_groups(&mut world, json!(["we?"])), 12);
    assert_eq!(of_groups(&mut world, json!(["other", "web", "web"])), 12);
    assert_eq!(of_groups(&mut world, json!(["other"])), 0);
    let wish = json!({ "ResourceId": [seen[0]], "Tag": [{ "Key": "aws:mine", "Value": "1" }] });
    let refused = refusal(&mut world, "CreateTags", wish);
    assert!(refused.message.contains("reserved"), "{refused:?}");
    world.ec2.disown(&seen[0]);
    assert_eq!(of_groups(&mut world, json!(["web"])), 11, "let go");
    let none = json!({ "Filter": [{ "Name": "tag:Rack", "Value": ["other"] }] });
    let found = call(&mut world, "DescribeInstances", none);
    assert_eq!(found["reservationSet"], json!([]));
    let unknown = json!({ "Filter": [{ "Name": "colour", "Value": ["red"] }] });
    let refused = refusal(&mut world, "DescribeInstances", unknown);
    assert_eq!(refused.code, "InvalidParameterValue");
}

#[test]
fn a_terminated_instance_still_shows_its_key_name_and_then_is_forgotten() {
    let mut world = world();
    call(
        &mut world,
        "CreateKeyPair",
        json!({ "KeyName": "k1", "KeyType": "ed25519" }),
    );
    let run = call(
        &mut world,
        "RunInstances",
        json!({ "KeyName": "k1", "MaxCount": "1" }),
    );
    let id = run["instancesSet"][0]["instanceId"].clone();
    let gone = call(
        &mut world,
        "TerminateInstances",
        json!({ "InstanceId": [id.clone()] }),
    );
    assert_eq!(
        gone["instancesSet"][0]["currentState"]["name"],
        "shutting-down"
    );
    let until = world.now + Duration::from_secs(120);
    world.advance_to(until);
    let found = call(
        &mut world,
        "DescribeInstances",
        json!({ "InstanceId": [id.clone()] }),
    );
    let instance = &found["reservationSet"][0]["instancesSet"][0];
    assert_eq!(instance["instanceState"]["name"], "terminated");
    assert_eq!(instance["keyName"], "k1");
    let until = world.now + Duration::from_secs(3700);
    world.advance_to(until);
    let gone = refusal(
        &mut world,
        "DescribeInstances",
        json!({ "InstanceId": [id] }),
    );
    assert_eq!(gone.code, "InvalidInstanceID.NotFound");
}

#[test]
fn running_with_a_missing_key_pair_is_refused() {
    let mut world = world();
    let wish = json!({ "KeyName": "ghost", "MaxCount": "1" });
    let refused = refusal(&mut world, "RunInstances", wish);
    assert_eq!(refused.code, "InvalidKeyPair.NotFound");
}

#[test]
fn versions_are_found_by_number_and_by_name_newest_first() {
    let mut world = world();
    let made = call(
        &mut world,
        "CreateLaunchTemplate",
        json!({ "LaunchTemplateName": "web", "LaunchTemplateData": { "KeyName": "k1" } }),
    );
    let id = made["launchTemplate"]["launchTemplateId"].clone();
    call(
        &mut world,
        "CreateLaunchTemplateVersion",
        json!({
            "LaunchTemplateId": id, "SourceVersion": "1",
            "LaunchTemplateData": { "ImageId": "ami-1" },
        }),
    );
    let all = call(
        &mut world,
        "DescribeLaunchTemplateVersions",
        json!({ "LaunchTemplateName": "web" }),
    );
    let numbers: Vec<_> = all["launchTemplateVersionSet"]
        .as_array()
        .unwrap()
        .iter()
        .map(|version| version["versionNumber"].as_u64().unwrap())
        .collect();
    assert_eq!(numbers, [2, 1]);
    let latest = call(
        &mut world,
        "DescribeLaunchTemplateVersions",
        json!({ "LaunchTemplateVersion": ["$Latest"] }),
    );
    let data = &latest["launchTemplateVersionSet"][0]["launchTemplateData"];
    assert_eq!(
        (data["keyName"].as_str(), data["imageId"].as_str()),
        (Some("k1"), Some("ami-1"))
    );
    let missing = refusal(
        &mut world,
        "DescribeLaunchTemplateVersions",
        json!({ "LaunchTemplateId": id, "LaunchTemplateVersion": ["7"] }),
    );
    assert_eq!(missing.code, "InvalidLaunchTemplateId.VersionNotFound");
}

#[test]
fn a_spot_fleet_keeps_its_number_from_the_same_version() {
    let mut world = world();
    fleet_of(&mut world, 1);
    let id = world.launch_template_id("web").unwrap().to_owned();
    let template = TemplateVersion { id, version: 1 };
    let fleet = world
        .create_spot_fleet(2, Some(template), BTreeMap::new())
        .unwrap();
    let wish = json!({ "SpotFleetRequestId": fleet });
    let found = call(&mut world, "DescribeSpotFleetInstances", wish.clone());
    let first = found["activeInstanceSet"][0]["instanceId"]
        .as_str()
        .unwrap()
        .to_owned();
    world.terminate_instance(&first, "test");
    let until = world.now + Duration::from_secs(120);
    world.advance_to(until);
    let found = call(&mut world, "DescribeSpotFleetInstances", wish);
    assert_eq!(found["activeInstanceSet"].as_array().unwrap().len(), 2);
    assert!(!found.to_string().contains(&first));
    assert_eq!(
        world
            .live_instances()
            .filter(|it| it.key_name.as_deref() == Some("k1"))
            .count(),
        3
    );
}

#[test]
fn tags_come_and_go() {
    let mut world = world();
    call(
        &mut world,
        "CreateKeyPair",
        json!({ "KeyName": "k1", "KeyType": "ed25519" }),
    );
    let id = world.ec2.key_pair("k1").unwrap().id.clone();
    let tag = json!([{ "Key": "kept", "Value": "yes" }]);
    call(
        &mut world,
        "CreateTags",
        json!({ "ResourceId": [id.clone()], "Tag": tag }),
    );
    let wish = json!({ "Filter": [{ "Name": "resource-id", "Value": [id.clone()] }] });
    let found = call(&mut world, "DescribeTags", wish.clone());
    assert_eq!(found["tagSet"][0]["value"], "yes");
    call(
        &mut world,
        "DeleteTags",
        json!({ "ResourceId": [id], "Tag": [{ "Key": "kept" }] }),
    );
    assert_eq!(call(&mut world, "DescribeTags", wish)["tagSet"], json!([]));
}

#[test]
fn an_unknown_action_is_nobodys() {
    assert!(handle(&mut world(), "CreateVpc", &Input::default()).is_none());
}
