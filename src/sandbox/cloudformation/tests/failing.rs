use super::*;

fn three(world: &mut World) {
    let sizes = json!({"MinSize": 3, "MaxSize": 1000, "DesiredCapacity": 3});
    create(world, &template(sizes, rolling_policy(1, 3)));
}

fn old_keys(count: usize) -> BTreeMap<String, usize> {
    BTreeMap::from([("old".to_owned(), count)])
}

fn contains(events: &[String], text: &str) {
    assert!(
        events.iter().any(|event| event == text),
        "no `{text}` in {events:#?}"
    );
}

#[test]
fn silence_is_a_failure_and_the_update_rolls_back() {
    let mut world = world(&["old", "new"]);
    three(&mut world);
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    wait_for(&mut world, before, "Temporarily setting");
    let boot = std::mem::replace(&mut world.pace.boot_ms, (10_000_000, 10_000_000));
    // The surge instance started at the same moment; its boot is already on the agenda, so
    // it is the next ones that never signal.
    wait_for(&mut world, before, "Failed to receive");
    world.pace.boot_ms = boot;
    advance(&mut world, 1800);
    let events = told(&world, before);
    contains(
        &events,
        "Instances UPDATE_IN_PROGRESS Failed to receive 1 resource signal(s) for the current \
         batch.  Each resource signal timeout is counted as a FAILURE.",
    );
    assert!(
        events.iter().any(|event| {
            event.starts_with("Instances UPDATE_FAILED Received ")
        && event.ends_with(
            "SUCCESS signal(s) out of 4.  Unable to satisfy 100% MinSuccessfulInstancesPercent \
             requirement"
        )
        }),
        "{events:#?}"
    );
    contains(
        &events,
        "rack UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to update: \
         [Instances].",
    );
    assert_eq!(
        events
            .iter()
            .filter(|e| e.contains("Rolling update initiated"))
            .count(),
        2
    );
    contains(&events, "rack UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS");
    assert_eq!(events.last().unwrap(), "rack UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(3));
    let stack = world.cloudformation.stack("rack").unwrap();
    assert_eq!(stack.parameter("Key"), Some("old"));
    let group = world
        .autoscaling
        .group(&physical_id(&world, "Instances"))
        .unwrap();
    assert_eq!((group.min, group.desired), (3, 3));
    assert!(group.suspended.is_empty());
    // The update and its rollback are two operations, told apart on every event.
    let ids: std::collections::BTreeSet<_> = stack
        .events()
        .skip(before)
        .filter_map(|event| event.operation.clone())
        .collect();
    assert_eq!(ids.len(), 2);
    assert!(
        stack
            .events()
            .skip(before)
            .all(|e| e.token.as_deref() == Some("token-new"))
    );
    // The version that failed stays behind, and a later update does not fall back on it.
    world
        .create_key_pair("third", KeyKind::Ed25519, Default::default())
        .unwrap();
    assert!(
        update(&mut world, "old")
            .unwrap_err()
            .message
            .contains("No updates")
    );
    update(&mut world, "third").unwrap();
    advance(&mut world, 1800);
    assert_eq!(keys(&world), BTreeMap::from([("third".to_owned(), 3)]));
    let template = world
        .launch_template(&physical_id(&world, "Template"))
        .unwrap();
    assert_eq!(template.versions.keys().collect::<Vec<_>>(), [&1, &2, &3]);
}

#[test]
fn an_explicit_failure_ends_the_batch_at_once() {
    let mut world = world(&["old", "new"]);
    three(&mut world);
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    wait_for(&mut world, before, "Temporarily setting");
    let new = world
        .live_instances()
        .find(|i| i.key_name.as_deref() == Some("new"));
    let new = new.unwrap().id.clone();
    let signal = json!({
        "StackName": "rack", "LogicalResourceId": "Instances", "UniqueId": new,
        "Status": "FAILURE",
    });
    call(&mut world, "SignalResource", signal).unwrap();
    let events = told(&world, before);
    contains(
        &events,
        &format!("Instances UPDATE_IN_PROGRESS Received FAILURE signal with UniqueId {new}"),
    );
    contains(
        &events,
        "Instances UPDATE_FAILED Received 1 FAILURE signal(s) out of 4. Unable to satisfy 100% \
         MinSuccessfulInstancesPercent requirement",
    );
    advance(&mut world, 1800);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(3));
}

#[test]
fn a_key_pair_that_is_missing_fails_the_group_and_not_the_template() {
    let mut world = world(&["old"]);
    three(&mut world);
    let before = event_count(&world);
    update(&mut world, "gone").unwrap();
    advance(&mut world, 600);
    let events = told(&world, before);
    contains(&events, "Template UPDATE_COMPLETE");
    assert!(
        events.iter().any(|event| event.starts_with(
            "Instances UPDATE_FAILED Resource handler returned message: \"You must use a valid \
         fully-formed launch template. The key pair 'gone' does not exist (Service: AutoScaling, \
         Status Code: 400, Request ID: "
        ) && event.ends_with("HandlerErrorCode: InvalidRequest)")),
        "{events:#?}"
    );
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(3));
}

