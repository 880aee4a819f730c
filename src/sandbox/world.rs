//! The account: all services' state, one clock, one agenda, one source of chance.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ledger::Ledger;
use super::{
    autoscaling, balancers, cloudformation, cloudwatch, ec2, ecs, kms, run_command, s3, scenario,
    ssm,
};

/// An AWS account in one region, in memory.
///
/// Nothing in it happens by itself: [`World::advance_to`] carries out what the
/// agenda holds up to an instant, in order, so the same seed and the same calls
/// at the same times give the same account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct World {
    /// The instant that the account is at.
    pub now: Timestamp,
    /// The account's number.
    pub account: String,
    /// The region.
    pub region: String,
    /// How long things take.
    pub pace: Pace,
    /// Chance that shapes the world: ids, boot times.
    pub chance: Chance,
    /// Chance that names requests: apart, so that a look at the world does not change its course.
    pub requests: Chance,
    /// What will happen.
    pub agenda: Agenda,
    /// EC2.
    pub ec2: ec2::Ec2,
    /// Auto Scaling.
    pub autoscaling: autoscaling::AutoScaling,
    /// Elastic Load Balancing.
    #[serde(default)]
    pub balancers: balancers::Balancers,
    /// CloudFormation.
    pub cloudformation: cloudformation::CloudFormation,
    /// CloudWatch.
    #[serde(default)]
    pub cloudwatch: cloudwatch::CloudWatch,
    /// ECS.
    pub ecs: ecs::Ecs,
    /// S3.
    pub s3: s3::S3,
    /// KMS.
    pub kms: kms::Kms,
    /// SSM.
    pub ssm: ssm::Ssm,
    /// What goes wrong, and when.
    pub faults: scenario::Faults,
    /// Counts over time, where somebody has asked for them.
    #[serde(skip)]
    pub(super) ledger: Option<Box<Ledger>>,
}

/// Something on the agenda, for the service that put it there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// For EC2.
    Ec2(ec2::Due),
    /// For Auto Scaling.
    AutoScaling(autoscaling::Due),
    /// For CloudFormation.
    CloudFormation(cloudformation::Due),
    /// For ECS.
    Ecs(ecs::Due),
    /// For SSM: a command ends.
    RunCommand(run_command::Due),
    /// For the scenario: another person or program acts.
    Scenario(scenario::Due),
}

impl World {
    /// Makes an empty account.
    #[must_use]
    pub fn new(now: Timestamp, seed: u64) -> Self {
        Self {
            now,
            account: "123456789012".to_owned(),
            region: "us-east-1".to_owned(),
            pace: Pace::default(),
            chance: Chance::new(seed),
            requests: Chance::new(seed.wrapping_add(0x5eed)),
            agenda: Agenda::default(),
            ec2: ec2::Ec2::default(),
            autoscaling: autoscaling::AutoScaling::default(),
            balancers: balancers::Balancers::default(),
            cloudformation: cloudformation::CloudFormation::default(),
            cloudwatch: cloudwatch::CloudWatch::default(),
            ecs: ecs::Ecs::default(),
            s3: s3::S3::default(),
            kms: kms::Kms::default(),
            ssm: ssm::Ssm::default(),
            faults: scenario::Faults::default(),
            ledger: None,
        }
    }

    /// Puts something on the agenda, `after` from now.
    pub fn schedule(&mut self, after: Duration, due: Due) {
        let at = self.now.saturating_add(after).unwrap_or(Timestamp::MAX);
        self.agenda.put(at, due);
    }

    /// Lets everything happen that is due by `instant`, in order.
    pub fn advance_to(&mut self, instant: Timestamp) {
        // What calls have changed since the last time.
        self.note_counts();
        while let Some((at, due)) = self.agenda.pop(instant) {
            self.now = self.now.max(at);
            match due {
                Due::Ec2(due) => ec2::on_due(self, due),
                Due::AutoScaling(due) => autoscaling::on_due(self, due),
                Due::CloudFormation(due) => cloudformation::on_due(self, due),
                Due::Ecs(due) => ecs::on_due(self, due),
                Due::RunCommand(due) => run_command::on_due(self, due),
                Due::Scenario(due) => scenario::on_due(self, due),
            }
            self.note_counts();
        }
        self.now = self.now.max(instant);
    }

