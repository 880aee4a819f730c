use super::*;

fn create_change_set(world: &mut World, name: &str, key: &str) -> Result<Value, AwsError> {
    let input = json!({
        "StackName": "rack", "ChangeSetName": name, "ChangeSetType": "UPDATE",
        "UsePreviousTemplate": true,
        "Parameters": [
            {"ParameterKey": "Key", "ParameterValue": key},
            {"ParameterKey": "Password", "UsePreviousValue": true},
        ],
    });
    call(world, "CreateChangeSet", input)
}

fn describe(world: &mut World, name: &str) -> Value {
    let input = json!({"StackName": "rack", "ChangeSetName": name});
    call(world, "DescribeChangeSet", input).unwrap()
}

#[test]
fn a_change_set_foresees_the_roll_and_carries_it_out() {
    let mut world = world(&["old", "new"]);
    create(
        &mut world,
        &template(json!({"MinSize": 1, "MaxSize": 3}), rolling_policy(1, 1)),
    );
    create_change_set(&mut world, "preview", "new").unwrap();
    assert_eq!(describe(&mut world, "preview")["Status"], "CREATE_PENDING");
    advance(&mut world, 3);
    let set = describe(&mut world, "preview");
    assert_eq!(set["Status"], "CREATE_COMPLETE");
    let changed: Vec<_> = set["Changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let change = &change["ResourceChange"];
            (
                change["LogicalResourceId"].as_str().unwrap(),
                change["Action"].as_str().unwrap(),
                change["Details"][0]["Target"]["Name"].as_str().unwrap(),
                change["Details"][0]["Evaluation"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        changed,
        [
            ("Instances", "Modify", "LaunchTemplate", "Dynamic"),
            ("Template", "Modify", "LaunchTemplateData", "Static"),
        ]
    );
    assert!(!set.to_string().contains("hunter2"));
    let input = json!({"StackName": "rack", "ChangeSetName": "preview"});
    call(&mut world, "ExecuteChangeSet", input.clone()).unwrap();
    advance(&mut world, 1800);
    assert_eq!(keys(&world), BTreeMap::from([("new".to_owned(), 1)]));
    assert_eq!(
        describe(&mut world, "preview")["ExecutionStatus"],
        "EXECUTE_COMPLETE"
    );
    call(&mut world, "DeleteChangeSet", input).unwrap();
    let list = call(&mut world, "ListChangeSets", json!({"StackName": "rack"})).unwrap();
    assert_eq!(list["Summaries"], json!([]));
}

#[test]
fn a_change_set_without_changes_fails() {
    let mut world = world(&["old"]);
    create(
        &mut world,
        &template(json!({"MinSize": 1, "MaxSize": 3}), Value::Null),
    );
    create_change_set(&mut world, "nothing", "old").unwrap();
    assert!(create_change_set(&mut world, "nothing", "old").is_err());
    advance(&mut world, 3);
    let set = describe(&mut world, "nothing");
    assert_eq!(set["Status"], "FAILED");
    assert_eq!(
        set["StatusReason"],
        "The submitted information didn't contain changes. Submit different information to \
         create a change set."
    );
}

fn create_new(world: &mut World, stack: &str, name: &str) -> Result<Value, AwsError> {
    let template = template(json!({"MinSize": 1, "MaxSize": 3}), rolling_policy(1, 1));
    let input = json!({
        "StackName": stack, "ChangeSetName": name, "ChangeSetType": "CREATE",
        "TemplateBody": template.to_string(),
        "Parameters": [{"ParameterKey": "Key", "ParameterValue": "old"}],
    });
    call(world, "CreateChangeSet", input)
}

#[test]
fn a_change_set_makes_a_stack_that_is_in_review_until_it_is_executed() {
    let mut world = world(&["old"]);
    let made = create_new(&mut world, "rack", "first").unwrap();
    assert_eq!(told(&world, 0), ["rack REVIEW_IN_PROGRESS User Initiated"]);
    let shown = call(&mut world, "DescribeStacks", json!({"StackName": "rack"})).unwrap();
    assert_eq!(shown["Stacks"][0]["StackStatus"], "REVIEW_IN_PROGRESS");
    assert_eq!(shown["Stacks"][0]["StackId"], made["StackId"]);
    assert_eq!(shown["Stacks"][0]["ChangeSetId"], made["Id"]);
    let resources = json!({"StackName": "rack"});
    let resources = call(&mut world, "ListStackResources", resources).unwrap();
    assert_eq!(resources["StackResourceSummaries"], json!([]));
    // Another one may be made beside it, of another name.
    let second = create_new(&mut world, "rack", "second").unwrap();
    assert_eq!(second["StackId"], made["StackId"]);
    assert_eq!(
        create_new(&mut world, "rack", "second").unwrap_err().code,
        "AlreadyExistsException"
    );
    advance(&mut world, 3);
    let listed = call(&mut world, "ListChangeSets", json!({"StackName": "rack"})).unwrap();
    assert_eq!(listed["Summaries"].as_array().unwrap().len(), 2);
    assert_eq!(listed["Summaries"][0]["ExecutionStatus"], "AVAILABLE");
    let set = describe(&mut world, "first");
    let foreseen: Vec<_> = set["Changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            let change = &change["ResourceChange"];
            assert_eq!(change["PhysicalResourceId"], Value::Null);
            (
                change["Action"].as_str().unwrap(),
                change["LogicalResourceId"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        foreseen,
        [("Add", "Instances"), ("Add", "Template"), ("Add", "Topic")]
    );
    assert_eq!(world.live_instances().count(), 0);

    let input = json!({"StackName": "rack", "ChangeSetName": "first"});
    call(&mut world, "ExecuteChangeSet", input).unwrap();
    assert_eq!(status(&world), "CREATE_IN_PROGRESS");
    assert_eq!(
        describe(&mut world, "second")["ExecutionStatus"],
        "OBSOLETE"
    );
    advance(&mut world, 600);
    assert_eq!(status(&world), "CREATE_COMPLETE");
    assert_eq!(keys(&world), BTreeMap::from([("old".to_owned(), 1)]));
    assert_eq!(
        told(&world, 0)[..2],
        [
            "rack REVIEW_IN_PROGRESS User Initiated",
            "rack CREATE_IN_PROGRESS User Initiated",
        ]
    );
}

#[test]
fn a_stack_in_review_outlives_its_change_sets_and_can_be_deleted() {
    let mut world = world(&["old"]);
    create_new(&mut world, "rack", "first").unwrap();
    advance(&mut world, 3);
    let input = json!({"StackName": "rack", "ChangeSetName": "first"});
    call(&mut world, "DeleteChangeSet", input).unwrap();
    assert_eq!(status(&world), "REVIEW_IN_PROGRESS");
    create_new(&mut world, "rack", "second").unwrap();
    call(&mut world, "DeleteStack", json!({"StackName": "rack"})).unwrap();
    advance(&mut world, 10);
    assert_eq!(status(&world), "DELETE_COMPLETE");
    let error = call(&mut world, "ListChangeSets", json!({"StackName": "rack"})).unwrap_err();
    assert_eq!(error.message, "Stack [rack] does not exist");
    // The name is free again.
    create_new(&mut world, "rack", "first").unwrap();
}

#[test]
fn a_change_set_of_the_wrong_type_is_refused_in_the_words_of_aws() {
    let mut world = world(&["old"]);
    let message = |outcome: Result<Value, AwsError>| outcome.unwrap_err().message;
    assert_eq!(
        message(create_change_set(&mut world, "early", "old")),
        "Stack [rack] does not exist"
    );
    let made = create_new(&mut world, "rack", "first").unwrap();
    assert_eq!(
        message(create_change_set(&mut world, "early", "old")),
        format!(
            "Stack:{} is in REVIEW_IN_PROGRESS state and can not be updated.",
            made["StackId"].as_str().unwrap()
        )
    );
    assert_eq!(
        message(call(
            &mut world,
            "GetTemplateSummary",
            json!({"StackName": "rack"})
        )),
        "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks."
    );
    let template = json!({"StackName": "rack", "ChangeSetName": "first"});
    let template = call(&mut world, "GetTemplate", template).unwrap();
    assert!(template.to_string().contains("AutoScalingGroup"));
    advance(&mut world, 3);
    let input = json!({"StackName": "rack", "ChangeSetName": "first"});
    call(&mut world, "ExecuteChangeSet", input).unwrap();
    assert_eq!(
        message(create_new(&mut world, "rack", "again")),
        "Stack [rack] already exists and cannot be created again with the changeSet [again]."
    );
    let previous = json!({
        "StackName": "other", "ChangeSetName": "first", "ChangeSetType": "CREATE",
        "UsePreviousTemplate": true,
    });
    assert_eq!(
        message(call(&mut world, "CreateChangeSet", previous)),
        "Cannot specify usePreviousTemplate as true for a changeSetType CREATE"
    );
    assert!(world.cloudformation.stack("other").is_none());
}
