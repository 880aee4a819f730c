//! The plan of a roll: data that says what will be done, made before anything is.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::api::KeyKind;
use super::gate::Gates;
use super::refresh::RefreshPlan;
use super::services::ClusterPlan;
use super::strategy::{Strategy, SurgeSize, Touches};
use crate::ids::RollId;
use crate::rack::{KeyType, ResourceChange};

/// The steps of a roll, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Keep the current private key under its own name, so that nothing overwrites it.
    Preserve,
    /// Make the new key. An SSH key is kept in the key store; an API key by whoever keeps one,
    /// beside the key that works.
    Mint,
    /// Keep the new API key in the key store for as long as the roll lasts.
    Stage,
    /// Get the rack ready for the way its instances are replaced.
    Guard,
    /// Change the stack's parameter.
    Install,
    /// Follow the stack to its end.
    Watch,
    /// Replace the instances by instance refreshes of our own.
    Refresh,
    /// Empty the instances that are held, and put back what was changed for the roll.
    Restore,
    /// Replace the rack API's processes, which read the key only when they start.
    Restart,
    /// Ask every instance which key it carries, or the rack API which key it takes.
    Verify,
    /// Make the new key the one that everybody uses by default.
    Promote,
    /// Let the old key go.
    Retire,
    /// Let the new key go: the way back.
    Discard,
    /// Let the new key in on every live instance, and prove it.
    Admit,
    /// Shut a leaked key out on every live instance, and prove it.
    Exclude,
}

impl Step {
    /// Returns the name as a person reads it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Preserve => "preserve",
            Self::Mint => "mint",
            Self::Stage => "stage",
            Self::Guard => "guard",
            Self::Install => "install",
            Self::Watch => "watch",
            Self::Refresh => "refresh",
            Self::Restore => "restore",
            Self::Restart => "restart",
            Self::Verify => "verify",
            Self::Promote => "promote",
            Self::Retire => "retire",
            Self::Discard => "discard",
            Self::Admit => "admit",
            Self::Exclude => "exclude",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollOptions {
    /// The kind of key pair to make.
    pub key_type: KeyType,
    /// Whether the old key pair stays.
    pub keep_old: bool,
    /// How the instances are replaced.
    #[serde(default)]
    pub strategy: Strategy,
    /// How many old instances a surge keeps beside the new ones.
    #[serde(default)]
    pub surge: SurgeSize,
    /// Whether surplus instances are emptied one by one at the end of CloudFormation's own way.
    #[serde(default = "guarded")]
    pub guard_rails: bool,
}

/// What guard rails are where nobody says.
fn guarded() -> bool {
    true
}

impl RollOptions {
    /// What is done for somebody who asks for nothing in particular.
    pub const DEFAULT: Self = Self {
        key_type: KeyType::Ed25519,
        keep_old: false,
        strategy: Strategy::CloudFormation,
        surge: SurgeSize::DEFAULT,
        guard_rails: true,
    };
}

impl Default for RollOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a roll will do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The kind of key.
    #[serde(default, skip_serializing_if = "KeyKind::is_ssh")]
    pub kind: KeyKind,
    /// The roll's id, which is also the update's client request token.
    pub roll: RollId,
    /// The rack.
    pub rack: String,
    /// The stack's ARN.
    pub stack_id: String,
    /// The parameter that names the key pair, or holds the API key.
    pub key_parameter: String,
    /// The key pair that the rack has; none on a rack that never had one.
    pub old_key: Option<String>,
    /// The key pair to make, or the name under which the key store keeps the new API key.
    pub new_key: String,
    /// What was asked for.
    pub options: RollOptions,
    /// Where private keys are kept.
    pub key_store: String,
    /// The groups that will roll.
    pub groups: Vec<GroupPlan>,
    /// The clusters whose services it moves, where they could be read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<ClusterPlan>,
    /// Spot fleets whose instances count, by their names in the template.
    pub spot_fleets: Vec<String>,
    /// What must hold between two batches.
    #[serde(default, skip_serializing_if = "Gates::is_none")]
    pub gates: Gates,
    /// The instance refreshes that this program leads, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh: Option<RefreshPlan>,
    /// The steps.
    pub steps: Vec<PlannedStep>,
    /// What a change set says the update will touch, where the account allows one.
    pub changes: Option<Vec<ResourceChange>>,
    /// What else is changed for the roll, and put back.
    #[serde(default, skip_serializing_if = "Touches::is_empty")]
    pub touches: Touches,
    /// What somebody should know beforehand.
    pub warnings: Vec<Advice>,
}

/// How one Auto Scaling group will roll.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupPlan {
    /// The name in the template.
    pub logical_id: String,
    /// The name in AWS.
    pub name: String,
    /// How its instances are replaced.
    pub policy: RollPolicy,
    /// How many instances it has now.
    pub instances: u32,
    /// The fewest instances it keeps.
    pub min: u32,
    /// The most instances it may have.
    pub max: u32,
}

/// How CloudFormation replaces a group's instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum RollPolicy {
    /// `AutoScalingRollingUpdate`.
    RollingUpdate {
        /// `MaxBatchSize`.
        batch: u32,
        /// `MinInstancesInService`.
        min_in_service: u32,
        /// `PauseTime`, in seconds.
        pause_secs: u64,
        /// `WaitOnResourceSignals`.
        wait_on_signals: bool,
    },
    /// `AutoScalingReplacingUpdate`: a new group takes the place of the old one.
    Replacing,
    /// The group belongs to a nested stack, whose own template says how.
    Nested,
    /// `AutoScalingInstanceRefresh` with the rolling strategy.
    InstanceRefresh {
        /// `MinHealthyPercentage`.
        min_healthy_percent: u32,
    },
    /// None: the instances are replaced by instance refreshes of our own.
    OwnRefresh,
}

/// One step with what it changes, what it waits for and how it is undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// What it changes.
    pub changes: String,
    /// What it waits for before the next may begin.
    pub waits_for: Option<String>,
    /// How it is undone if a later step fails.
    pub undo: Option<String>,
}

/// A warning before a roll, or a reason to refuse one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advice {
    /// A stable name for scripts, such as `stack-busy`.
    pub code: String,
    /// What is the matter, in one line.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}
