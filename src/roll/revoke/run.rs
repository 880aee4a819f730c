//! One revocation being carried out, from the new key to the report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::outside::{opened_besides, why_left};
use super::work::Tally;
use crate::rack::{
    Instance, KeyAccess, KeyProof, KeySwap, PortError, PrivateKey, PublicLine, Rack, Through,
};
use crate::roll::drive::Stage;
use crate::roll::event::Holdout;
use crate::roll::journal::{Effect, Entry, Line};
use crate::roll::observe::physical_ids;
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::{Advice, Plan, Step};
use crate::roll::preflight::{Refusal, advice};
use crate::roll::reached::{GROUP, SPOT_FLEET};
use crate::roll::run::{Run, Trouble};

/// Which way leads to which instance: the first that reaches it.
#[derive(Default)]
pub(super) struct Chosen {
    /// Those that are reached, by the place of the way.
    pub(super) by_way: BTreeMap<usize, Vec<Instance>>,
    /// Those that are not, and why not.
    pub(super) unreached: BTreeMap<String, String>,
    ways: BTreeMap<String, Through>,
    closed: Vec<(Through, PortError)>,
}

impl Chosen {
    /// Asks every way about the instances that none before it reaches.
    ///
    /// # Errors
    /// When the last way that is left is closed, or the account asks for patience.
    pub(super) async fn of(
        ways: &[Arc<dyn KeyAccess>],
        instances: &[Instance],
    ) -> Result<Self, PortError> {
        let mut chosen = Self::default();
        let mut left = instances.to_vec();
        for (place, way) in ways.iter().enumerate() {
            let through = way.through();
            let unreached = match way.unreached(&left).await {
                Ok(unreached) => unreached,
                Err(error) if error.is_transient() || place + 1 == ways.len() => return Err(error),
                Err(error) => {
                    chosen.closed.push((through, error));
                    continue;
                }
            };
            let (off, on): (Vec<_>, Vec<_>) = left
                .into_iter()
                .partition(|instance| unreached.contains_key(&instance.id));
            for instance in &on {
                chosen.ways.insert(instance.id.clone(), through);
            }
            if !on.is_empty() {
                chosen.by_way.insert(place, on);
            }
            for (id, why) in unreached {
                let before = chosen.unreached.remove(&id);
                let why = before.map_or(why.clone(), |before| format!("{before}; {why}"));
                chosen.unreached.insert(id, why);
            }
            left = off;
        }
        let ways = &chosen.ways;
        chosen.unreached.retain(|id, _| !ways.contains_key(id));
        Ok(chosen)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_way.is_empty()
    }

    pub(super) fn through(&self, instance: &str) -> Option<Through> {
        self.ways.get(instance).copied()
    }

    /// Says which ways are closed, and which instances none leads to.
    pub(super) fn warnings(&self) -> Vec<Advice> {
        let closed = self.closed.iter().map(|(through, error)| {
            advice(
                "way-closed",
                format!("{} reaches no instance: {error}", through.as_str()),
                "the other way is taken for all of them",
            )
        });
        let unreached = self.unreached.iter().map(|(id, why)| {
            advice(
                "unreached",
                format!("{id} is not reached, and goes on letting the old key in: {why}"),
                "`convox instances terminate` has its group replace it, once that starts \
                 instances with a new key",
            )
        });
        closed.chain(unreached).collect()
    }
}

