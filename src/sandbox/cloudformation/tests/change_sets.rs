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
