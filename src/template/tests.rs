use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parameters(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

fn evaluate(value: Value) -> Result<Option<Value>, TemplateError> {
    let template = Template::from_value(json!({
        "Parameters": {
            "Key": {"Type": "String", "Default": ""},
            "Zones": {"Type": "CommaDelimitedList", "Default": "a, b"},
            "Count": {"Type": "Number", "Default": 3},
            "Ami": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": "/ami"},
        },
        "Conditions": {
            "Blank": {"Fn::Equals": [{"Ref": "Key"}, ""]},
            "Three": {"Fn::Equals": [{"Ref": "Count"}, "3"]},
            "Both": {"Fn::And": [{"Condition": "Blank"}, {"Condition": "Three"}]},
            "Neither": {"Fn::Not": [{"Fn::Or": [{"Condition": "Blank"}, {"Condition": "Three"}]}]},
        },
        "Mappings": {"Region": {"us-east-1": {"EFS": "Yes"}}},
        "Resources": {"Group": {"Type": "X"}},
    }))
    .unwrap();
    let ssm = |name: &str| (name == "/ami").then(|| "ami-1".to_owned());
    Evaluator::new(
        &template,
        &BTreeMap::new(),
        Pseudo::default(),
        &Nothing,
        &ssm,
    )
    .unwrap()
    .evaluate(&value)
}

#[test]
fn functions_yield_what_the_guide_says() {
    for (call, expected) in [
        (json!({"Ref": "Count"}), json!("3")),
        (json!({"Ref": "Zones"}), json!(["a", "b"])),
        (json!({"Ref": "Ami"}), json!("ami-1")),
        (json!({"Ref": "AWS::Region"}), json!("us-east-1")),
        (json!({"Ref": "Group"}), json!("<Group>")),
        (
            json!({"Fn::GetAtt": ["Group", "Arn"]}),
            json!("<Group.Arn>"),
        ),
        (json!({"Fn::If": ["Both", "yes", "no"]}), json!("yes")),
        (json!({"Fn::If": ["Neither", "yes", "no"]}), json!("no")),
        (
            json!({"Fn::Join": ["-", ["x", {"Ref": "Zones"}, 1]]}),
            json!("x-a-b-1"),
        ),
        (json!({"Fn::Join": ["", {"Ref": "Zones"}]}), json!("ab")),
        (
            json!({"Fn::Sub": "${AWS::Region}/${Group.Arn}/${!Raw}/${Count}"}),
            json!("us-east-1/<Group.Arn>/${Raw}/3"),
        ),
        (
            json!({"Fn::Sub": ["${A}-${Count}", {"A": {"Ref": "Ami"}}]}),
            json!("ami-1-3"),
        ),
        (
            json!({"Fn::Select": ["1", {"Fn::Split": [",", "p,q"]}]}),
            json!("q"),
        ),
        (
            json!({"Fn::FindInMap": ["Region", {"Ref": "AWS::Region"}, "EFS"]}),
            json!("Yes"),
        ),
        (
            json!({"Fn::FindInMap": ["Region", "x", "EFS", {"DefaultValue": "No"}]}),
            json!("No"),
        ),
        (json!({"Fn::Base64": "hi"}), json!("aGk=")),
        (
            json!({"Fn::Select": [2, {"Fn::GetAZs": ""}]}),
            json!("us-east-1c"),
        ),
        (
            json!({"Fn::Cidr": ["10.0.0.0/16", 2, 8]}),
            json!(["10.0.0.0/24", "10.0.1.0/24"]),
        ),
        (
            json!({"a": {"Ref": "AWS::NoValue"}, "b": [1, {"Ref": "AWS::NoValue"}]}),
            json!({"b": [1]}),
        ),
        // A policy's own `Condition` is no call.
        (
            json!({"Condition": {"StringEquals": {}}}),
            json!({"Condition": {"StringEquals": {}}}),
        ),
    ] {
        assert_eq!(evaluate(call.clone()), Ok(Some(expected)), "{call}");
    }
}

#[test]
fn nonsense_is_an_error_and_no_panic() {
    for call in [
        json!({"Ref": "Nobody"}),
        json!({"Fn::GetAtt": "Group"}),
        json!({"Fn::GetAtt": ["Nobody", "Arn"]}),
        json!({"Fn::If": ["Nobody", 1, 2]}),
        json!({"Fn::If": []}),
        json!({"Fn::Select": [5, ["a"]]}),
        json!({"Fn::Select": ["****", ["a"]]}),
        json!({"Fn::FindInMap": ["Region"]}),
        json!({"Fn::Cidr": ["10.0.0.0/33", 1, 1]}),
        json!({"Fn::Cidr": ["10.0.0.0/16", 200, 40]}),
        json!({"Fn::Split": ["", "a"]}),
        json!({"Fn::Transform": {}}),
    ] {
        assert!(evaluate(call.clone()).is_err(), "{call}");
    }
}

#[test]
fn short_yaml_is_long_json() {
    let yaml = "
Parameters:
  Key: {Type: String}
Conditions:
  Blank: !Equals [!Ref Key, '']
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        KeyName: !If [Blank, !Ref AWS::NoValue, !Ref Key]
        UserData:
          Fn::Base64: !Sub |
            signal ${AWS::StackName}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Condition: Present
    Properties:
      Version: !GetAtt Template.LatestVersionNumber
      MinSize: 1
";
    let template = Template::parse(yaml).unwrap();
    assert_eq!(
        template.tree()["Resources"]["Group"]["Properties"],
        json!({"Version": {"Fn::GetAtt": ["Template", "LatestVersionNumber"]}, "MinSize": 1})
    );
    assert_eq!(
        template.tree()["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["KeyName"],
        json!({"Fn::If": ["Blank", {"Ref": "AWS::NoValue"}, {"Ref": "Key"}]})
    );
    assert_eq!(
        template.tree()["Conditions"]["Blank"],
        json!({"Fn::Equals": [{"Ref": "Key"}, ""]})
    );
}

#[test]
fn bad_text_says_where() {
    let error = Template::parse("Resources:\n  A: [\n").unwrap_err();
    assert!(
        matches!(&error, TemplateError::Syntax(why) if why.contains("line")),
        "{error}"
    );
    let error = Template::parse("{\"Resources\": ,}").unwrap_err();
    assert!(
        matches!(&error, TemplateError::Syntax(why) if why.contains("column")),
        "{error}"
    );
    for text in ["", "[]", "Resources: {}", "{\"Resources\": {\"A\": {}}}"] {
        assert!(
            matches!(Template::parse(text), Err(TemplateError::Shape(_))),
            "{text}"
        );
    }
}

#[test]
fn parameters_are_refused_in_the_words_of_aws() {
    let template = Template::from_value(json!({
        "Parameters": {
            "Password": {"Type": "String", "NoEcho": true, "MinLength": 1, "MaxLength": 5},
            "Count": {"Type": "Number", "Default": "3", "MinValue": 3},
            "Mode": {"Type": "String", "Default": "a", "AllowedValues": ["a", "b"]},
            "Word": {"Type": "String", "Default": "a1", "AllowedPattern": "[a-z]+|a1"},
            "Words": {
                "Type": "CommaDelimitedList", "Default": "a,b", "AllowedPattern": "[a-z]",
                "ConstraintDescription": "one letter each, please.",
            },
            "Java": {"Type": "String", "Default": "x", "AllowedPattern": "^(?=.*[0-9])\\w+$"},
        },
        "Resources": {"A": {"Type": "X"}},
    }))
    .unwrap();
    let declared = template.parameters();
    assert!(declared["Password"].no_echo);
    for (given, expected) in [
        (
            parameters(&[("Nope", "1")]),
            "Parameters: [Nope] do not exist in the template",
        ),
        (parameters(&[]), "Parameters: [Password] must have values"),
        (
            parameters(&[("Password", "")]),
            "Parameter 'Password' must contain at least 1 characters",
        ),
        (
            parameters(&[("Password", "123456")]),
            "Parameter 'Password' must contain at most 5 characters",
        ),
        (
            parameters(&[("Password", "x"), ("Count", "2")]),
            "Parameter 'Count' must be a number not less than 3",
        ),
        (
            parameters(&[("Password", "x"), ("Count", "two")]),
            "Parameter 'Count' must be a number",
        ),
        (
            parameters(&[("Password", "x"), ("Mode", "c")]),
            "Parameter 'Mode' must be one of AllowedValues",
        ),
        (
            // The whole value, whatever the alternatives.
            parameters(&[("Password", "x"), ("Word", "a1b")]),
            "Parameter 'Word' must match pattern [a-z]+|a1",
        ),
        (
            parameters(&[("Password", "x"), ("Words", "a, b,cc")]),
            "Parameter Words failed to satisfy constraint: one letter each, please.",
        ),
    ] {
        assert_eq!(
            resolve(&declared, &given).unwrap_err().to_string(),
            expected
        );
    }
    assert!(resolve(&declared, &parameters(&[("Password", "x")])).is_ok());
}

#[test]
fn a_parameter_is_followed_through_conditions() {
    let template = Template::from_value(json!({
        "Parameters": {"Key": {"Type": "String", "Default": ""}},
        "Conditions": {
            "Blank": {"Fn::Equals": [{"Ref": "Key"}, ""]},
            "NotBlank": {"Fn::Not": [{"Condition": "Blank"}]},
        },
        "Resources": {
            "Direct": {"Type": "X", "Properties": {"K": {"Fn::Sub": "k-${Key}"}}},
            "ByCondition": {"Type": "X", "Condition": "NotBlank"},
            "ByBranch": {"Type": "X", "Properties": {"K": {"Fn::If": ["Blank", 1, 2]}}},
            "Waits": {"Type": "X", "Properties": {"V": {"Fn::GetAtt": ["Direct", "V"]}}},
            "Other": {"Type": "X", "DependsOn": "ByCondition"},
            "Nested": {"Type": "AWS::CloudFormation::Stack", "Properties": {"Parameters": {
                "KeyName": {"Ref": "Key"},
                "Template": {"Fn::GetAtt": ["Waits", "Version"]},
                "Blank": {"Fn::If": ["Blank", "yes", "no"]},
                "Size": "t3.small",
                "Peer": {"Ref": "Other"},
            }}},
        },
    }))
    .unwrap();
    let names = |list: &[&str]| {
        list.iter()
            .map(|n| (*n).to_owned())
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(
        template.resources_naming("Key"),
        names(&["Direct", "ByCondition", "ByBranch", "Nested"])
    );
    let evaluator = Evaluator::preflight(&template, &parameters(&[("Key", "")]), Pseudo::default());
    assert_eq!(evaluator.dependencies()["Waits"], names(&["Direct"]));
    assert_eq!(evaluator.dependencies()["Other"], names(&[]));
    assert_eq!(
        evaluator.affected_by("Key"),
        names(&["Direct", "ByBranch", "Waits", "Nested"])
    );
    assert_eq!(
        evaluator.nested_parameters("Nested", "Key"),
        names(&["KeyName", "Template", "Blank"])
    );
    assert_eq!(evaluator.nested_parameters("Direct", "Key"), names(&[]));
}

/// Finds the real rack template, which is not part of the project.
pub(crate) fn rack_template() -> Option<String> {
    let beside = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/convox-rack.json"
    );
    let path = std::env::var("CONVOX_RACK_TEMPLATE").unwrap_or_else(|_| beside.to_owned());
    let text = std::fs::read_to_string(path).ok();
    if text.is_none() {
        // Not `println!`, which the test harness keeps from view.
        let note = "skipped: no rack template (CONVOX_RACK_TEMPLATE names one)\n";
        let _ = std::io::Write::write_all(&mut std::io::stderr(), note.as_bytes());
    }
    text
}

#[test]
fn the_real_rack_evaluates_from_three_parameters() {
    let Some(text) = rack_template() else { return };
    let template = Template::parse(&text).unwrap();
    assert_eq!(template.parameters().len(), 110);
    assert_eq!(template.entries("Resources").count(), 148);
    let given = parameters(&[
        ("Password", "****"),
        ("Version", "20260421"),
        ("Key", "old"),
    ]);
    let given = resolve(&template.parameters(), &given).unwrap();
    let strict = Evaluator::new(&template, &given, Pseudo::default(), &Nothing, &|_| None).unwrap();
    let preflight = Evaluator::preflight(&template, &given, Pseudo::default());
    for evaluator in [&strict, &preflight] {
        let resources = evaluator.resources().unwrap();
        let group = |name: &str| resources.iter().find(|r| r.logical_id == name);
        let instances = group("Instances").unwrap();
        let roll = &instances.update_policy["AutoScalingRollingUpdate"];
        assert_eq!(roll["MinInstancesInService"], "3");
        assert_eq!(roll["PauseTime"], "PT5M");
        assert_eq!(instances.properties["MaxSize"], "1000");
        let build = &group("BuildInstances").unwrap().update_policy["AutoScalingRollingUpdate"];
        assert_eq!(build["MinInstancesInService"], "1");
        assert!(group("SpotInstances").is_none());
        let template = group("InstancesLaunchTemplate").unwrap();
        assert_eq!(template.properties["LaunchTemplateData"]["KeyName"], "old");
        strict.outputs().unwrap();
    }
    let naming = template.resources_naming("Key");
    for name in [
        "InstancesLaunchTemplate",
        "BuildLaunchTemplate",
        "SpotFleetLT",
        "ApiWebTasks",
    ] {
        assert!(naming.contains(name), "{name}");
    }
    let affected = preflight.affected_by("Key");
    assert!(affected.contains("Instances") && affected.contains("ServiceWebApi"));
    assert!(!affected.contains("Settings"));
}

#[test]
fn the_real_rack_has_a_third_group_with_spot_instances() {
    let Some(text) = rack_template() else { return };
    let template = Template::parse(&text).unwrap();
    let given = parameters(&[
        ("Key", "old"),
        ("SpotInstanceBid", "0.1"),
        ("Password", "****"),
    ]);
    let evaluator = Evaluator::preflight(&template, &given, Pseudo::default());
    let spot = evaluator.resource("SpotInstances").unwrap().unwrap();
    assert_eq!(
        spot.update_policy["AutoScalingRollingUpdate"]["MinInstancesInService"],
        "0"
    );
}

proptest! {
    #[test]
    fn masked_or_strange_values_never_panic(value in ".{0,12}", index in "[0-9*]{0,4}") {
        let template = Template::from_value(json!({
            "Parameters": {"A": {"Type": "CommaDelimitedList"}, "B": {"Type": "Number"}},
            "Conditions": {"C": {"Fn::Equals": [{"Fn::Select": [{"Ref": "B"}, {"Ref": "A"}]}, "x"]}},
            "Resources": {"R": {"Type": "T", "Condition": "Unknown"}, "S": {"Type": "T", "Properties": {
                "P": {"Fn::Select": [{"Ref": "B"}, {"Fn::Split": [",", {"Fn::Sub": "${A}${Gone}"}]}]},
                "Q": {"Fn::Cidr": [{"Ref": "B"}, {"Ref": "B"}, {"Ref": "B"}]},
                "T": {"Fn::Sub": &value}, "U": {"Fn::If": ["C", 1, 2]},
            }}},
        })).unwrap();
        let given = parameters(&[("A", value.as_str()), ("B", index.as_str())]);
        let evaluator = Evaluator::preflight(&template, &given, Pseudo::default());
        let resources = evaluator.resources().unwrap();
        prop_assert_eq!(resources.len(), 1);
    }
}
