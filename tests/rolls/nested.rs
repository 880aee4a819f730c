//! A rack whose group is in a nested stack.

use std::collections::BTreeMap;
use std::path::Path;

use convox::roll::{EventKind, Outcome, RollPolicy};
use convox::sandbox::Scenario;

use crate::outcomes::{assert_no_secret, assert_settled};
use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY, in_virtual_time};

const RACK: &str = r#"
Parameters:
  Key: { Type: String }
  Password: { Type: String, NoEcho: true }
  Version: { Type: String }
  InstanceCount: { Type: Number }
  InstanceUpdateBatchSize: { Type: Number }
Resources:
  Settings: { Type: AWS::S3::Bucket }
  EncryptionKey: { Type: AWS::KMS::Key }
  Fleet:
    Type: AWS::CloudFormation::Stack
    Properties:
      TemplateURL: https://templates.s3.amazonaws.com/racks/fleet.yaml
      Parameters:
        Key: { Ref: Key }
        Count: { Ref: InstanceCount }
        Batch: { Ref: InstanceUpdateBatchSize }
Outputs:
  AutoscalingGroup: { Value: !GetAtt Fleet.Outputs.Group }
  EncryptionKey: { Value: !GetAtt EncryptionKey.Arn }
  SettingsBucket: { Value: !Ref Settings }
"#;

const FLEET: &str = r#"
Parameters:
  Key: { Type: String }
  Count: { Type: Number }
  Batch: { Type: Number }
Resources:
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData:
        ImageId: ami-1
        KeyName: !Ref Key
        UserData: { "Fn::Base64": "cfn-signal" }
  Instances:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      LaunchTemplate:
        LaunchTemplateId: !Ref Template
        Version: !GetAtt Template.LatestVersionNumber
      MinSize: !Ref Count
      MaxSize: 10
    UpdatePolicy:
      AutoScalingRollingUpdate:
        MaxBatchSize: !Ref Batch
        MinInstancesInService: !Ref Count
        PauseTime: PT5M
        WaitOnResourceSignals: true
Outputs:
  Group: { Value: !Ref Instances }
"#;

/// Makes the scenario, with its templates in `dir`.
fn nested(dir: &Path, faults: &str) -> Scenario {
    with_fleet(dir, FLEET, faults)
}

fn with_fleet(dir: &Path, template: &str, faults: &str) -> Scenario {
    let (rack, fleet) = (dir.join("rack.yaml"), dir.join("fleet.yaml"));
    std::fs::write(&rack, RACK).unwrap();
    std::fs::write(&fleet, template).unwrap();
    let scenario = format!("{{ name: nested, about: a nested group, faults: {faults} }}");
    let scenario = Scenario::parse(&scenario, "nested").unwrap();
    let mut rehearsed = scenario;
    rehearsed.template = Some(rack);
    rehearsed.objects = BTreeMap::from([("templates/racks/fleet.yaml".to_owned(), fleet)]);
    rehearsed.rack.services.clear();
    rehearsed
}

#[test]
fn a_group_in_a_nested_stack_is_rolled_and_proven() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let rehearsal = Rehearsal::new(&nested(dir.path(), "[]"));
        let result = rehearsal.roll().await;
        assert_settled(&rehearsal, &result, "nested");
        assert_no_secret(&rehearsal, "nested");
        let report = result.unwrap();
        assert_eq!(report.outcome, Outcome::Done, "{}", report.message);
        // The nested stack's own events are told, which are where the group is.
        let told: Vec<_> = rehearsal
            .tape
            .events()
            .into_iter()
            .filter_map(|event| match event.kind {
                EventKind::Stack(event) => Some(event),
                _ => None,
            })
            .collect();
        let rolled = told.iter().any(|event| {
            let reason = event.reason.as_deref().unwrap_or_default();
            event.logical_id == "Instances" && reason.starts_with("Rolling update initiated.")
        });
        assert!(rolled, "{told:#?}");
    });
}

#[test]
fn what_fails_in_a_nested_stack_is_named_and_everything_goes_back() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let faults = "[{ signals: { key: new, fate: failure, times: 1 } }]";
        let rehearsal = Rehearsal::new(&nested(dir.path(), faults));
        let result = rehearsal.roll().await;
        assert_settled(&rehearsal, &result, "nested");
        let report = result.unwrap();
        assert_eq!(report.outcome, Outcome::RolledBack, "{}", report.message);
        let failure = report.first_failure.unwrap();
        assert_eq!(failure.logical_id, "Instances");
        assert!(
            failure.reason.contains("FAILURE signal(s) out of"),
            "{}",
            failure.reason
        );
    });
}

#[test]
fn the_update_policy_of_a_nested_group_is_read() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let rehearsal = Rehearsal::new(&nested(dir.path(), "[]"));
        let mut engine = rehearsal.engine(rehearsal.journals()).await;
        let plan = engine.plan(OPTIONS, WAIT_BUSY).await.unwrap();
        let [group] = plan.groups.as_slice() else {
            panic!("{:?}", plan.groups);
        };
        let RollPolicy::RollingUpdate { pause_secs, .. } = &group.policy else {
            panic!("{group:?}");
        };
        assert_eq!((group.logical_id.as_str(), *pause_secs), ("Instances", 300));
        assert!(plan.warnings.iter().all(|it| it.code != "nested-group"));
    });
}

#[test]
fn a_nested_group_that_would_not_roll_is_refused() {
    in_virtual_time(async {
        let dir = tempfile::tempdir().unwrap();
        let (bare, _) = FLEET.split_once("    UpdatePolicy:").unwrap();
        let bare = format!("{bare}Outputs:\n  Group: {{ Value: !Ref Instances }}\n");
        let rehearsal = Rehearsal::new(&with_fleet(dir.path(), &bare, "[]"));
        let refusal = rehearsal.roll().await.unwrap_err();
        let told = refusal.to_string();
        assert!(told.contains("Instances"), "{told}");
        let codes: Vec<_> = refusal.reasons.iter().map(|it| it.code.as_str()).collect();
        assert_eq!(codes, ["no-update-policy"]);
        assert_eq!(rehearsal.key_pairs(), ["prod-keypair-4711"]);
    });
}