#[test]
fn cancelling_rolls_back_what_was_begun() {
    let mut world = world(&["old", "new"]);
    three(&mut world);
    let refused = call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    );
    assert_eq!(
        refused.unwrap_err().message,
        "CancelUpdateStack cannot be called from current stack status"
    );
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    wait_for(&mut world, before, "Progress 33%");
    call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    let events = told(&world, before);
    contains(&events, "Instances UPDATE_FAILED Resource update cancelled");
    assert_eq!(
        events.last().unwrap(),
        "rack UPDATE_ROLLBACK_IN_PROGRESS User Initiated"
    );
    advance(&mut world, 3600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(3));
}

#[test]
fn a_rollback_to_a_key_pair_that_is_gone_gets_stuck_and_is_continued() {
    let mut world = world(&["old", "new"]);
    three(&mut world);
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    wait_for(&mut world, before, "Progress 33%");
    world.delete_key_pair("old");
    call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    advance(&mut world, 600);
    let events = told(&world, before);
    assert_eq!(
        events.last().unwrap(),
        "rack UPDATE_ROLLBACK_FAILED The following resource(s) failed to update: [Instances]."
    );
    let refused = update(&mut world, "other").unwrap_err();
    assert!(
        refused
            .message
            .ends_with("is in UPDATE_ROLLBACK_FAILED state and can not be updated."),
        "{}",
        refused.message
    );
    // Nothing has changed, so it fails again.
    call(
        &mut world,
        "ContinueUpdateRollback",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    contains(
        &told(&world, before),
        "rack UPDATE_ROLLBACK_IN_PROGRESS User Initiated",
    );
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_FAILED");
    // With the key pair back it succeeds, and rolls.
    world
        .create_key_pair("old", KeyKind::Ed25519, Default::default())
        .unwrap();
    call(
        &mut world,
        "ContinueUpdateRollback",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    advance(&mut world, 3600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(3));
    let kinds: Vec<_> = world
        .cloudformation
        .stack("rack")
        .unwrap()
        .operations
        .iter()
        .map(|operation| operation.kind.as_str())
        .collect();
    assert_eq!(
        kinds,
        [
            "CREATE_STACK",
            "UPDATE_STACK",
            "ROLLBACK",
            "CONTINUE_ROLLBACK",
            "CONTINUE_ROLLBACK"
        ]
    );
}

#[test]
fn a_stuck_resource_can_be_skipped() {
    let mut world = world(&["old", "new"]);
    three(&mut world);
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    wait_for(&mut world, before, "Progress 33%");
    world.delete_key_pair("old");
    call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    advance(&mut world, 600);
    let skip = json!({"StackName": "rack", "ResourcesToSkip": ["Template"]});
    assert!(call(&mut world, "ContinueUpdateRollback", skip).is_err());
    let skip = json!({"StackName": "rack", "ResourcesToSkip": ["Instances"]});
    call(&mut world, "ContinueUpdateRollback", skip).unwrap();
    advance(&mut world, 600);
    let events = told(&world, before);
    assert_eq!(
        events[events.len() - 3..],
        [
            "Instances UPDATE_COMPLETE",
            "rack UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
            "rack UPDATE_ROLLBACK_COMPLETE",
        ]
    );
}

#[test]
fn with_rollback_disabled_the_update_stays_failed_until_somebody_acts() {
    let mut world = world(&["old"]);
    three(&mut world);
    update_with(&mut world, "gone", json!({"DisableRollback": "true"})).unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_FAILED");
    let stack = world.cloudformation.stack("rack").unwrap();
    assert_eq!(
        stack.status_reason.as_deref(),
        Some("The following resource(s) failed to update: [Instances]. ")
    );
    call(&mut world, "RollbackStack", json!({"StackName": "rack"})).unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(
        world.cloudformation.stack("rack").unwrap().parameter("Key"),
        Some("old")
    );
}

#[test]
fn a_failing_creation_is_taken_down_again() {
    let mut world = world(&[]);
    let template = template(json!({"MinSize": 1, "MaxSize": 2}), Value::Null);
    let input = json!({
        "StackName": "rack", "TemplateBody": template.to_string(),
        "Parameters": [{"ParameterKey": "Key", "ParameterValue": "gone"}],
    });
    call(&mut world, "CreateStack", input).unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "ROLLBACK_COMPLETE");
    assert!(
        update(&mut world, "new")
            .unwrap_err()
            .message
            .contains("can not be updated")
    );
}

#[test]
fn a_new_resource_goes_with_the_rollback_and_a_wait_condition_decides() {
    let mut world = world(&["old", "new"]);
    let mut with_gate = template(json!({"MinSize": 1, "MaxSize": 3}), rolling_policy(1, 1));
    create(&mut world, &with_gate);
    with_gate["Resources"]["Gate"] = json!({
        "Type": "AWS::CloudFormation::WaitCondition",
        "DependsOn": "Instances",
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT2M"}},
    });
    let gated = json!({"UsePreviousTemplate": "false", "TemplateBody": with_gate.to_string()});
    let before = event_count(&world);
    update_with(&mut world, "new", gated.clone()).unwrap();
    advance(&mut world, 3600);
    let events = told(&world, before);
    contains(
        &events,
        "Gate CREATE_FAILED Failed to receive 1 resource signal(s) within the specified duration",
    );
    contains(
        &events,
        "rack UPDATE_ROLLBACK_IN_PROGRESS The following resource(s) failed to create: [Gate].",
    );
    contains(&events, "Gate DELETE_COMPLETE");
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), old_keys(1));

    let mut again = gated;
    again["ClientRequestToken"] = json!("again");
    let before = event_count(&world);
    update_with(&mut world, "new", again).unwrap();
    wait_for(
        &mut world,
        before,
        "Gate CREATE_IN_PROGRESS Resource creation Initiated",
    );
    let signal = json!({
        "StackName": "rack", "LogicalResourceId": "Gate", "UniqueId": "me", "Status": "SUCCESS",
    });
    call(&mut world, "SignalResource", signal).unwrap();
    advance(&mut world, 60);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
}

