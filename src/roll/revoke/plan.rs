//! The plan of a revocation: data, made before anything is done.

use serde::{Deserialize, Serialize};

use crate::rack::{KeyType, Through};
use crate::roll::api::KeyKind;
use crate::roll::plan::{Plan, PlannedStep, Step};

/// What a person asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationOptions {
    /// The key pair that is out; the one that the stack names when not said.
    pub key: Option<String>,
    /// The kind of key pair to make; that of the one that is out when not said, since the sshd of
    /// every instance takes keys of that kind.
    pub key_type: Option<KeyType>,
}

/// What a plan says of a revocation besides what every plan says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RevocationPlan {
    /// Whether the new key is there already, from an earlier revocation of the same key.
    pub reused: bool,
    /// The groups that count, by their names in the template.
    pub groups: Vec<String>,
    /// The live instances, as they were when the plan was made.
    pub instances: Vec<PlannedInstance>,
}

/// One live instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedInstance {
    /// Its id.
    pub id: String,
    /// The key pair that opens it now.
    pub key: Option<String>,
    /// The way to it; none where there is none.
    pub through: Option<Through>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreached: Option<String>,
}

impl Plan {
    /// Returns what it says of a revocation, if it is the plan of one.
    #[must_use]
    pub fn revocation(&self) -> Option<&RevocationPlan> {
        match &self.kind {
            KeyKind::Revocation(revocation) => Some(revocation),
            _ => None,
        }
    }
}

/// Lists the steps of a revocation.
pub(super) fn steps(plan: &Plan, reused: bool) -> Vec<PlannedStep> {
    let (new, old) = (&plan.new_key, plan.old_key.as_deref().unwrap_or_default());
    let step = |step, changes: String, waits_for: Option<&str>, undo: Option<String>| PlannedStep {
        step,
        changes,
        waits_for: waits_for.map(str::to_owned),
        undo,
    };
    let mut steps = vec![step(
        Step::Preserve,
        format!("keep the private key of {old} under its own name"),
        None,
        None,
    )];
    if !reused {
        let (kind, store) = (plan.options.key_type.as_str(), &plan.key_store);
        steps.push(step(
            Step::Mint,
            format!("make key pair {new} ({kind}), its private half to {store}"),
            None,
            Some(format!("delete {new} in EC2 and in the key store")),
        ));
    }
    steps.push(step(
        Step::Admit,
        format!("let {new} in on every live instance, and tag it as opened by it"),
        Some("each instance to prove it"),
        None,
    ));
    steps.push(step(
        Step::Exclude,
        format!("shut {old} out, on each instance once {new} is proven there"),
        Some("each instance to prove it"),
        None,
    ));
    steps.push(step(
        Step::Promote,
        format!("make {new} the default key in {}", plan.key_store),
        None,
        None,
    ));
    steps
}
