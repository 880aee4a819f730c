//! The proof: every live instance is asked which key it carries.

use std::time::Duration;

use super::event::{EventKind, Holdout};
use super::plan::Step;
use super::run::Run;
use crate::rack::{Instance, PortError};

/// How long members that wait to be terminated are waited for: their hooks may hold them.
const LEAVING_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Looks at instances that nobody is replacing, against eventual consistency.
const STEADY_LOOKS: u32 = 3;
/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// Between two looks once it has taken a while.
const BETWEEN_LATE_LOOKS: Duration = Duration::from_secs(15);

/// What the instances say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Every live instance carries the new key.
    Proven(usize),
    /// Some do not, and nothing is about to replace them.
    Unproven(Vec<Holdout>),
    /// There is no instance to ask, although the groups want some.
    NoInstances,
    /// Somebody asked to stop.
    Stopped,
}

impl Run<'_> {
    /// Asks all instances of all groups and spot fleets until they agree or nothing moves.
    pub(super) async fn verify(&mut self) -> Result<Proof, PortError> {
        self.begin(Step::Verify);
        let began = self.clock.now();
        let mut steady = 0;
        loop {
            let (instances, wanted) = self.look().await?;
            let (with, without): (Vec<&Instance>, Vec<&Instance>) = instances
                .iter()
                .filter(|instance| instance.is_live())
                .partition(|instance| self.carries_new_key(instance));
            let leaving = without.iter().any(|instance| instance.is_leaving());
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            let passed = passed.unwrap_or_default();
            let none_yet = with.is_empty() && wanted > 0;
            if without.iter().any(|instance| !instance.is_leaving()) || none_yet {
                steady += 1;
            }
            let proven = without.is_empty() && !none_yet;
            let last = proven || steady >= STEADY_LOOKS || passed > LEAVING_PATIENCE;
            let wait = if leaving && passed > Duration::from_secs(60) {
                BETWEEN_LATE_LOOKS
            } else {
                BETWEEN_LOOKS
            };
            let holdouts: Vec<Holdout> = without.iter().map(|instance| holdout(instance)).collect();
            let retry_in_ms = (!last).then(|| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
            self.emit(EventKind::Verified {
                proven: with.len(),
                holdouts: holdouts.clone(),
                retry_in_ms,
            });
            if proven {
                let count = with.len();
                let detail = format!("{count} instances carry {}", self.plan.new_key);
                self.done(Step::Verify, detail);
                return Ok(Proof::Proven(count));
            }
            if last {
                let nobody = holdouts.is_empty();
                return Ok(if nobody {
                    Proof::NoInstances
                } else {
                    Proof::Unproven(holdouts)
                });
            }
            if !self.pause(wait).await {
                return Ok(Proof::Stopped);
            }
        }
    }

    fn carries_new_key(&self, instance: &Instance) -> bool {
        instance.key_name.as_deref() == Some(self.plan.new_key.as_str())
    }

    /// Lists the instances of what is in the stack now, and how many its groups want.
    async fn look(&mut self) -> Result<(Vec<Instance>, u32), PortError> {
        let owners = self.owners().await?;
        let wanted = self
            .patiently(async |rack| rack.fleet.groups(&owners.groups).await)
            .await?;
        let instances = self
            .patiently(async |rack| {
                rack.fleet
                    .instances(&owners.groups, &owners.spot_fleets)
                    .await
            })
            .await?;
        Ok((instances, wanted.iter().map(|group| group.desired).sum()))
    }

    /// Lists what starts instances in the stack, as it is called in AWS now.
    pub(super) async fn owners(&mut self) -> Result<Owners, PortError> {
        let stack = self.plan.stack_id.clone();
        let resources = self
            .patiently(async |rack| rack.stacks.resources(&stack).await)
            .await?;
        let plan = &self.plan;
        // Groups that the key does not reach carry keys of their own, and are none of ours.
        let reached = |logical_id: &String| {
            plan.groups
                .iter()
                .any(|group| group.logical_id == *logical_id)
                || plan.spot_fleets.contains(logical_id)
        };
        let of_type = |kind: &'static str| {
            let live = resources.iter().filter(move |resource| {
                resource.resource_type == kind
                    && !resource.physical_id.is_empty()
                    && resource.status != "DELETE_COMPLETE"
            });
            live.map(|resource| (&resource.logical_id, resource.physical_id.clone()))
        };
        let ours = |kind| {
            let reached = of_type(kind).filter(|(logical_id, _)| reached(logical_id));
            reached.map(|(_, id)| id).collect::<Vec<_>>()
        };
        Ok(Owners {
            groups: ours("AWS::AutoScaling::AutoScalingGroup"),
            spot_fleets: ours("AWS::EC2::SpotFleet"),
            launch_templates: of_type("AWS::EC2::LaunchTemplate")
                .map(|(_, id)| id)
                .collect(),
        })
    }
}

/// What starts instances in a stack.
#[derive(Debug)]
pub(super) struct Owners {
    /// Auto Scaling groups, by name.
    pub(super) groups: Vec<String>,
    /// Spot fleets, by id.
    pub(super) spot_fleets: Vec<String>,
    /// Launch templates, by id.
    pub(super) launch_templates: Vec<String>,
}

fn holdout(instance: &Instance) -> Holdout {
    Holdout {
        instance: instance.id.clone(),
        key_name: instance.key_name.clone(),
        owner: instance.owner.clone(),
        state: instance
            .lifecycle
            .clone()
            .unwrap_or_else(|| instance.state.clone()),
    }
}
