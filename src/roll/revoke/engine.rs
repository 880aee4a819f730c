//! The door to revocations: plan one, and find and take up those that were left.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::alone::{busy, other_at_work, refuse_leaked};
use super::outside::{self, opened_besides, why_left};
use super::plan::{PlannedInstance, RevocationOptions, RevocationPlan, steps};
use super::run::Chosen;
use super::{KeyTools, TAG_REVOKES};
use crate::ids::RollId;
use crate::rack::{Instance, KeyPair, KeyType, PortError, PublicLine, Rack, Stack};
use crate::roll::api::KeyKind;
use crate::roll::drive::Stage;
use crate::roll::engine::{Engine, ended};
use crate::roll::event::EventKind;
use crate::roll::find::Found;
use crate::roll::forward::TAG_RACK;
use crate::roll::observe::{physical_ids, settled};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::{Advice, Plan, RollOptions, Step};
use crate::roll::preflight::{Refusal, advice, linted, no_such_stack};
use crate::roll::reached::{GROUP, SPOT_FLEET, reached_by_key_of};

/// What was seen of a rack whose key is out.
struct Observed {
    stack: Stack,
    groups: Vec<String>,
    spot_fleets: Vec<String>,
    instances: Vec<Instance>,
}

impl Engine {
    /// Lets the engine change which keys instances let in.
    pub fn set_key_tools(&mut self, tools: KeyTools) {
        self.tools = Some(tools);
    }

    /// Returns the rack.
    #[must_use]
    pub fn rack(&self) -> &Rack {
        &self.rack
    }

    /// Looks at the rack and says what shutting out a key would do. Changes nothing that stays.
    ///
    /// A stack that is busy is not waited for: nothing of it is changed.
    ///
    /// # Errors
    /// Why it is refused, with the way out.
    pub async fn plan_revocation(&mut self, options: RevocationOptions) -> Result<Plan, Refusal> {
        let tools = self.key_tools()?;
        let roll = self.desk.name_roll();
        // What waits for nothing is asked at once: the key is out meanwhile.
        let (observed, checked, mut made) = self
            .patiently(&roll, async |rack| {
                tokio::try_join!(observe(rack), check(rack), stand_ins(rack))
            })
            .await?;
        let old = self.leaked(&options, &observed.stack)?;
        if options.key.is_none() {
            check_which(&observed, &old)?;
        }
        if let Some(other) = other_at_work(&made, &roll, self.desk.clock.now()) {
            return Err(busy(&self.rack.name, &other));
        }
        made = usable(made, &old);
        let is_named = observed.stack.parameter(&self.rack.key_parameter) == Some(&old);
        let known: BTreeSet<String> = observed.instances.iter().map(|it| it.id.clone()).collect();
        let (chosen, (of_leaked, differs), stand_in, outside) = self
            .patiently(&roll, async |rack| {
                let chosen = async { Ok(Chosen::of(&tools.ways, &observed.instances).await?) };
                let told = check_leaked(rack, &tools, &old, is_named);
                let outside = async { Ok(opened_besides(rack, &old, &known).await?) };
                tokio::try_join!(chosen, told, with_private_half(rack, &made), outside)
            })
            .await?;
        let reused = stand_in.is_some();
        if !reused {
            checked?;
        }
        if chosen.is_empty() {
            return Err(nobody_reached(&chosen));
        }
        let key_type = options.key_type.unwrap_or(of_leaked);
        let mut plan = draft(&self.rack, roll, key_type, old, &observed);
        if let Some(name) = stand_in {
            plan.new_key = name;
        }
        plan.warnings = chosen.warnings();
        plan.warnings.extend(differs);
        plan.warnings.extend(outside::warnings(
            plan.old_key.as_deref().unwrap_or_default(),
            &outside,
        ));
        if observed.stack.status.is_busy() {
            plan.warnings.push(advice(
                "stack-busy",
                format!(
                    "the stack is {}: instances may come and go meanwhile",
                    observed.stack.status
                ),
                "run `convox instances revoke-key` again when it is at rest",
            ));
        }
        let planned = |instance: &Instance| PlannedInstance {
            id: instance.id.clone(),
            key: instance.key().map(str::to_owned),
            through: chosen.through(&instance.id),
            unreached: chosen.unreached.get(&instance.id).cloned(),
        };
        let left = |instance: &Instance| PlannedInstance {
            id: instance.id.clone(),
            key: instance.key().map(str::to_owned),
            through: None,
            unreached: Some(why_left(instance, &BTreeSet::new())),
        };
        plan.kind = KeyKind::Revocation(Box::new(RevocationPlan {
            reused,
            groups: observed.groups,
            instances: observed
                .instances
                .iter()
                .map(planned)
                .chain(outside.iter().map(left))
                .collect(),
        }));
        plan.steps = steps(&plan, reused);
        linted(plan)
    }

