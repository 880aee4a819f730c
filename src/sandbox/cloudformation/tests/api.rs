use super::*;

fn small(world: &mut World) -> String {
    create(
        world,
        &template(json!({"MinSize": 1, "MaxSize": 3}), rolling_policy(1, 1)),
    )
}

fn message(outcome: Result<Value, AwsError>) -> String {
    outcome.unwrap_err().message
}

#[test]
fn secrets_are_masked_and_ssm_values_resolved() {
    let mut world = world(&["old"]);
    small(&mut world);
    let answer = call(&mut world, "DescribeStacks", json!({"StackName": "rack"})).unwrap();
    assert!(!answer.to_string().contains("hunter2"));
    let parameters = answer["Stacks"][0]["Parameters"].as_array().unwrap();
    let find = |name: &str| {
        parameters
            .iter()
            .find(|p| p["ParameterKey"] == name)
            .unwrap()
    };
    assert_eq!(find("Password")["ParameterValue"], "****");
    assert!(
        find("Ami")["ParameterValue"]
            .as_str()
            .unwrap()
            .starts_with("/aws/service/")
    );
    assert!(
        find("Ami")["ResolvedValue"]
            .as_str()
            .unwrap()
            .starts_with("ami-")
    );
    assert!(!format!("{world:?}").contains("hunter2"));
    assert_eq!(answer["Stacks"][0]["Outputs"][0]["OutputKey"], "Group");
    assert_eq!(
        answer["Stacks"][0]["CreationTime"],
        "2026-01-01T00:00:00.000Z"
    );
}

#[test]
fn refusals_are_in_the_words_of_aws() {
    let mut world = world(&["old", "new"]);
    let id = small(&mut world);
    assert_eq!(
        message(update(&mut world, "old")),
        "No updates are to be performed."
    );
    assert_eq!(
        message(call(
            &mut world,
            "DescribeStacks",
            json!({"StackName": "x"})
        )),
        "Stack with id x does not exist"
    );
    assert_eq!(
        message(call(
            &mut world,
            "DescribeStackEvents",
            json!({"StackName": "x"})
        )),
        "Stack [x] does not exist"
    );
    let unknown = json!({
        "StackName": "rack", "UsePreviousTemplate": true,
        "Parameters": [{"ParameterKey": "Nope", "UsePreviousValue": true}],
    });
    assert_eq!(
        message(call(&mut world, "UpdateStack", unknown)),
        "Parameters: [Nope] do not exist in the template"
    );
    let long = json!({"StackName": "rack", "TemplateBody": "x".repeat(51_201)});
    assert!(message(call(&mut world, "UpdateStack", long)).contains("51200"));
    update(&mut world, "new").unwrap();
    let busy = update_with(&mut world, "old", json!({"ClientRequestToken": "other"}));
    assert_eq!(
        message(busy),
        format!("Stack:{id} is in UPDATE_IN_PROGRESS state and can not be updated.")
    );
}

#[test]
fn a_newer_image_comes_along_with_the_next_update() {
    let mut world = world(&["old", "new"]);
    world.put_ssm_parameter("/image", "ami-1");
    let mut template = template(json!({"MinSize": 1, "MaxSize": 3}), rolling_policy(1, 1));
    template["Parameters"]["Ami"]["Default"] = json!("/image");
    create(&mut world, &template);
    world.put_ssm_parameter("/image", "ami-2");
    // Nothing was asked for but the parameters as they are.
    update(&mut world, "old").unwrap();
    advance(&mut world, 1800);
    let images: Vec<_> = world
        .live_instances()
        .map(|instance| &*instance.image_id)
        .collect();
    assert_eq!(images, ["ami-2"]);
}

#[test]
fn a_token_makes_a_repeated_call_harmless() {
    let mut world = world(&["old", "new"]);
    small(&mut world);
    let first = update(&mut world, "new").unwrap();
    let events = event_count(&world);
    assert_eq!(update(&mut world, "new").unwrap(), first);
    assert_eq!(event_count(&world), events);
    let other = json!({"StackName": "rack", "ClientRequestToken": "token-new"});
    let error = call(&mut world, "CancelUpdateStack", other).unwrap_err();
    assert_eq!(error.code, "TokenAlreadyExistsException");
    advance(&mut world, 1800);
    // Also when everything is over.
    assert_eq!(update(&mut world, "new").unwrap(), first);
    assert_eq!(status(&world), "UPDATE_COMPLETE");
}

