use super::*;

/// A stack with a group in a nested one; `more` are further resources.
fn parent(more: Value) -> Value {
    let mut template = json!({
        "Parameters": {
            "Key": {"Type": "String"},
            "Count": {"Type": "Number", "Default": "1"},
        },
        "Resources": {
            "Fleet": {"Type": "AWS::CloudFormation::Stack", "Properties": {
                "TemplateURL": "https://templates.s3.us-east-1.amazonaws.com/fleet.json",
                "Parameters": {"Key": {"Ref": "Key"}},
                "Tags": [{"Key": "Part", "Value": "fleet"}],
            }},
            "Told": {"Type": "AWS::SSM::Parameter", "Properties": {
                "Name": "group", "Type": "String",
                "Value": {"Fn::GetAtt": ["Fleet", "Outputs.Group"]},
            }},
        },
        "Outputs": {"Group": {"Value": {"Fn::GetAtt": ["Fleet", "Outputs.Group"]}}},
    });
    for (name, value) in more.as_object().unwrap() {
        template["Resources"][name] = value.clone();
    }
    template
}

/// A world with key pairs and the nested stack's template.
fn nested_world() -> World {
    let mut world = world(&["new", "old"]);
    world.create_bucket("templates");
    let sizes = json!({"MinSize": 1, "MaxSize": 3});
    put_fleet(&mut world, &template(sizes, rolling_policy(1, 1)));
    world
}

fn put_fleet(world: &mut World, template: &Value) {
    world
        .put_object("templates", "fleet.json", template.to_string().as_bytes())
        .unwrap();
}

/// A group that no instance is ever in service of, since its key pair does not exist.
fn hopeless() -> Value {
    json!({"Hopeless": {
        "Type": "AWS::AutoScaling::AutoScalingGroup",
        "DependsOn": "Fleet",
        "Properties": {
            "MinSize": 1, "MaxSize": 1,
            "LaunchTemplate": {"LaunchTemplateId": "lt-none", "Version": "1"},
        },
    }})
}

fn update_key(world: &mut World, key: &str, template: Option<&Value>) {
    let mut input = json!({
        "StackName": "rack",
        "ClientRequestToken": format!("token-{key}"),
        "Parameters": [{"ParameterKey": "Key", "ParameterValue": key}],
    });
    match template {
        Some(template) => input["TemplateBody"] = json!(template.to_string()),
        None => input["UsePreviousTemplate"] = json!(true),
    }
    call(world, "UpdateStack", input).unwrap();
}

/// Returns the nested stack, whatever became of it.
fn fleet(world: &World) -> &Stack {
    let mut stacks = world.cloudformation.stacks();
    stacks.find(|stack| stack.parent.is_some()).unwrap()
}

fn told_of_fleet(world: &World) -> Vec<String> {
    fleet(world)
        .events()
        .map(|event| format!("{} {}", event.logical_id, event.status))
        .collect()
}

#[test]
fn a_nested_stack_is_a_stack_of_its_own_inside_another() {
    let mut world = nested_world();
    let id = create(&mut world, &parent(json!({})));
    let nested = physical_id(&world, "Fleet");
    let shown = call(&mut world, "DescribeStacks", json!({"StackName": nested})).unwrap();
    let shown = &shown["Stacks"][0];
    assert_eq!(shown["StackStatus"], "CREATE_COMPLETE");
    assert_eq!(shown["ParentId"], id);
    assert_eq!(shown["RootId"], id);
    assert_eq!(shown["Tags"], json!([{"Key": "Part", "Value": "fleet"}]));
    let name = shown["StackName"].as_str().unwrap();
    assert!(name.starts_with("rack-Fleet-"), "{name}");
    let group = shown["Outputs"][0]["OutputValue"].as_str().unwrap();
    assert_eq!(world.ssm_value("group").as_deref(), Some(group));
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 1)]));

    call(&mut world, "DeleteStack", json!({"StackName": "rack"})).unwrap();
    advance(&mut world, 600);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    assert_eq!(fleet(&world).status, "DELETE_COMPLETE");
    assert!(keys(&world).is_empty());
}

#[test]
fn a_nested_stack_cleans_up_only_when_the_stack_around_it_does() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    let slow = json!({"Slow": {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Timeout": "PT30M"}},
    }});
    update_key(&mut world, "new", Some(&parent(slow)));
    advance(&mut world, 900);
    assert_eq!(fleet(&world).status, "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS");
    assert_eq!(status(&world), "UPDATE_IN_PROGRESS");
    assert_eq!(
        fleet(&world).events().last().unwrap().token.as_deref(),
        Some("token-new")
    );
    on_signal(&mut world, "rack", "Slow", "somebody", true);
    advance(&mut world, 60);
    assert_eq!(fleet(&world).status, "UPDATE_COMPLETE");
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 1)]));
}