#[test]
fn too_few_instances_to_spare_is_refused_by_the_group() {
    let mut world = world(&["old", "new"]);
    create(
        &mut world,
        &template(json!({"MinSize": 2, "MaxSize": 2}), rolling_policy(1, 2)),
    );
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 600);
    contains(
        &told(&world, before),
        "Instances UPDATE_FAILED MinInstancesInService must be less than the autoscaling group's \
         MaxSize",
    );
}

/// Makes the account of a scenario, with the given faults.
fn scenario(faults: &str) -> World {
    let text = format!("name: test\nabout: a test\nseed: 3\nfaults: [{faults}]\n");
    let scenario = crate::sandbox::Scenario::parse(&text, "test").unwrap();
    World::of_scenario(&scenario, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
}

/// Gives the scenario's rack another key, and waits for the end.
fn roll_scenario(world: &mut World) -> Vec<String> {
    world
        .create_key_pair("new", KeyKind::Ed25519, Default::default())
        .unwrap();
    let stack = world.cloudformation.stacks().next().unwrap();
    let (name, before) = (stack.name.clone(), stack.events().count());
    let parameters: Vec<_> = stack
        .target
        .parameters
        .0
        .keys()
        .map(|key| match key.as_str() {
            "Key" => json!({"ParameterKey": key, "ParameterValue": "new"}),
            _ => json!({"ParameterKey": key, "UsePreviousValue": true}),
        })
        .collect();
    let input = json!({
        "StackName": name, "UsePreviousTemplate": true, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"],
    });
    call(world, "UpdateStack", input).unwrap();
    advance(world, 7200);
    told(world, before)
}

#[test]
fn no_room_for_one_more_instance_fails_the_group_with_the_sentence_of_ec2() {
    let mut world = scenario("{capacity: {limit: 3}}");
    let events = roll_scenario(&mut world);
    let failed = events
        .iter()
        .find(|event| event.starts_with("Instances UPDATE_FAILED"));
    let failed = failed.unwrap_or_else(|| panic!("{events:#?}"));
    assert!(
        failed.contains("than your current instance limit of 3 allows"),
        "{failed}"
    );
    assert!(
        failed.ends_with("Launching EC2 instance failed."),
        "{failed}"
    );
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert!(!keys(&world).contains_key("new"));
}

#[test]
fn a_roll_that_replaces_nothing_completes() {
    let mut world = scenario("replace_nothing");
    let events = roll_scenario(&mut world);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert!(
        !events
            .iter()
            .any(|event| event.contains("Rolling update initiated"))
    );
    assert!(!keys(&world).contains_key("new"));
}

#[test]
fn shuffled_events_are_late_and_never_lost() {
    let ends = |events: &[String]| {
        let gone = |event: &&String| event.contains("Successfully terminated");
        events.iter().filter(gone).count()
    };
    let plain = ends(&roll_scenario(&mut scenario("")));
    let mut late = 0;
    for seed in 0..4 {
        let mut world = scenario("shuffle");
        world.chance = crate::sandbox::world::Chance::new(seed);
        let events = roll_scenario(&mut world);
        assert_eq!(status(&world), "UPDATE_COMPLETE");
        assert_eq!(ends(&events), plain);
        let stack = world.cloudformation.stacks().last().unwrap();
        // The stack's own last word is the last of all.
        assert_eq!(stack.events().last().unwrap().logical_id, stack.name);
        late += usize::from(!stack.events().is_sorted_by_key(|event| event.at));
    }
    assert!(late > 0);
}
