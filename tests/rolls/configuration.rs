//! An older rack, whose group starts its instances from a launch configuration.

use convox::roll::Outcome;
use convox::sandbox::Scenario;

use crate::outcomes::assert_settled;
use crate::rehearsal::{Rehearsal, in_virtual_time};

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
  LaunchConfiguration:
    Type: AWS::AutoScaling::LaunchConfiguration
    Properties:
      ImageId: ami-1
      InstanceType: t3.small
      KeyName: !Ref Key
      UserData: { "Fn::Base64": "cfn-signal" }
  Instances:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      LaunchConfigurationName: !Ref LaunchConfiguration
      MinSize: !Ref InstanceCount
      MaxSize: 10
    UpdatePolicy:
      AutoScalingRollingUpdate:
        MaxBatchSize: !Ref InstanceUpdateBatchSize
        MinInstancesInService: !Ref InstanceCount
        PauseTime: PT5M
        WaitOnResourceSignals: true
Outputs:
  EncryptionKey: { Value: !GetAtt EncryptionKey.Arn }
  SettingsBucket: { Value: !Ref Settings }
"#;

fn classic(dir: &std::path::Path, faults: &str) -> Scenario {
    let rack = dir.join("rack.yaml");
    std::fs::write(&rack, RACK).unwrap();
    let scenario = format!("{{ name: classic, about: a classic rack, faults: {faults} }}");
    let mut scenario = Scenario::parse(&scenario, "classic").unwrap();
    scenario.template = Some(rack);
    scenario.rack.services.clear();
    scenario
}

#[test]
fn a_group_with_a_launch_configuration_is_rolled_and_proven() {
    for (faults, outcome) in [
        ("[]", Outcome::Done),
        (
            "[{ signals: { key: new, fate: failure, times: 1 } }]",
            Outcome::RolledBack,
        ),
    ] {
        in_virtual_time(async {
            let dir = tempfile::tempdir().unwrap();
            let rehearsal = Rehearsal::new(&classic(dir.path(), faults));
            let result = rehearsal.roll().await;
            assert_settled(&rehearsal, &result, "classic");
            let report = result.unwrap();
            assert_eq!(report.outcome, outcome, "{}", report.message);
            // One configuration is left, and it names the key that is.
            let (configurations, pairs) = rehearsal.sandbox.peek(|world| {
                let configurations = world.autoscaling.launch_configurations();
                let keys = configurations.filter_map(|it| it.data.key_name.clone());
                (keys.collect::<Vec<_>>(), world.key_pair_names())
            });
            assert_eq!(configurations, pairs);
        });
    }
}