#[test]
fn a_nested_stack_goes_back_with_the_stack_around_it() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    update_key(&mut world, "new", Some(&parent(hopeless())));
    advance(&mut world, 3_600);
    assert_eq!(
        status(&world),
        "UPDATE_ROLLBACK_COMPLETE",
        "{:#?}",
        told(&world, 0)
    );
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 1)]));
    let events = told_of_fleet(&world);
    let name = &fleet(&world).name;
    let at = |status: &str| {
        let line = format!("{name} {status}");
        events.iter().position(|event| *event == line)
    };
    let forward = at("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS").unwrap();
    assert!(forward < at("UPDATE_ROLLBACK_IN_PROGRESS").unwrap());
    assert_eq!(at("UPDATE_COMPLETE"), None);
}

#[test]
fn a_failure_in_a_nested_stack_is_told_in_the_one_around_it() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    // The key pair does not exist.
    update_key(&mut world, "gone", None);
    advance(&mut world, 3_600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_COMPLETE");
    let nested = physical_id(&world, "Fleet");
    let failed = format!(
        "Fleet UPDATE_FAILED Embedded stack {nested} was not successfully updated. Currently in \
         UPDATE_ROLLBACK_IN_PROGRESS with reason: The following resource(s) failed to update: \
         [Instances]."
    );
    let events = told(&world, 0);
    assert!(events.contains(&failed), "{events:#?}");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 1)]));
}

#[test]
fn a_stack_that_cannot_be_created_takes_its_nested_ones_along() {
    let mut world = nested_world();
    let create = |world: &mut World, key: &str, template: &Value| {
        let input = json!({
            "StackName": "rack", "TemplateBody": template.to_string(),
            "Parameters": [{"ParameterKey": "Key", "ParameterValue": key}],
        });
        call(world, "CreateStack", input).unwrap();
        advance(world, 3_600);
    };
    create(&mut world, "old", &parent(hopeless()));
    assert_eq!(status(&world), "ROLLBACK_COMPLETE");
    assert_eq!(fleet(&world).status, "DELETE_COMPLETE");
    assert!(keys(&world).is_empty());

    let mut world = nested_world();
    create(&mut world, "gone", &parent(json!({})));
    assert_eq!(status(&world), "ROLLBACK_COMPLETE");
    assert_eq!(fleet(&world).status, "DELETE_COMPLETE");
    let nested = &fleet(&world).id;
    let failed = format!(
        "Fleet CREATE_FAILED Embedded stack {nested} was not successfully created: The following \
         resource(s) failed to create: [Instances]."
    );
    let events = told(&world, 0);
    assert!(events.contains(&failed), "{events:#?}");
}

#[test]
fn a_nested_stack_that_cannot_go_back_wedges_the_one_around_it() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    update_key(&mut world, "new", Some(&parent(hopeless())));
    // By the time that everything goes back, the old key pair is gone.
    world.delete_key_pair("old");
    advance(&mut world, 3_600);
    assert_eq!(
        status(&world),
        "UPDATE_ROLLBACK_FAILED",
        "{:#?}",
        told(&world, 0)
    );
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_FAILED");
    world
        .create_key_pair("old", KeyKind::Ed25519, Default::default())
        .unwrap();
    let input = json!({"StackName": "rack"});
    call(&mut world, "ContinueUpdateRollback", input).unwrap();
    advance(&mut world, 3_600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 1)]));
}

#[test]
fn a_cancelled_update_breaks_off_its_nested_ones() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    update_key(&mut world, "new", None);
    advance(&mut world, 40);
    assert_eq!(fleet(&world).status, "UPDATE_IN_PROGRESS");
    call(
        &mut world,
        "CancelUpdateStack",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_IN_PROGRESS");
    advance(&mut world, 3_600);
    assert_eq!(status(&world), "UPDATE_ROLLBACK_COMPLETE");
    assert_eq!(fleet(&world).status, "UPDATE_ROLLBACK_COMPLETE");
    // The group keeps the room that the roll made for itself, as nothing says what it wants.
    assert_eq!(keys(&world).into_keys().collect::<Vec<_>>(), ["old"]);
}

#[test]
fn another_template_at_the_same_place_is_seen_at_the_next_update() {
    let mut world = nested_world();
    create(&mut world, &parent(json!({})));
    let sizes = json!({"MinSize": 2, "MaxSize": 3});
    put_fleet(&mut world, &template(sizes, rolling_policy(1, 1)));
    let more = json!({"Other": {"Type": "AWS::SNS::Topic"}});
    update_key(&mut world, "old", Some(&parent(more)));
    advance(&mut world, 600);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 2)]));
}
