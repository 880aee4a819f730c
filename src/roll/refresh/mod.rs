//! Instance refreshes that this program leads, one for each step of a roll.
//!
//! A group without an `UpdatePolicy` keeps its instances when CloudFormation gives it another launch
//! template version. They are replaced by refreshes that each end, by their last checkpoint, when
//! so many instances are new. Between two of them nothing is under way that could go on by itself:
//! a gate may take as long as it likes, and a crash leaves the group at rest.

mod back;
mod lead;
mod once;
mod preflight;
mod proof;
mod steps;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::rack::{InstanceRefresh, LaunchTemplateRef};

pub(super) use lead::Led;
pub(super) use preflight::{drafted, group_plan, refusals_of};

/// How instance refreshes are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshSettings {
    /// At how many percent of new instances the roll pauses for its proof and its gates, ascending.
    pub checkpoints: Vec<u32>,
    /// The fewest healthy instances, in percent of what the group wants.
    pub min_healthy_percent: u32,
    /// The most instances, in percent of what the group wants: above 100, new ones come before old
    /// ones go.
    pub max_healthy_percent: u32,
    /// How long a new instance warms up, in seconds; as the group says where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_secs: Option<u32>,
    /// How long each step is watched before it counts, in seconds.
    #[serde(default)]
    pub bake_secs: u32,
}

impl Default for RefreshSettings {
    fn default() -> Self {
        Self {
            checkpoints: Vec::new(),
            min_healthy_percent: 100,
            max_healthy_percent: 110,
            warmup_secs: None,
            bake_secs: 0,
        }
    }
}

/// What a roll leads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshPlan {
    /// How.
    pub settings: RefreshSettings,
    /// What each group, by its name in AWS, starts its instances from before the roll.
    #[serde(default)]
    pub before: BTreeMap<String, LaunchTemplateRef>,
}

/// How far an instance refresh is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefreshReport {
    /// The group's name in the template.
    pub group: String,
    /// The status, in Auto Scaling's word.
    pub status: String,
    /// How much is done, in percent.
    pub percent: u32,
    /// Why it has that status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl RefreshReport {
    pub(super) fn of(group: &str, refresh: &InstanceRefresh) -> Self {
        Self {
            group: group.to_owned(),
            status: refresh.status.0.clone(),
            percent: refresh.percent,
            reason: refresh.reason.clone(),
        }
    }
}
