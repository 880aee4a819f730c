use super::*;
use crate::template::tests::rack_template;

fn create_rack(world: &mut World, more: &[(&str, &str)]) -> bool {
    let Some(text) = rack_template() else {
        return false;
    };
    let mut parameters = vec![
        ("Key", "old"),
        ("Password", "hunter2"),
        ("Version", "20260421"),
    ];
    parameters.extend(more);
    let parameters: Vec<_> = parameters
        .iter()
        .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
        .collect();
    let input = json!({
        "StackName": "rack", "TemplateBody": text, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"],
    });
    call(world, "CreateStack", input).unwrap();
    advance(world, 3600);
    assert_eq!(status(world), "CREATE_COMPLETE", "{:#?}", told(world, 0));
    true
}

fn roll_rack(world: &mut World) {
    let stack = call(world, "DescribeStacks", json!({"StackName": "rack"})).unwrap();
    let parameters: Vec<_> = stack["Stacks"][0]["Parameters"]
        .as_array()
        .unwrap()
        .iter()
        .map(
            |parameter| match parameter["ParameterKey"].as_str().unwrap() {
                "Key" => json!({"ParameterKey": "Key", "ParameterValue": "new"}),
                key => json!({"ParameterKey": key, "UsePreviousValue": true}),
            },
        )
        .collect();
    let input = json!({
        "StackName": "rack", "UsePreviousTemplate": true, "Parameters": parameters,
        "Capabilities": ["CAPABILITY_IAM"],
    });
    call(world, "UpdateStack", input).unwrap();
}

#[test]
fn the_real_rack_rolls_all_three_groups() {
    let mut world = world(&["old", "new"]);
    let spot = [("SpotInstanceBid", "0.1"), ("OnDemandMinCount", "2")];
    if !create_rack(&mut world, &spot) {
        return;
    }
    let name = physical_id(&world, "SpotInstances");
    let grown = crate::sandbox::autoscaling::GroupChange {
        desired: Some(2),
        ..Default::default()
    };
    world.update_group(&name, grown).unwrap();
    advance(&mut world, 600);
    let held: usize = keys(&world).values().sum();
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), held)]));
    let before = event_count(&world);
    roll_rack(&mut world);
    advance(&mut world, 7200);
    let events = told(&world, before);
    assert_eq!(
        events.last().unwrap(),
        "rack UPDATE_COMPLETE",
        "{events:#?}"
    );
    for group in ["Instances", "BuildInstances", "SpotInstances"] {
        let begun = format!("{group} UPDATE_IN_PROGRESS Rolling update initiated. Terminating");
        assert!(
            events.iter().any(|event| event.starts_with(&begun)),
            "{group}: {events:#?}"
        );
    }
    for other in [
        "ApiWebTasks UPDATE_COMPLETE",
        "ServiceWebApi UPDATE_COMPLETE",
    ] {
        assert!(
            events.iter().any(|event| event == other),
            "{other}: {events:#?}"
        );
    }
    assert!(
        !events.iter().any(|event| event.starts_with("Settings ")),
        "{events:#?}"
    );
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), held)]));
}

#[test]
fn the_real_rack_rolls_with_its_defaults() {
    let mut world = world(&["old", "new"]);
    if !create_rack(&mut world, &[]) {
        return;
    }
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 4)]));
    assert_eq!(
        world.ssm_value("rackRackApiSecret").as_deref(),
        Some("hunter2")
    );
    roll_rack(&mut world);
    advance(&mut world, 7200);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 4)]));
}
