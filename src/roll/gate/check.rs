//! Refuses gates that could not hold what they promise, before anything is done.

use super::Gates;
use super::ask::wrong_with;
use crate::rack::Rack;
use crate::roll::plan::{Advice, Plan, RollPolicy};
use crate::roll::preflight::{Refusal, advice};

impl Gates {
    /// Looks at the alarms.
    ///
    /// # Errors
    /// When one is missing or on already, or cannot be asked.
    pub(in crate::roll) async fn check(&self, rack: &Rack) -> Result<(), Refusal> {
        if self.alarms.is_empty() {
            return Ok(());
        }
        let found = rack.alarms.alarms(&self.alarms).await?;
        let reasons = wrong_with(&self.alarms, &found).into_iter();
        let reasons = reasons.map(|wrong| {
            let hint = "a roll would be taken back at its first batch: begin when it is quiet";
            advice("alarm", wrong, hint)
        });
        let reasons: Vec<Advice> = reasons.collect();
        if reasons.is_empty() {
            return Ok(());
        }
        Err(Refusal::for_reasons(reasons))
    }

    /// Refuses to take up a roll whose gates nobody here knows.
    pub(in crate::roll) fn check_known(&self, plan: &Plan) -> Result<(), Refusal> {
        if !self.unknown {
            return Ok(());
        }
        Err(Refusal::nothing_changed(advice(
            "unknown-gates",
            format!(
                "roll {} has gates, and its journal is not on this machine",
                plan.roll
            ),
            format!(
                "resume it where it was begun, or take it back: `convox rolls cancel {}`",
                plan.roll
            ),
        )))
    }

    /// Says why a plan cannot have these gates.
    pub(in crate::roll) fn refusals(&self, plan: &Plan) -> Vec<Advice> {
        let mut reasons = Vec::new();
        let Some(canary) = self.canary else {
            return reasons;
        };
        let Some(first) = plan.groups.first() else {
            return reasons;
        };
        if first.policy != RollPolicy::OwnRefresh {
            reasons.push(advice(
                "canary-not-held",
                format!(
                    "a canary must be held, and CloudFormation replaces the instances of {} \
                     without waiting for anybody",
                    first.logical_id
                ),
                "on a stock Convox rack use `--gate` instead, which is asked beside the batches; \
                 `--strategy refresh` holds a canary in a group without an UpdatePolicy; with \
                 AutoScalingInstanceRefresh, CheckpointPercentages in the template do",
            ));
        } else if canary >= first.instances {
            reasons.push(advice(
                "canary-is-all",
                format!(
                    "a canary of {canary} is the whole of {}, which has {} instances",
                    first.logical_id, first.instances
                ),
                "choose fewer",
            ));
        }
        reasons
    }

    /// Warns where a gate stops a roll, but does not hold it.
    pub(in crate::roll) fn warnings(&self, plan: &Plan) -> Vec<Advice> {
        if !self.asks() {
            return Vec::new();
        }
        let unheld = plan.groups.iter().filter_map(|group| match group.policy {
            RollPolicy::OwnRefresh => None,
            RollPolicy::InstanceRefresh { .. } => Some(advice(
                "gate-holds-for-a-while",
                format!(
                    "{} is held only at the checkpoints of its policy, for their CheckpointDelay",
                    group.logical_id
                ),
                "give it CheckpointPercentages, and a CheckpointDelay longer than the gate takes",
            )),
            _ => Some(advice(
                "gate-does-not-hold",
                format!(
                    "CloudFormation goes on with {} while the gate is asked: one that is shut \
                     stops the roll, but later batches may have begun",
                    group.logical_id
                ),
                "only an instance refresh can be held: see docs/gates.md",
            )),
        });
        unheld.collect()
    }
}
