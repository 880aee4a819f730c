use super::*;

fn classic() -> Value {
    json!({
        "Parameters": {
            "Key": {"Type": "String"},
            "Password": {"Type": "String", "NoEcho": true, "Default": "hunter2"},
            "Ami": {"Type": "String", "Default": "ami-1"},
        },
        "Resources": {
            "Configuration": {"Type": "AWS::AutoScaling::LaunchConfiguration", "Properties": {
                "ImageId": {"Ref": "Ami"},
                "InstanceType": "t3.small",
                "KeyName": {"Ref": "Key"},
                "UserData": {"Fn::Base64": "cfn-signal"},
            }},
            "Instances": {
                "Type": "AWS::AutoScaling::AutoScalingGroup",
                "Properties": {
                    "LaunchConfigurationName": {"Ref": "Configuration"},
                    "MinSize": 2, "MaxSize": 4,
                },
                "UpdatePolicy": rolling_policy(1, 2),
            },
        },
    })
}

fn configurations(world: &mut World) -> Vec<(String, String)> {
    let input = Input(json!({}));
    let answer = crate::sandbox::autoscaling::handle(world, "DescribeLaunchConfigurations", &input);
    let answer = answer.unwrap().unwrap();
    let found = answer["LaunchConfigurations"].as_array().unwrap().iter();
    found
        .map(|it| {
            let name = it["LaunchConfigurationName"].as_str().unwrap();
            let key = it["KeyName"].as_str().unwrap();
            (name.to_owned(), key.to_owned())
        })
        .collect()
}

#[test]
fn another_key_makes_another_launch_configuration_and_rolls_the_group_to_it() {
    let mut world = world(&["new", "old"]);
    create(&mut world, &classic());
    let before = physical_id(&world, "Configuration");
    assert_eq!(
        configurations(&mut world),
        [(before.clone(), "old".to_owned())]
    );
    let skip = event_count(&world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 3_600);
    assert_eq!(
        status(&world),
        "UPDATE_COMPLETE",
        "{:#?}",
        told(&world, skip)
    );
    let after = physical_id(&world, "Configuration");
    assert_ne!(after, before);
    assert_eq!(configurations(&mut world), [(after, "new".to_owned())]);
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 2)]));
    let events = told(&world, skip);
    for expected in [
        "Configuration UPDATE_IN_PROGRESS Requested update requires the creation of a new \
         physical resource; hence creating one.",
        "Configuration DELETE_COMPLETE",
    ] {
        assert!(events.iter().any(|event| event == expected), "{events:#?}");
    }
    call(&mut world, "DeleteStack", json!({"StackName": "rack"})).unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    assert_eq!(configurations(&mut world), []);
}

#[test]
fn a_roll_of_a_launch_configuration_that_fails_goes_back_to_the_former_one() {
    let mut world = world(&["new", "old"]);
    create(&mut world, &classic());
    let before = physical_id(&world, "Configuration");
    update(&mut world, "new").unwrap();
    wait_for(&mut world, 0, "Terminating instance(s)");
    call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    advance(&mut world, 3_600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(configurations(&mut world), [(before, "old".to_owned())]);
    // The group keeps the room that the roll made for itself, as nothing says what it wants.
    assert_eq!(keys(&world).into_keys().collect::<Vec<_>>(), ["old"]);
}

#[test]
fn a_launch_configuration_names_a_key_pair_that_exists() {
    let mut world = world(&["old"]);
    create(&mut world, &classic());
    update(&mut world, "gone").unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    let events = told(&world, 0);
    let failed = "Configuration UPDATE_FAILED Resource handler returned message: \"The key pair \
                  'gone' does not exist";
    assert!(
        events.iter().any(|event| event.starts_with(failed)),
        "{events:#?}"
    );
}
