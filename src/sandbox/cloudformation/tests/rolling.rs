use super::*;

/// Puts the ids of instances out of sight, in the order in which they are first told.
fn anonymous(events: Vec<String>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    let mut shown = Vec::new();
    for event in events {
        let mut text = event;
        while let Some(start) = text.find("i-0") {
            let id = text[start..start + 19].to_owned();
            let number = seen
                .iter()
                .position(|known| *known == id)
                .unwrap_or_else(|| {
                    seen.push(id.clone());
                    seen.len() - 1
                });
            text = text.replace(&id, &format!("i#{number}"));
        }
        shown.push(text);
    }
    shown
}

#[test]
fn three_instances_roll_as_on_aws() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 3, "MaxSize": 1000, "DesiredCapacity": 3});
    create(&mut world, &template(sizes, rolling_policy(1, 3)));
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 3)]));
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 1800);

    let events = anonymous(told(&world, before));
    let mut expected = vec![
        "rack UPDATE_IN_PROGRESS User Initiated",
        "Template UPDATE_IN_PROGRESS",
        "Template UPDATE_COMPLETE",
        "Instances UPDATE_IN_PROGRESS",
        "Instances UPDATE_IN_PROGRESS Temporarily setting autoscaling group MinSize and \
         DesiredCapacity to 4.",
        "Instances UPDATE_IN_PROGRESS Rolling update initiated. Terminating 3 obsolete \
         instance(s) in batches of 1, while keeping at least 3 instance(s) in service. Waiting on \
         resource signals with a timeout of PT5M when new instances are added to the autoscaling \
         group.",
        "Instances UPDATE_IN_PROGRESS New instance(s) added to autoscaling group - Waiting on 1 \
         resource signal(s) with a timeout of PT5M.",
        "Instances UPDATE_IN_PROGRESS Received SUCCESS signal with UniqueId i#0",
        "Instances UPDATE_IN_PROGRESS Terminating instance(s) [i#1]; replacing with 1 new \
         instance(s).",
        "Instances UPDATE_IN_PROGRESS New instance(s) added to autoscaling group - Waiting on 1 \
         resource signal(s) with a timeout of PT5M.",
        "Instances UPDATE_IN_PROGRESS Successfully terminated instance(s) [i#1] (Progress 33%).",
        "Instances UPDATE_IN_PROGRESS Received SUCCESS signal with UniqueId i#2",
        "Instances UPDATE_IN_PROGRESS Terminating instance(s) [i#3]; replacing with 1 new \
         instance(s).",
        "Instances UPDATE_IN_PROGRESS New instance(s) added to autoscaling group - Waiting on 1 \
         resource signal(s) with a timeout of PT5M.",
        "Instances UPDATE_IN_PROGRESS Successfully terminated instance(s) [i#3] (Progress 67%).",
        "Instances UPDATE_IN_PROGRESS Received SUCCESS signal with UniqueId i#4",
        "Instances UPDATE_IN_PROGRESS Terminating instance(s) [i#5]; replacing with 0 new \
         instance(s).",
        "Instances UPDATE_IN_PROGRESS Successfully terminated instance(s) [i#5] (Progress 100%).",
        "Instances UPDATE_COMPLETE",
        "rack UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "rack UPDATE_COMPLETE",
    ];
    // The order within a batch is up to chance, so it is left out of the comparison here.
    let mut sorted = events.clone();
    sorted.sort();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "{events:#?}");
    assert_eq!(events.last().unwrap(), "rack UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 3)]));
    let group = world
        .autoscaling
        .group(&physical_id(&world, "Instances"))
        .unwrap();
    assert_eq!((group.min, group.max, group.desired), (3, 1000, 3));
    assert!(group.suspended.is_empty());
    let template = world
        .launch_template(&physical_id(&world, "Template"))
        .unwrap();
    assert_eq!(template.versions.keys().collect::<Vec<_>>(), [&1, &2]);
}

#[test]
fn enough_instances_stay_in_service_and_processes_are_suspended() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": "4", "MaxSize": "20", "DesiredCapacity": "4"});
    create(&mut world, &template(sizes, rolling_policy(2, 4)));
    update(&mut world, "new").unwrap();
    let name = physical_id(&world, "Instances");
    let mut suspended = false;
    for _ in 0..1800 {
        advance(&mut world, 1);
        let group = world.autoscaling.group(&name).unwrap();
        let serving = group
            .members()
            .filter(|m| !m.lifecycle.is_leaving())
            .count();
        assert!(serving >= 4, "{serving}");
        suspended |= group.suspended.contains("ScheduledActions");
    }
    assert!(suspended);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 4)]));
}

#[test]
fn without_signals_the_sentence_ends_early_and_nothing_is_waited_for() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 1, "MaxSize": 4, "DesiredCapacity": 2});
    let policy = json!({"AutoScalingRollingUpdate": {"MinInstancesInService": 1}});
    create(&mut world, &template(sizes, policy));
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 900);
    let events = told(&world, before);
    assert!(
        events.iter().any(|event| event.ends_with(
            "Terminating 2 obsolete instance(s) in batches of 1, while keeping at least 1 \
         instance(s) in service."
        )),
        "{events:#?}"
    );
    assert!(
        !events.iter().any(|event| event.contains("signal")),
        "{events:#?}"
    );
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 2)]));
}

#[test]
fn a_group_without_a_policy_replaces_nobody() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 2, "MaxSize": 4});
    create(&mut world, &template(sizes, Value::Null));
    update(&mut world, "new").unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 2)]));
}

#[test]
fn an_instance_refresh_replaces_everybody() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 2, "MaxSize": 4, "DesiredCapacity": 2});
    let policy = json!({"AutoScalingInstanceRefresh": {"Strategy": "Rolling"}});
    create(&mut world, &template(sizes, policy));
    update(&mut world, "new").unwrap();
    advance(&mut world, 3600);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 2)]));
}

#[test]
fn express_mode_completes_and_proves_nothing() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 2, "MaxSize": 4});
    create(&mut world, &template(sizes, rolling_policy(1, 1)));
    update_with(
        &mut world,
        "new",
        json!({"DeploymentConfig": {"Mode": "EXPRESS"}}),
    )
    .unwrap();
    advance(&mut world, 60);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 2)]));
    let stack = call(&mut world, "DescribeStacks", json!({"StackName": "rack"})).unwrap();
    assert_eq!(stack["Stacks"][0]["DeploymentConfig"]["Mode"], "EXPRESS");
}

#[test]
fn a_group_that_grew_is_scaled_in_at_one_go_in_the_end() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 2, "MaxSize": 20, "DesiredCapacity": 2});
    create(&mut world, &template(sizes, rolling_policy(5, 2)));
    let name = physical_id(&world, "Instances");
    let grown = crate::sandbox::autoscaling::GroupChange {
        desired: Some(6),
        ..Default::default()
    };
    world.update_group(&name, grown).unwrap();
    advance(&mut world, 300);
    update(&mut world, "new").unwrap();
    advance(&mut world, 3600);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 2)]));
}

#[test]
fn a_thousand_instances_roll_in_batches_of_one() {
    let mut world = world(&["old", "new"]);
    let sizes = json!({"MinSize": 1000, "MaxSize": 2000, "DesiredCapacity": 1000});
    create(&mut world, &template(sizes, rolling_policy(1, 1000)));
    let before = event_count(&world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 200_000);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 1000)]));
    assert!(event_count(&world) - before > 3_990);
}