impl Run<'_> {
    /// Finds out where a revocation that was left goes on.
    pub(super) async fn revocation_stage(&mut self, lines: &[Line]) -> Result<Stage, Refusal> {
        if lines.iter().any(|line| line.entry == Entry::TurnedBack) {
            return Ok(Stage::Back);
        }
        let is_asked = |line: &Line| {
            let Entry::Asked { effect, .. } = &line.entry else {
                return false;
            };
            *effect == Effect::AdmitKey
        };
        let name = self.plan.new_key.clone();
        let stored = self
            .patiently(async |rack| rack.keys.get(&name).await)
            .await?;
        // What is kept may open instances already, whether EC2 still has its other half or not.
        if stored.is_some() || lines.iter().any(is_asked) {
            return Ok(Stage::Minted);
        }
        Ok(Stage::Beginning)
    }

    /// Carries a revocation from `stage` to its end.
    pub(in crate::roll) async fn revoke(&mut self, stage: Stage) -> Report {
        let is_ours = self.plan.revocation().is_some_and(|it| !it.reused);
        if stage == Stage::Back {
            let trouble = Trouble::new("the new key could not be made");
            return self.give_up(trouble, is_ours).await;
        }
        let is_made = !is_ours || stage != Stage::Beginning;
        // The instances are listed while the new key is made.
        let listed = first_look(self.rack.clone(), self.plan.clone(), self.ways());
        let prepared = async {
            self.preserve_leaked().await?;
            if is_made {
                self.say_at_work().await?;
            } else {
                self.mint().await?;
            }
            self.check_alone().await?;
            self.swap().await
        };
        let (prepared, listed) = tokio::join!(prepared, listed);
        let swap = match prepared {
            Ok(swap) => swap,
            Err(trouble) => {
                if is_made {
                    self.say_done().await;
                }
                return self.give_up(trouble, !is_made).await;
            }
        };
        let tally = self.swap_everywhere(&swap, listed.ok()).await;
        let report = self.settle_revocation(tally).await;
        self.say_done().await;
        report
    }

    /// Keeps the key that is used by default under its name, which is the leaked one's if the stack
    /// still names that.
    async fn preserve_leaked(&mut self) -> Result<(), Trouble> {
        self.begin(Step::Preserve);
        let (id, old) = (self.plan.stack_id.clone(), self.old_key());
        let stack = self
            .patiently(async |rack| rack.stacks.describe(&id).await)
            .await?;
        // What everybody uses by default is the key that the stack names, and it is about to be
        // replaced there, whichever key is out.
        let named = stack.parameter(&self.plan.key_parameter);
        let named = named.map(str::to_owned).unwrap_or_else(|| old.clone());
        let (of_named, of_old) = self
            .patiently(async |rack| tokio::try_join!(rack.keys.get(&named), rack.keys.get(&old)))
            .await?;
        if of_named.is_none() {
            self.keep_current(&named).await?;
        } else if of_old.is_some() {
            let detail = format!("the private key of {old} is kept already");
            self.done(Step::Preserve, detail);
        }
        Ok(())
    }

    /// Ends a revocation that has changed no instance; a new key of its own goes.
    async fn give_up(&mut self, trouble: Trouble, discards: bool) -> Report {
        let discarded = if discards {
            Some(self.discard().await)
        } else {
            None
        };
        self.base.turned_back(trouble, discarded)
    }

    /// Finds the lines of both keys, by their private halves.
    async fn swap(&mut self) -> Result<KeySwap, Trouble> {
        let (old, new) = (self.old_key(), self.plan.new_key.clone());
        let user = self.rack.ssh_user.clone();
        if !KeySwap::is_plain_user(&user) {
            return Err(Trouble::new(format!("`{user}` is no name of a user"))
                .hint("set `ssh_user` in config.yaml"));
        }
        let (new_key, old_key, of_ec2) = self
            .patiently(async |rack| {
                tokio::try_join!(
                    rack.keys.get(&new),
                    rack.keys.get(&old),
                    rack.key_pairs.public_line(&old),
                )
            })
            .await?;
        let stored = self.public_line(&old, old_key)?;
        let of_ec2 = of_ec2.and_then(|line| PublicLine::read(&old, &line));
        let (old, kept) = match of_ec2 {
            Some(line) if line.key() != stored.key() => (line, Some(stored)),
            _ => (stored, None),
        };
        let new = self.public_line(&new, new_key)?;
        let swap = KeySwap {
            user,
            new,
            old,
            kept,
        };
        if swap.is_of_one_key() {
            return Err(Trouble::new(format!(
                "{} is the key of {} under another name: it is not let in",
                swap.new.name, swap.old.name
            )));
        }
        Ok(swap)
    }

    fn old_key(&self) -> String {
        self.plan.old_key.clone().unwrap_or_default()
    }

    /// Returns the ways to instances.
    pub(super) fn ways(&self) -> Vec<Arc<dyn KeyAccess>> {
        let tools = self.tools.as_ref();
        tools.map(|tools| tools.ways.clone()).unwrap_or_default()
    }

    pub(super) fn public_line(
        &self,
        name: &str,
        stored: Option<PrivateKey>,
    ) -> Result<PublicLine, Trouble> {
        let (Some(key), Some(tools)) = (stored, &self.tools) else {
            let store = &self.plan.key_store;
            return Err(Trouble::new(format!(
                "{store} has no private key of {name}"
            )));
        };
        let line = (tools.public_line)(name, &key).map_err(Trouble::new)?;
        let damaged = || Trouble::new(format!("the public key of {name} cannot be read"));
        PublicLine::read(name, &line).ok_or_else(damaged)
    }

    async fn settle_revocation(&mut self, tally: Result<Tally, Trouble>) -> Report {
        let (new, old) = (self.plan.new_key.clone(), self.old_key());
        let tally = match tally {
            Ok(tally) => tally,
            Err(trouble) => {
                // Where it broke off, some instances have changed, and the others let it in.
                let message = format!("{}; live instances may still let {old} in", trouble.message);
                let mut report = self.report(Outcome::Unproven, message);
                report.hints = trouble.hints;
                report.hints.push(self.resume_hint());
                return report;
            }
        };
        let left = match self.left_outside(&tally).await {
            Ok(left) => left,
            Err(error) => {
                let message = format!("whether other instances let {old} in is not known: {error}");
                let mut report = self.report(Outcome::Unproven, message);
                report.hints.push(self.resume_hint());
                return report;
            }
        };
        let (done, failed) = (tally.done.len(), tally.failed.len());
        if failed > 0 {
            let (still, all) = (failed + left.len(), done + failed + left.len());
            let message = format!("{still} of {all} live instances may still let {old} in");
            let mut report = self.report(Outcome::Unproven, message);
            report.holdouts = tally.failed.iter().chain(&left).map(holdout).collect();
            report.hints = vec![
                "mend what keeps them from being reached, or terminate them once new instances \
                 have a new key"
                    .to_owned(),
                format!("then {}; both keys are kept", self.resume_hint()),
            ];
            if tally.failed.iter().any(|(_, why)| why.contains(NOT_PROVEN)) {
                report.hints.insert(0, unproven_hint(&old));
            }
            return report;
        }
        self.done(Step::Admit, format!("{new} is in on {}", count(done)));
        self.done(Step::Exclude, format!("{old} is out on {}", count(done)));
        if let Err(trouble) = self.promote().await {
            let message = format!("{old} is out on every instance, but: {}", trouble.message);
            let mut report = self.report(Outcome::Unproven, message);
            report.hints = trouble.hints;
            report.hints.push(self.resume_hint());
            return report;
        }
        if !left.is_empty() {
            let message = format!(
                "{old} is out on {}, and {} besides the rack's let it in",
                count(done),
                count(left.len())
            );
            let mut report = self.report(Outcome::Unproven, message);
            report.holdouts = left.iter().map(holdout).collect();
            report.hints = vec![
                format!(
                    "terminate them, or take the line of {old} out of their authorized_keys by hand"
                ),
                format!("once they are gone, {}", self.resume_hint()),
            ];
            return report;
        }
        let mut report = self.report(
            Outcome::Done,
            format!(
                "{new} is in and {old} is out on {}, proven by {}",
                count(done),
                proofs(&tally)
            ),
        );
        report.hints = vec![
            format!(
                "while the launch template names {old}, until the next roll, an instance that \
                 starts lets it in; `convox instances revoke-key --key {old}` mends that"
            ),
            "`convox instances keyroll` makes the launch template agree, at leisure".to_owned(),
        ];
        report
    }
}

