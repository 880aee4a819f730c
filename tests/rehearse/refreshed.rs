//! Rehearsals of rolls by instance refreshes.

use std::path::Path;

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::rehearse::{Forecast, Rehearsal, Settings};
use convox::roll::{RollOptions, Strategy, survey_for};
use convox::sandbox::{Sandbox, Scenario};

use crate::virtual_time::in_virtual_time;

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
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateData: { ImageId: ami-1, KeyName: !Ref Key }
  Instances:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      LaunchTemplate:
        LaunchTemplateId: !Ref Template
        Version: !GetAtt Template.LatestVersionNumber
      MinSize: !Ref InstanceCount
      MaxSize: 10
"#;

const OUTPUTS: &str = r#"
Outputs:
  EncryptionKey: { Value: !GetAtt EncryptionKey.Arn }
  SettingsBucket: { Value: !Ref Settings }
"#;

/// Rehearses the roll of a rack whose group has an update policy, in YAML, or none.
fn forecast(dir: &Path, policy: &str) -> Forecast {
    let file = dir.join("rack.yaml");
    std::fs::write(&file, format!("{RACK}{policy}{OUTPUTS}")).unwrap();
    let mut scenario = Scenario {
        template: Some(file),
        ..Scenario::default()
    };
    scenario.rack.services.clear();
    in_virtual_time(async {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        let sandbox = Sandbox::new(&scenario, clock.clone()).unwrap();
        let access = Access::new(Transport::InProcess(sandbox.in_process()), clock.clone());
        let account = Account::connect(&access).await.unwrap();
        let rack = account
            .rack(&Target::rack("prod"), &Entropy::seeded(9))
            .unwrap();
        let strategy = Strategy::Refresh;
        let surveyed = survey_for(&rack, strategy).await.unwrap();
        let settings = Settings {
            runs: 4,
            seed: 1,
            options: RollOptions {
                strategy,
                ..RollOptions::DEFAULT
            },
        };
        let rehearsal = Rehearsal::of("prod", "Key", surveyed, clock.now(), settings);
        rehearsal.forecast().unwrap()
    })
}

#[test]
fn a_group_without_a_policy_is_rehearsed_with_refreshes_of_our_own() {
    let dir = tempfile::tempdir().unwrap();
    let forecast = forecast(dir.path(), "");
    assert_eq!(forecast.outcomes.get("done"), Some(&4), "{forecast:?}");
}

#[test]
fn checkpoints_and_warm_up_of_the_stacks_policy_take_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let policy = |more: &str| {
        format!(
            "    UpdatePolicy: {{ AutoScalingInstanceRefresh: {{ Strategy: Rolling, Preferences: {{ \
             MinHealthyPercentage: 50{more} }} }} }}\n"
        )
    };
    let plain = forecast(dir.path(), &policy(""));
    let paused = ", CheckpointPercentages: [50, 100], CheckpointDelay: 7200, InstanceWarmup: 60";
    let paused = forecast(dir.path(), &policy(paused));
    assert_eq!(paused.outcomes.get("done"), Some(&4), "{paused:?}");
    let (plain, paused) = (plain.duration.p50, paused.duration.p50);
    assert!(paused >= plain + 7200, "{plain} s, {paused} s");
}
