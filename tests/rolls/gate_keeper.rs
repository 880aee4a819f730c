//! A gate whose answers a test decides, and racks to stand in the way of.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use convox::clock::Clock;
use convox::ids::RollId;
use convox::roll::{
    Care, GateCall, GateRunner, GateStage, Gates, Journals, Outcome, Refusal, Report, RollOptions,
    Stop, Strategy,
};
use convox::sandbox::{Sandbox, Scenario};

use crate::rehearsal::{OPTIONS, Rehearsal, WAIT_BUSY};

/// What a gate saw when it was asked, and when it answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) stage: GateStage,
    pub(crate) replaced: u32,
    pub(crate) instances: usize,
    /// How many live instances have the new key, before and after.
    pub(crate) new: (usize, usize),
}

/// Keeps a gate.
#[derive(Clone)]
pub(crate) struct Keeper {
    sandbox: Sandbox,
    clock: Clock,
    takes: Duration,
    /// The first time that it is shut, counted from 1; 0 is never.
    shut_from: usize,
    /// The stage at which it is shut.
    shut_at: Option<GateStage>,
    stop: Option<(Option<GateStage>, Stop)>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Keeper {
    pub(crate) fn of(rehearsal: &Rehearsal) -> Self {
        Self {
            sandbox: rehearsal.sandbox.clone(),
            clock: rehearsal.clock.clone(),
            takes: Duration::from_secs(60),
            shut_from: 0,
            shut_at: None,
            stop: None,
            asked: Arc::default(),
        }
    }

    pub(crate) fn shut_from(mut self, time: usize) -> Self {
        self.shut_from = time;
        self
    }

    pub(crate) fn shut_at(mut self, stage: GateStage) -> Self {
        self.shut_at = Some(stage);
        self
    }

    pub(crate) fn taking(mut self, span: Duration) -> Self {
        self.takes = span;
        self
    }

    /// Asks the roll to stop when it is asked.
    pub(crate) fn stopping(mut self, stop: &Stop) -> Self {
        self.stop = Some((None, stop.clone()));
        self
    }

    /// Asks the roll to stop when it is asked at one stage.
    pub(crate) fn stopping_at(mut self, stage: GateStage, stop: &Stop) -> Self {
        self.stop = Some((Some(stage), stop.clone()));
        self
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    fn new_instances(&self, key: &str) -> usize {
        let is_new = |name: &Option<String>| name.as_deref() == Some(key);
        self.sandbox.peek(|world| {
            let live = world.live_instances();
            live.filter(|instance| is_new(&instance.key_name)).count()
        })
    }
}

#[async_trait]
impl GateRunner for Keeper {
    async fn run(&self, call: &GateCall) -> Result<(), String> {
        let before = self.new_instances(&call.new_key);
        if let Some((stage, stop)) = &self.stop
            && stage.is_none_or(|stage| stage == call.stage)
        {
            stop.request();
        }
        self.clock.sleep(self.takes).await;
        let mut asked = self.asked.lock().unwrap();
        asked.push(Asked {
            stage: call.stage,
            replaced: call.replaced,
            instances: call.instances.len(),
            new: (before, self.new_instances(&call.new_key)),
        });
        let is_time = self.shut_from > 0 && asked.len() >= self.shut_from;
        if is_time || self.shut_at == Some(call.stage) {
            return Err("the gate exited with 1".to_owned());
        }
        Ok(())
    }
}

/// Asks for a command between batches.
pub(crate) fn gated() -> Care {
    Care {
        gates: Gates {
            command: Some("smoke-test".to_owned()),
            ..Gates::default()
        },
        ..Care::default()
    }
}

/// Asks for alarms between batches.
pub(crate) fn alarmed(name: &str) -> Care {
    Care {
        gates: Gates {
            alarms: vec![name.to_owned()],
            ..Gates::default()
        },
        ..Care::default()
    }
}

impl Rehearsal {
    /// Plans and rolls with gates, as the command does.
    pub(crate) async fn roll_carefully(
        &self,
        journals: Journals,
        strategy: Strategy,
        care: &Care,
        keeper: &Keeper,
    ) -> Result<Report, Refusal> {
        let options = RollOptions {
            strategy,
            ..OPTIONS
        };
        let mut engine = self.engine(journals).await;
        engine.set_gate_runner(Arc::new(keeper.clone()));
        let plan = engine.plan_with(options, care, WAIT_BUSY).await?;
        Ok(engine.run(plan, false).await)
    }

    pub(crate) async fn resume_carefully(
        &self,
        roll: &RollId,
        journals: Journals,
        keeper: &Keeper,
    ) -> Result<Report, Refusal> {
        let mut engine = self.engine(journals).await;
        engine.set_gate_runner(Arc::new(keeper.clone()));
        engine.resume(roll).await
    }

    /// Rolls as far as a gate's stage, and leaves the roll there. The command can be given again.
    pub(crate) async fn leave_at(&mut self, stage: GateStage) -> RollId {
        let keeper = Keeper::of(self).stopping_at(stage, &self.stop);
        let left = self
            .roll_carefully(self.journals(), Strategy::CloudFormation, &gated(), &keeper)
            .await;
        assert_eq!(left.unwrap().outcome, Outcome::Detached);
        self.stop = Stop::new();
        self.only_roll()
    }

    pub(crate) fn only_roll(&self) -> RollId {
        self.journals().rolls().unwrap().into_iter().next().unwrap()
    }
}

/// A rack whose only group has the update policy that is given, in YAML, and four instances.
pub(crate) fn rack_with_policy(dir: &Path, policy: &str, faults: &str) -> Scenario {
    let rack = dir.join("rack.yaml");
    let policy = match policy {
        "" => String::new(),
        policy => format!("    UpdatePolicy: {policy}\n"),
    };
    std::fs::write(&rack, format!("{RACK}{policy}{OUTPUTS}")).unwrap();
    let text = format!("{{ name: own, about: a rack of our own, faults: {faults} }}");
    let mut scenario = Scenario::parse(&text, "own").unwrap();
    scenario.template = Some(rack);
    scenario.rack.instances = 4;
    scenario.rack.services.clear();
    scenario
}

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
      LaunchTemplateData:
        ImageId: ami-1
        InstanceType: t3.small
        KeyName: !Ref Key
        UserData: { "Fn::Base64": "cfn-signal" }
  Instances:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      AutoScalingGroupName: prod-instances
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