impl Run<'_> {
    /// Lists the live instances that the leaked key opens and that nothing was done about.
    async fn left_outside(&mut self, tally: &Tally) -> Result<Vec<(Instance, String)>, PortError> {
        let failed = tally.failed.iter().map(|(it, _)| it.id.clone());
        let known: BTreeSet<String> = tally.done.keys().cloned().chain(failed).collect();
        let old = self.old_key();
        let left = self
            .patiently(async |rack| opened_besides(rack, &old, &known).await)
            .await?;
        let why = |it: &Instance| why_left(it, &tally.owners);
        Ok(left.into_iter().map(|it| (it.clone(), why(&it))).collect())
    }
}

fn count(instances: usize) -> String {
    let s = if instances == 1 { "" } else { "s" };
    format!("{instances} instance{s}")
}

/// Lists the live instances that a revocation is about.
pub(super) async fn live(rack: &Rack, plan: &Plan) -> Result<Vec<Instance>, PortError> {
    let mut resources = rack.stacks.resources(&plan.stack_id).await?;
    let groups = plan.revocation().map(|it| it.groups.as_slice());
    resources.retain(|it| {
        let is_group = groups.is_some_and(|groups| groups.contains(&it.logical_id));
        is_group || plan.spot_fleets.contains(&it.logical_id)
    });
    let (groups, fleets) = (
        physical_ids(&resources, GROUP),
        physical_ids(&resources, SPOT_FLEET),
    );
    let mut instances = rack.fleet.instances(&groups, &fleets).await?;
    instances.retain(Instance::is_live);
    Ok(instances)
}

/// Lists them, and finds the ways to them.
async fn first_look(
    rack: Rack,
    plan: Plan,
    ways: Vec<Arc<dyn KeyAccess>>,
) -> Result<(Vec<Instance>, Chosen), PortError> {
    let instances = live(&rack, &plan).await?;
    let chosen = Chosen::of(&ways, &instances).await?;
    Ok((instances, chosen))
}

/// What the script says of an instance whose sshd does not take the new key, or was not asked.
const NOT_PROVEN: &str = "not proven: ";

/// Says what to do about those on which the old line has stayed for want of a proof.
fn unproven_hint(old: &str) -> String {
    format!(
        "no old line goes where the new key is not proven: mend what sshd is set to there, or prove \
         it by logins from here, with `convox instances revoke-key --key {old} --through ssh`"
    )
}

/// Says how it is known.
fn proofs(tally: &Tally) -> String {
    let by_login = tally.done.values().filter(|it| **it == KeyProof::Login);
    let (logins, all) = (by_login.count(), tally.done.len());
    match all - logins {
        0 => "logins".to_owned(),
        asked if asked == all => "what their sshd takes".to_owned(),
        asked => format!("logins to {logins} and what sshd takes on {asked}"),
    }
}

fn holdout((instance, why): &(Instance, String)) -> Holdout {
    Holdout {
        instance: instance.id.clone(),
        key_name: instance.key().map(str::to_owned),
        owner: instance.owner.clone(),
        state: why.clone(),
    }
}