    fn key_tools(&self) -> Result<KeyTools, Refusal> {
        self.tools.clone().ok_or_else(|| {
            Refusal::nothing_changed(advice(
                "no-way-to-instances",
                "instances cannot be reached from here",
                "go on with it by the command line: `convox instances revoke-key`",
            ))
        })
    }

    fn leaked(&self, options: &RevocationOptions, stack: &Stack) -> Result<String, Refusal> {
        let named = stack
            .parameter(&self.rack.key_parameter)
            .unwrap_or_default();
        let leaked = options.key.as_deref().unwrap_or(named);
        if leaked.is_empty() {
            return Err(Refusal::nothing_changed(advice(
                "no-key",
                format!("{} has no key pair", self.rack.name),
                "name the key pair that is out with `--key NAME`",
            )));
        }
        Ok(leaked.to_owned())
    }

    /// Makes the plan of a revocation that is known by its key pair only.
    pub(in crate::roll) async fn found_revocation(
        &mut self,
        id: &RollId,
        pair: KeyPair,
        old: String,
    ) -> Result<Found, Refusal> {
        let observed = self.patiently(id, observe).await?;
        let mut plan = draft(&self.rack, id.clone(), KeyType::Ed25519, old, &observed);
        plan.new_key = pair.name;
        plan.kind = KeyKind::Revocation(Box::new(RevocationPlan {
            groups: observed.groups,
            ..RevocationPlan::default()
        }));
        Ok(Found {
            plan,
            lines: Vec::new(),
            from_journal: false,
        })
    }

    /// Takes up a revocation that was left.
    pub(in crate::roll) async fn resume_revocation(
        &mut self,
        found: &Found,
    ) -> Result<Report, Refusal> {
        if let Some(report) = ended(&found.lines) {
            let roll = found.plan.roll.clone();
            self.desk.emit(&roll, EventKind::Finished(report.clone()));
            return Ok(report);
        }
        self.key_tools()?;
        let made = self
            .patiently(&found.plan.roll, async |rack| stand_ins(rack).await)
            .await?;
        let old = found.plan.old_key.as_deref().unwrap_or_default();
        refuse_leaked(&made, &found.plan.new_key, old)?;
        let mut run = self.take_up(found).await?;
        let stage = run.revocation_stage(&found.lines).await?;
        run.emit(EventKind::Resumed {
            from_journal: found.from_journal,
            step: match stage {
                Stage::Minted => Step::Admit,
                stage => stage.step(),
            },
        });
        Ok(run.drive(stage, false).await)
    }
}

impl Found {
    /// Refuses what only an update of the stack can be asked for.
    pub(in crate::roll) fn refuse_revocation(&self) -> Result<(), Refusal> {
        match self.plan.revocation() {
            None => Ok(()),
            Some(_) => Err(Refusal::nothing_changed(advice(
                "revocation",
                format!("roll {} shuts a key out, and has no update", self.plan.roll),
                "a key that is out is not let in again; `convox rolls resume` finishes it",
            ))),
        }
    }
}

/// Asks whether a key pair could be made and kept; the lack of an answer is no answer.
async fn check(rack: &Rack) -> Result<Result<(), PortError>, Refusal> {
    settled(
        rack.key_pairs
            .check_permissions()
            .await
            .and(rack.keys.check().await),
    )
}

/// Lists the key pairs that took the place of leaked ones, the newest first.
async fn stand_ins(rack: &Rack) -> Result<Vec<KeyPair>, Refusal> {
    let tags = BTreeMap::from([(TAG_RACK.to_owned(), rack.name.clone())]);
    let mut made = rack.key_pairs.tagged(&tags).await?;
    made.sort_by_key(|pair| Reverse((pair.created_at, pair.name.clone())));
    Ok(made)
}

/// Keeps those that took the place of `old` and have not themselves been shut out since.
fn usable(made: Vec<KeyPair>, old: &str) -> Vec<KeyPair> {
    let revokes = |pair: &KeyPair| pair.tags.get(TAG_REVOKES).cloned();
    let out: BTreeSet<String> = made.iter().filter_map(revokes).collect();
    let is_usable =
        |pair: &KeyPair| revokes(pair).as_deref() == Some(old) && !out.contains(&pair.name);
    made.into_iter().filter(is_usable).collect()
}

/// Makes sure that it is plain which key is out where nobody has named it: in the middle of a roll,
/// or after one that is not proven, the stack names a key that many instances do not have.
fn check_which(observed: &Observed, old: &str) -> Result<(), Refusal> {
    let keys = observed.instances.iter();
    let keys: BTreeSet<&str> = keys.filter_map(|it| it.key_name.as_deref()).collect();
    let is_busy = observed.stack.status.is_busy();
    if !is_busy && keys.iter().all(|key| *key == old) {
        return Ok(());
    }
    let why = match is_busy {
        true => format!("the stack is {}", observed.stack.status),
        false => "its instances were started with several keys".to_owned(),
    };
    let named: Vec<_> = keys.into_iter().collect();
    Err(Refusal::nothing_changed(advice(
        "which-key",
        format!("{why}: it is not plain which key is out"),
        format!("name it: --key NAME, one of {}", named.join(", ")),
    )))
}