    /// Makes the ARN of something in this account and region.
    #[must_use]
    pub fn arn(&self, service: &str, rest: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{rest}", self.region, self.account)
    }
}

/// How long things take in this account; a pair is the shortest and the longest, in milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pace {
    /// From launch to `running`.
    pub pending_ms: (u64, u64),
    /// From `running` to the end of the boot script, which signals.
    pub boot_ms: (u64, u64),
    /// From the end of the boot script until the instance joins its cluster.
    pub join_ms: (u64, u64),
    /// From the end of the boot script until its stack hears the signal.
    pub signal_ms: (u64, u64),
    /// From `shutting-down` to `terminated`.
    pub shutdown_ms: (u64, u64),
    /// An update of a resource that is only configuration.
    pub configure_ms: (u64, u64),
    /// One ECS task to start or to stop.
    pub task_ms: (u64, u64),
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            pending_ms: (8_000, 16_000),
            boot_ms: (35_000, 70_000),
            join_ms: (0, 0),
            signal_ms: (0, 0),
            shutdown_ms: (20_000, 45_000),
            configure_ms: (1_000, 4_000),
            task_ms: (4_000, 12_000),
        }
    }
}

/// A source of chance that can be stored: a seed and how far it has been used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Chance {
    seed: u64,
    drawn: u64,
}

impl Chance {
    /// Starts a sequence.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Draws 64 bits (SplitMix64, Steele et al. 2014).
    pub fn bits(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        let mut z = self
            .seed
            .wrapping_add(self.drawn.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Draws a span between the two ends, in milliseconds, both included.
    pub fn span(&mut self, (least, most): (u64, u64)) -> Duration {
        let width = most.saturating_sub(least).saturating_add(1);
        Duration::from_millis(least + self.bits() % width)
    }

    /// Draws `digits` hexadecimal digits.
    pub fn hex(&mut self, digits: usize) -> String {
        let mut text = String::new();
        while text.len() < digits {
            text.push_str(&format!("{:016x}", self.bits()));
        }
        text.truncate(digits);
        text
    }

    /// Draws an id as EC2 makes them, such as `i-` and 17 digits.
    pub fn id(&mut self, prefix: &str) -> String {
        format!("{prefix}-0{}", self.hex(16))
    }

    /// Draws a UUID.
    pub fn uuid(&mut self) -> String {
        let hex = self.hex(32);
        format!(
            "{}-{}-4{}-a{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[13..16],
            &hex[17..20],
            &hex[20..]
        )
    }
}

/// What will happen, by time and then by the order in which it was put down.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "AgendaList", into = "AgendaList")]
pub struct Agenda {
    entries: BTreeMap<(Timestamp, u64), Due>,
    next: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct AgendaList {
    next: u64,
    entries: Vec<(Timestamp, u64, Due)>,
}

impl From<AgendaList> for Agenda {
    fn from(list: AgendaList) -> Self {
        let entries = list
            .entries
            .into_iter()
            .map(|(at, n, due)| ((at, n), due))
            .collect();
        Self {
            entries,
            next: list.next,
        }
    }
}

impl From<Agenda> for AgendaList {
    fn from(agenda: Agenda) -> Self {
        let entries = agenda
            .entries
            .into_iter()
            .map(|((at, n), due)| (at, n, due))
            .collect();
        Self {
            next: agenda.next,
            entries,
        }
    }
}

impl Agenda {
    /// Puts something down.
    pub fn put(&mut self, at: Timestamp, due: Due) {
        self.entries.insert((at, self.next), due);
        self.next += 1;
    }

    /// Takes the first thing that is due by `until`.
    pub fn pop(&mut self, until: Timestamp) -> Option<(Timestamp, Due)> {
        let first = self.entries.first_entry()?;
        (first.key().0 <= until).then(|| {
            let ((at, _), due) = first.remove_entry();
            (at, due)
        })
    }

    /// Returns the instant of the first thing on it.
    #[must_use]
    pub fn next_at(&self) -> Option<Timestamp> {
        self.entries.first_key_value().map(|((at, _), _)| *at)
    }
}
