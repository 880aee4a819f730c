//! How careful a roll is, beyond what its options say.

use super::gate::Gates;
use super::plan::Advice;
use super::preflight::advice;
use super::refresh::RefreshSettings;
use super::strategy::{Strategy, SurgeSize};

/// What somebody asks a roll to heed on its way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Care {
    /// What must hold between two batches.
    pub gates: Gates,
    /// How instance refreshes of our own are done.
    pub refresh: RefreshSettings,
}

impl Care {
    /// Lists what of this means nothing in a roll by `strategy`, a surge of a given size where it is
    /// one, whatever the rack is like.
    #[must_use]
    pub fn conflicts(&self, strategy: Strategy, surge: SurgeSize) -> Vec<Advice> {
        let mut reasons = Vec::new();
        if strategy != Strategy::Refresh && self.refresh != RefreshSettings::default() {
            reasons.push(advice(
                "refresh-settings",
                "only an instance refresh can be told how to go on",
                "`--strategy refresh` asks for one",
            ));
        }
        if strategy == Strategy::Surge && !self.gates.is_none() {
            let why = match surge.is_whole() {
                true => {
                    "a surge has all new instances before the first old one goes: there are no \
                     batches to ask a gate between"
                }
                false => {
                    "a surge empties old instances while CloudFormation goes on to the next: \
                     nothing would hold these while a gate is asked"
                }
            };
            reasons.push(advice(
                "surge-gates",
                why,
                "without a strategy, gates are asked beside CloudFormation's batches; `--strategy \
                 refresh` waits for them, in groups without an AutoScalingRollingUpdate policy",
            ));
        }
        reasons
    }
}

/// Says why a roll by `strategy` cannot be left as soon as its update is accepted.
#[must_use]
pub fn not_detachable(strategy: Strategy) -> Option<Advice> {
    (strategy == Strategy::Surge).then(|| {
        advice(
            "surge-detached",
            "a surge holds instances until their tasks run elsewhere: it cannot be left",
            "leave `--detach` out",
        )
    })
}