#[test]
fn events_come_in_pages_newest_first_and_tokens_survive_newer_ones() {
    let mut world = world(&["a", "b", "old"]);
    small(&mut world);
    for round in 0..6 {
        let key = if round % 2 == 0 { "a" } else { "b" };
        let token = json!({"ClientRequestToken": format!("round-{round}")});
        update_with(&mut world, key, token).unwrap();
        advance(&mut world, 1800);
    }
    let input = json!({"StackName": "rack"});
    let first = call(&mut world, "DescribeStackEvents", input).unwrap();
    let page = first["StackEvents"].as_array().unwrap();
    assert_eq!(page.len(), 100.min(event_count(&world)));
    assert_eq!(page[0]["ResourceStatus"], "UPDATE_COMPLETE");
    assert_eq!(page[0]["ClientRequestToken"], "round-5");
    let total = event_count(&world);
    update_with(&mut world, "old", json!({"ClientRequestToken": "last"})).unwrap();
    let mut seen = page.len();
    let mut next = first["NextToken"].clone();
    while next.is_string() {
        let input = json!({"StackName": "rack", "NextToken": next});
        let more = call(&mut world, "DescribeStackEvents", input).unwrap();
        seen += more["StackEvents"].as_array().unwrap().len();
        next = more["NextToken"].clone();
    }
    assert_eq!(seen, total);
}

#[test]
fn a_deleted_stack_is_found_by_its_id_alone() {
    let mut world = world(&["old", "new"]);
    let id = small(&mut world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 60);
    // Also in the middle of an update.
    call(&mut world, "DeleteStack", json!({"StackName": "rack"})).unwrap();
    advance(&mut world, 900);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    assert!(call(&mut world, "DescribeStacks", json!({"StackName": "rack"})).is_err());
    let answer = call(&mut world, "DescribeStackEvents", json!({"StackName": id})).unwrap();
    assert_eq!(
        answer["StackEvents"][0]["ResourceStatus"],
        "DELETE_COMPLETE"
    );
    assert!(keys(&world).is_empty());
    call(&mut world, "DeleteStack", json!({"StackName": "rack"})).unwrap();
}

#[test]
fn operations_are_told_apart() {
    let mut world = world(&["old"]);
    small(&mut world);
    let update = update(&mut world, "gone").unwrap();
    advance(&mut world, 600);
    let input = json!({
        "OperationId": update["OperationId"], "Filters": {"FailedEvents": "true"},
    });
    let answer = call(&mut world, "DescribeEvents", input).unwrap();
    let failed = answer["OperationEvents"].as_array().unwrap();
    assert_eq!(failed.len(), 1);
    assert_eq!(failed[0]["LogicalResourceId"], "Instances");
    assert_eq!(failed[0]["OperationType"], "UPDATE_STACK");
    assert_eq!(failed[0]["EventType"], "PROVISIONING_ERROR");
    let stack = call(&mut world, "DescribeStacks", json!({"StackName": "rack"})).unwrap();
    assert_eq!(
        stack["Stacks"][0]["LastOperations"][0]["OperationType"],
        "ROLLBACK"
    );
}

#[test]
fn templates_are_described_and_checked() {
    let mut world = world(&["old"]);
    small(&mut world);
    let answer = call(&mut world, "GetTemplate", json!({"StackName": "rack"})).unwrap();
    assert!(answer["TemplateBody"].as_str().unwrap().contains("KeyName"));
    let answer = call(
        &mut world,
        "GetTemplateSummary",
        json!({"StackName": "rack"}),
    )
    .unwrap();
    assert_eq!(answer["Parameters"].as_array().unwrap().len(), 3);
    for (body, expected) in [
        ("Resources: [", "Template format error: "),
        (
            "Resources: {A: {Type: X, Properties: {P: !Ref B}}}",
            "Template format error: Unresolved resource dependencies [B] in the Resources block \
             of the template",
        ),
        (
            "Resources: {A: {Type: X, DependsOn: B}, B: {Type: X, DependsOn: A}}",
            "Circular dependency between resources: [A, B]",
        ),
        (
            "Resources: {A: {Type: 'AWS::IAM::Role'}}",
            "Requires capabilities : [CAPABILITY_IAM]",
        ),
    ] {
        let input = json!({"StackName": "other", "TemplateBody": body});
        let message = message(call(&mut world, "CreateStack", input));
        assert!(message.starts_with(expected), "{message}");
    }
}

#[test]
fn a_template_can_be_in_a_bucket() {
    let mut world = world(&[]);
    world.create_bucket("templates");
    world
        .put_object("templates", "a/b.yaml", b"Resources: {A: {Type: X}}")
        .unwrap();
    for (name, url) in [
        ("path", "https://s3.amazonaws.com/templates/a/b.yaml"),
        (
            "host",
            "https://templates.s3.us-east-1.amazonaws.com/a/b.yaml",
        ),
        ("local", "http://127.0.0.1:4566/templates/a/b.yaml"),
    ] {
        let input = json!({"StackName": name, "TemplateURL": url});
        call(&mut world, "CreateStack", input).unwrap();
    }
}

#[test]
fn the_account_survives_being_stored_in_the_middle_of_a_roll() {
    let mut world = world(&["old", "new"]);
    small(&mut world);
    update(&mut world, "new").unwrap();
    advance(&mut world, 40);
    let text = serde_json::to_string(&world).unwrap();
    let mut stored: World = serde_json::from_str(&text).unwrap();
    advance(&mut world, 1800);
    advance(&mut stored, 1800);
    assert_eq!(status(&stored), "UPDATE_COMPLETE");
    assert_eq!(told(&stored, 0), told(&world, 0));
}
