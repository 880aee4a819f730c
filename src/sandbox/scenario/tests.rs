use std::time::Duration;

use serde_json::json;

use super::*;

fn world(faults: &str) -> World {
    let text = format!("name: x\nabout: y\nfaults:\n{faults}");
    let scenario = Scenario::parse(&text, "x").unwrap();
    let mut world = World::new(Timestamp::UNIX_EPOCH, 1);
    let racks = [("prod".to_owned(), "old".to_owned())];
    Faults::install(&mut world, &scenario.faults, &racks);
    world
}

fn at(world: &mut World, seconds: u64) {
    let instant = Timestamp::UNIX_EPOCH
        .saturating_add(Duration::from_secs(seconds))
        .unwrap();
    world.advance_to(instant);
}

fn effect(world: &mut World, service: Service, action: &str) -> Effect {
    world.judge_call(service, action).effect
}

#[test]
fn a_throttled_window_opens_with_a_success_and_closes() {
    let mut world = world(
        "  - throttle: { api: \"cloudformation:Describe*\", \
         after: \"cloudformation:UpdateStack\", from: 10s, for: 5m }\n",
    );
    let read = |world: &mut World| effect(world, Service::CloudFormation, "DescribeStackEvents");
    at(&mut world, 100);
    assert_eq!(read(&mut world), Effect::None);
    world.note_success("cloudformation:UpdateStack", &Input::default());
    assert_eq!(read(&mut world), Effect::None);
    at(&mut world, 110);
    let Effect::Refused(error) = read(&mut world) else {
        panic!("not refused")
    };
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("Throttling", "Rate exceeded")
    );
    at(&mut world, 409);
    assert_ne!(read(&mut world), Effect::None);
    at(&mut world, 410);
    assert_eq!(read(&mut world), Effect::None);
}

#[test]
fn one_answer_is_lost_and_one_request_is_unsent() {
    let mut world = world(
        "  - lose: { api: \"s3:PutObject\", nth: 2 }\n  - unsent: { api: \"s3:PutObject\", nth: 3 }\n",
    );
    let effects: Vec<_> = (0..4)
        .map(|_| effect(&mut world, Service::S3, "PutObject"))
        .collect();
    assert_eq!(
        effects,
        [Effect::None, Effect::Lost, Effect::Unsent, Effect::None]
    );
}

#[test]
fn latency_adds_up_and_denials_speak_the_services_words() {
    let mut world = world(
        "  - latency: { api: \"*\", takes: 200ms }\n  - latency: { api: \"ec2:*\", takes: 1s }\n  \
         - deny: { api: \"ec2:DeleteKeyPair\" }\n",
    );
    let verdict = world.judge_call(Service::Ec2, "DeleteKeyPair");
    assert_eq!(verdict.delay, Duration::from_millis(1200));
    let Effect::Refused(error) = verdict.effect else {
        panic!("not refused")
    };
    assert_eq!(
        (error.status, error.code.as_str()),
        (403, "UnauthorizedOperation")
    );
}

#[test]
fn only_boots_with_the_new_key_fail_and_only_from_the_second() {
    let mut world = world("  - signals: { group: Instances, key: new, fate: never, from: 2 }\n");
    let fates: Vec<_> = [
        ("Instances", "new"),
        ("Instances", "old"),
        ("BuildInstances", "new"),
        ("Instances", "new"),
        ("Instances", "old"),
    ]
    .map(|(group, key)| world.boot_fate("prod", group, Some(key)))
    .into();
    assert_eq!(
        fates,
        [
            BootFate::Success,
            BootFate::Success,
            BootFate::Success,
            BootFate::Silence,
            BootFate::Success
        ]
    );
}

#[test]
fn capacity_is_refused_above_the_limit_in_awss_words() {
    let mut world = world("  - capacity: { limit: 5 }\n");
    assert_eq!(world.capacity_refusal(4), None);
    let sentence = world.capacity_refusal(5).unwrap();
    assert!(
        sentence.starts_with("You have requested more instances (6) than"),
        "{sentence}"
    );
}

#[test]
fn somebody_else_acts_after_a_call_again_and_again() {
    let mut world = world(
        "  - call:\n      api: ssm:PutParameter\n      after: ec2:CreateKeyPair\n      delay: 5s\n      \
         every: 60s\n      times: 3\n      input: { Name: \"/$rack/$new_key\", Value: \"$old_key\", \
         Type: String, Overwrite: true }\n",
    );
    at(&mut world, 1000);
    assert_eq!(world.faults.made(), []);
    world.note_success("ec2:CreateKeyPair", &Input(json!({ "KeyName": "fresh" })));
    world.note_success("ec2:CreateKeyPair", &Input(json!({ "KeyName": "fresher" })));
    at(&mut world, 1004);
    assert_eq!(world.ssm_value("/prod/fresher"), None);
    at(&mut world, 5000);
    assert_eq!(world.ssm_value("/prod/fresher").as_deref(), Some("old"));
    let times: Vec<_> = world
        .faults
        .made()
        .iter()
        .map(|made| (made.at.as_second(), made.refused.clone()))
        .collect();
    assert_eq!(times, [(1005, None), (1065, None), (1125, None)]);
}

#[test]
fn faults_survive_the_accounts_file() {
    let mut world = world(
        "  - signals: { fate: failure, key: new }\n  - shuffle\n  - call: { api: \"sts:X\", at: 1m }\n",
    );
    world.boot_fate("prod", "Instances", Some("new"));
    let text = serde_json::to_string(&world).unwrap();
    let mut back: World = serde_json::from_str(&text).unwrap();
    assert!(back.events_are_shuffled());
    at(&mut back, 60);
    assert_eq!(back.faults.made().len(), 1);
    assert_eq!(serde_json::to_string(&back.faults.rules[0]).unwrap(), {
        serde_json::to_string(&world.faults.rules[0]).unwrap()
    });
}

#[test]
fn a_rate_throttles_each_api_for_itself_in_the_words_of_its_service() {
    let mut world = world("  - rate: { api: \"*\", per_second: 2 }\n");
    let mut calls = |service, action| {
        let mut refused = Vec::new();
        for _ in 0..3 {
            if let Effect::Refused(error) = effect(&mut world, service, action) {
                refused.push((error.status, error.code));
            }
        }
        refused
    };
    for (service, action, status, code) in [
        (Service::CloudFormation, "DescribeStacks", 400, "Throttling"),
        (
            Service::CloudFormation,
            "DescribeStackEvents",
            400,
            "Throttling",
        ),
        (
            Service::Ec2,
            "DescribeInstances",
            503,
            "RequestLimitExceeded",
        ),
        (Service::Ecs, "ListServices", 400, "ThrottlingException"),
    ] {
        assert_eq!(
            calls(service, action),
            [(status, code.to_owned())],
            "{action}"
        );
    }
}

#[test]
fn one_rack_of_many_is_hit() {
    let mut world = world("  - signals: { rack: \"bad-*\", key: new, fate: never }\n");
    world.faults.old_keys.insert("older".to_owned());
    let mut fate = |stack, key| world.boot_fate(stack, "Instances", Some(key));
    assert_eq!(fate("bad-1", "new"), BootFate::Silence);
    assert_eq!(fate("good-1", "new"), BootFate::Success);
    assert_eq!(fate("bad-1", "older"), BootFate::Success);
}