/// Finds the first that can be used: the one whose private half is kept.
async fn with_private_half(rack: &Rack, made: &[KeyPair]) -> Result<Option<String>, Refusal> {
    for pair in made {
        if rack.keys.get(&pair.name).await?.is_some() {
            return Ok(Some(pair.name.clone()));
        }
    }
    Ok(None)
}

/// Makes sure that the line of the leaked key can be told, by its private half, and says of which
/// kind it is; warns where EC2 knows another line by that name.
async fn check_leaked(
    rack: &Rack,
    tools: &KeyTools,
    old: &str,
    is_named: bool,
) -> Result<(KeyType, Option<Advice>), Refusal> {
    let stored = async {
        match rack.keys.get(old).await? {
            None if is_named => rack.keys.current().await,
            stored => Ok(stored),
        }
    };
    let (stored, of_ec2) = tokio::try_join!(stored, rack.key_pairs.public_line(old))?;
    let told = stored.map(|key| (tools.public_line)(old, &key));
    let why = match told {
        Some(Ok(line)) => {
            let kept = PublicLine::read(old, &line);
            let of_ec2 = of_ec2.and_then(|line| PublicLine::read(old, &line));
            let differs = of_ec2.is_some() && of_ec2 != kept;
            // Instances were started with the one that EC2 has.
            let line = of_ec2.or(kept);
            let kind = line.map_or(KeyType::Ed25519, |line| line.key_type());
            let warning = differs.then(|| {
                advice(
                    "two-keys",
                    format!(
                        "the private key of {old} that is kept is of another key than EC2 has by \
                         that name, with which instances were started"
                    ),
                    "both are shut out; instances that take neither are named in the end",
                )
            });
            return Ok((kind, warning));
        }
        Some(Err(why)) => why,
        None => format!(
            "{} has no private key of {old}, by which its line is known",
            rack.keys.describe()
        ),
    };
    Err(Refusal::nothing_changed(advice(
        "key-unknown",
        why,
        "`convox instances keyroll` replaces every instance, whatever keys they let in",
    )))
}

async fn observe(rack: &Rack) -> Result<Observed, Refusal> {
    let (described, resources, body) = tokio::join!(
        rack.stacks.describe(&rack.stack),
        rack.stacks.resources(&rack.stack),
        rack.stacks.template(&rack.stack),
    );
    let stack = match described {
        Err(error) if error.is_not_found() => {
            let known = rack.stacks.racks().await.unwrap_or_default();
            return Err(no_such_stack(&rack.stack, &known));
        }
        described => described?,
    };
    let mut resources = resources?;
    // They say whose they are by what was asked for.
    for resource in resources.iter_mut().filter(|it| it.stack == rack.stack) {
        resource.stack.clone_from(&stack.id);
    }
    let reached = reached_by_key_of(rack, &stack, body?, &resources).await?;
    let groups: Vec<String> = reached
        .groups
        .iter()
        .map(|(resource, _)| resource.logical_id.clone())
        .collect();
    let mut ours = resources;
    ours.retain(|it| {
        groups.contains(&it.logical_id) || reached.spot_fleets.contains(&it.logical_id)
    });
    let names = physical_ids(&ours, GROUP);
    let fleets = physical_ids(&ours, SPOT_FLEET);
    let mut instances = rack.fleet.instances(&names, &fleets).await?;
    instances.retain(Instance::is_live);
    Ok(Observed {
        stack,
        groups,
        spot_fleets: reached.spot_fleets,
        instances,
    })
}

fn draft(rack: &Rack, roll: RollId, key_type: KeyType, old: String, observed: &Observed) -> Plan {
    let options = RollOptions {
        key_type,
        keep_old: true,
        ..RollOptions::DEFAULT
    };
    let mut plan = Plan::bare(rack, roll, options, &observed.stack.id);
    plan.old_key = Some(old);
    plan.spot_fleets.clone_from(&observed.spot_fleets);
    plan
}

fn nobody_reached(chosen: &Chosen) -> Refusal {
    let mut reasons: Vec<_> = chosen
        .unreached
        .iter()
        .map(|(id, why)| {
            advice(
                "unreached",
                format!("{id} is not reached: {why}"),
                "an instance needs an SSM agent that may call Systems Manager, or a way for ssh",
            )
        })
        .collect();
    if reasons.is_empty() {
        reasons.push(advice(
            "no-instances",
            "the rack has no live instance",
            "`convox instances keyroll` gives those that start a new key",
        ));
    }
    Refusal {
        outcome: Outcome::NothingChanged,
        reasons,
    }
}
