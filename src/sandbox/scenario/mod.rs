//! Scenarios: a world and what goes wrong in it, and when.

mod build;
mod fault;
mod file;
mod others;
mod racks;
mod rate;
mod stale;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::api::{AwsError, Input};
use super::ec2::InstanceState;
use super::wire::{self, Service};
use super::world::{self, World};
use fault::fits;
pub use fault::{
    AgentState, Agents, Calls, Capacity, CommandsFail, DrainStuck, Fate, Fault, Latency, OtherCall,
    Quota, Rate, Signals, Span, SshdOdd, SshdState, Stale, TasksFail, Unhealthy, WhichKey,
};
pub use file::{Balancer, Expect, Rack, Scenario, ScenarioError, Service as App};
pub use racks::{NamedRack, Racks};

/// What goes wrong, and when.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Faults {
    rules: Vec<Rule>,
    /// When the world was handed over, from which times are counted.
    start: Option<Timestamp>,
    rack: String,
    old_key: String,
    /// The key pairs of all racks at the start.
    #[serde(default)]
    old_keys: BTreeSet<String>,
    /// The key pair made last since then.
    new_key: Option<String>,
    /// What others have done.
    made: Vec<Made>,
    history: stale::History,
}

/// A fault and how far it has come.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Rule {
    fault: Fault,
    /// How many calls, boots or terminations it has seen.
    seen: u64,
    /// When the API that it waits for first succeeded.
    opened: Option<Timestamp>,
    /// What calls it still grants, by API.
    #[serde(default)]
    buckets: BTreeMap<String, rate::Bucket>,
}

/// A call that a scenario made in another's name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// When.
    pub at: Timestamp,
    /// The API.
    pub api: String,
    /// The code of the refusal, if it was refused.
    pub refused: Option<String>,
}

/// A scenario's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// The call of the rule with this number is made.
    Call(usize),
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    match due {
        Due::Call(rule) => others::make_call(world, rule),
    }
}

/// What happens to a call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Verdict {
    /// How long it takes to be heard.
    pub(crate) delay: std::time::Duration,
    /// What goes wrong with it.
    pub(crate) effect: Effect,
}

/// What goes wrong with a call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Effect {
    /// Nothing.
    #[default]
    None,
    /// It is refused and not carried out.
    Refused(AwsError),
    /// The connection is lost before it is carried out.
    Unsent,
    /// It is carried out and the answer is lost.
    Lost,
}

impl Faults {
    /// Puts faults in force from now on, for racks that have these keys. Calls that others make
    /// are about the first.
    fn install(world: &mut World, faults: &[Fault], racks: &[(String, String)]) {
        let rule = |fault: &Fault| Rule {
            fault: fault.clone(),
            seen: 0,
            opened: None,
            buckets: BTreeMap::new(),
        };
        let (rack, old_key) = racks.first().cloned().unwrap_or_default();
        world.faults = Self {
            rules: faults.iter().map(rule).collect(),
            start: Some(world.now),
            rack,
            old_key,
            old_keys: racks.iter().map(|(_, key)| key.clone()).collect(),
            ..Self::default()
        };
        for (number, fault) in faults.iter().enumerate() {
            if let Fault::Call(OtherCall { at: Some(at), .. }) = fault {
                world.schedule(at.0, world::Due::Scenario(Due::Call(number)));
            }
        }
    }

    /// Tells whether there is nothing to decide about calls.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// Returns what others have done so far.
    #[must_use]
    pub fn made(&self) -> &[Made] {
        &self.made
    }

    /// Tells whether a key pair is one that a rack had in the beginning.
    fn is_old(&self, key_pair: &str) -> bool {
        self.old_key == key_pair || self.old_keys.contains(key_pair)
    }

    fn any(&self, wanted: impl Fn(&Fault) -> bool) -> bool {
        self.rules.iter().any(|rule| wanted(&rule.fault))
    }
}

impl Calls {
    /// Tells whether a call at `now` is in the window.
    fn is_open(&self, now: Timestamp, start: Option<Timestamp>, opened: Option<Timestamp>) -> bool {
        let Some(origin) = (if self.after.is_some() { opened } else { start }) else {
            return false;
        };
        let first = origin.saturating_add(self.from.0).unwrap_or(Timestamp::MAX);
        let last = match self.lasting {
            Some(span) => first.saturating_add(span.0).unwrap_or(Timestamp::MAX),
            None => Timestamp::MAX,
        };
        first <= now && now < last
    }
}

impl World {
    /// Decides what happens to a call, and counts it.
    pub(crate) fn judge_call(&mut self, service: Service, action: &str) -> Verdict {
        let api = format!("{}:{action}", service.name());
        let (now, start) = (self.now, self.faults.start);
        let mut verdict = Verdict::default();
        for rule in &mut self.faults.rules {
            if let Fault::Latency(latency) = &rule.fault {
                if fits(&latency.api, &api) {
                    verdict.delay += latency.takes.0;
                }
                continue;
            }
            if let Fault::Rate(rate) = &rule.fault {
                let too_many = fits(&rate.api, &api) && {
                    let bucket = rule.buckets.entry(api.clone()).or_default();
                    !bucket.grants(rate, now)
                };
                if too_many && verdict.effect == Effect::None {
                    verdict.effect = Effect::Refused(wire::throttled(service));
                }
                continue;
            }
            let (Fault::Throttle(calls)
            | Fault::Lose(calls)
            | Fault::Unsent(calls)
            | Fault::Deny(calls)) = &rule.fault
            else {
                continue;
            };
            if !fits(&calls.api, &api) || !calls.is_open(now, start, rule.opened) {
                continue;
            }
            rule.seen += 1;
            if verdict.effect != Effect::None || !calls.hits(rule.seen) {
                continue;
            }
            verdict.effect = match &rule.fault {
                Fault::Throttle(_) => Effect::Refused(wire::throttled(service)),
                Fault::Deny(_) => Effect::Refused(wire::denied(service, &self.account, action)),
                Fault::Unsent(_) => Effect::Unsent,
                _ => Effect::Lost,
            };
        }
        verdict
    }

    /// Takes note of a call that succeeded: others may have waited for it.
    pub(crate) fn note_success(&mut self, api: &str, input: &Input) {
        if self.faults.is_empty() {
            return;
        }
        if matches!(api, "ec2:CreateKeyPair" | "ec2:ImportKeyPair") {
            self.faults.new_key = input.text("KeyName");
        }
        let now = self.now;
        let mut set_off = Vec::new();
        for (number, rule) in self.faults.rules.iter_mut().enumerate() {
            let after = match &rule.fault {
                Fault::Throttle(calls)
                | Fault::Lose(calls)
                | Fault::Unsent(calls)
                | Fault::Deny(calls) => calls.after.as_deref(),
                Fault::Call(call) => call.after.as_deref(),
                _ => None,
            };
            if rule.opened.is_some() || !after.is_some_and(|after| fits(after, api)) {
                continue;
            }
            rule.opened = Some(now);
            if let Fault::Call(call) = &rule.fault {
                set_off.push((number, call.delay.0));
            }
        }
        for (number, delay) in set_off {
            self.schedule(delay, world::Due::Scenario(Due::Call(number)));
        }
    }

    /// Decides how the boot of a new instance ends.
    ///
    /// `key_name` is the key pair that the instance was started with, `stack` the name of its
    /// stack and `logical_id` the group's name in its template, so a scenario can hit new
    /// instances only.
    pub fn boot_fate(&mut self, stack: &str, logical_id: &str, key_name: Option<&str>) -> BootFate {
        let old = key_name.is_some_and(|name| self.faults.is_old(name));
        for rule in &mut self.faults.rules {
            let Fault::Signals(signals) = &rule.fault else {
                continue;
            };
            let group = signals
                .group
                .as_deref()
                .is_none_or(|group| fits(group, logical_id));
            let rack = signals.rack.as_deref().is_none_or(|rack| fits(rack, stack));
            let key = match signals.key {
                WhichKey::Old => old,
                WhichKey::New => !old,
                WhichKey::Any => true,
            };
            if !group || !rack || !key {
                continue;
            }
            rule.seen += 1;
            if within(rule.seen, signals.from, signals.times) {
                return match signals.fate {
                    Fate::Never => BootFate::Silence,
                    Fate::Failure => BootFate::Failure,
                };
            }
        }
        BootFate::Success
    }

    /// Decides whether a task of `group`, such as `service:web`, ends as soon as it has come up.
    pub fn task_fails(&mut self, group: &str) -> bool {
        let Some(service) = group.strip_prefix("service:") else {
            return false;
        };
        self.faults.rules.iter_mut().any(|rule| {
            let Fault::Tasks(tasks) = &rule.fault else {
                return false;
            };
            if !fits(&tasks.service, service) {
                return false;
            }
            rule.seen += 1;
            within(rule.seen, tasks.from, tasks.times)
        })
    }

    /// Decides whether a task of `group`, such as `service:web`, never passes the checks of its load
    /// balancers.
    pub fn task_is_unhealthy(&mut self, group: &str) -> bool {
        let Some(service) = group.strip_prefix("service:") else {
            return false;
        };
        self.faults.rules.iter_mut().any(|rule| {
            let Fault::Unhealthy(unhealthy) = &rule.fault else {
                return false;
            };
            if !fits(&unhealthy.service, service) {
                return false;
            }
            rule.seen += 1;
            within(rule.seen, unhealthy.from, unhealthy.times)
        })
    }

    /// Tells how the SSM agent of an instance is: one that does not run yet has none.
    #[must_use]
    pub fn agent_of(&self, id: &str) -> AgentState {
        let Some(nth) = self.place_of_running(id) else {
            return AgentState::Missing;
        };
        let hit = self.faults.rules.iter().find_map(|rule| match &rule.fault {
            Fault::Agents(it) if within(nth, it.from, it.times) => Some(it.agent),
            _ => None,
        });
        hit.unwrap_or(AgentState::Online)
    }

    /// Tells how the sshd of an instance is.
    #[must_use]
    pub fn sshd_of(&self, id: &str) -> SshdState {
        let nth = self.place_of_running(id).unwrap_or_default();
        let hit = self.faults.rules.iter().find_map(|rule| match &rule.fault {
            Fault::Sshd(it) if within(nth, it.from, it.times) => Some(it.sshd),
            _ => None,
        });
        hit.unwrap_or(SshdState::Usual)
    }

    /// Returns the place of an instance that runs among those that live, by age, counted from 1.
    fn place_of_running(&self, id: &str) -> Option<u64> {
        let mut live: Vec<_> = self.live_instances().collect();
        live.sort_by_key(|instance| (instance.launched, &instance.id));
        let place = live.iter().position(|instance| instance.id == id);
        let place = place.filter(|place| live[*place].state == InstanceState::Running)?;
        Some(u64::try_from(place).unwrap_or(u64::MAX).saturating_add(1))
    }

    /// Decides whether a command fails on an instance.
    pub(crate) fn command_fails(&mut self) -> bool {
        self.faults.rules.iter_mut().any(|rule| {
            let Fault::Commands(commands) = &rule.fault else {
                return false;
            };
            rule.seen += 1;
            within(rule.seen, commands.from, commands.times)
        })
    }

    /// Decides whether EC2 has room for one more instance; a refusal is AWS's sentence.
    pub fn capacity_refusal(&mut self, running: usize) -> Option<String> {
        let wanted = running + 1;
        self.faults.rules.iter().find_map(|rule| match &rule.fault {
            Fault::Capacity(Capacity { limit }) if wanted > *limit => Some(format!(
                "You have requested more instances ({wanted}) than your current instance limit \
                 of {limit} allows for the specified instance type. Please visit \
                 http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this \
                 limit. Launching EC2 instance failed."
            )),
            _ => None,
        })
    }

    /// Returns the quota that a scenario sets on the vCPUs of a class of instances, by its code.
    #[must_use]
    pub(crate) fn quota_set(&self, code: &str) -> Option<u32> {
        self.faults.rules.iter().find_map(|rule| match &rule.fault {
            Fault::Quota(quota) if quota.code == code => Some(quota.vcpus),
            _ => None,
        })
    }

    /// Tells whether the drain function that should complete a terminating hook is stuck.
    pub fn drain_is_stuck(&mut self) -> bool {
        self.faults.rules.iter_mut().any(|rule| {
            let Fault::DrainStuck(stuck) = &rule.fault else {
                return false;
            };
            rule.seen += 1;
            within(rule.seen, stuck.from, stuck.times)
        })
    }

    /// Tells whether rolling updates wrongly replace nothing.
    #[must_use]
    pub fn rolls_replace_nothing(&self) -> bool {
        self.faults.any(|fault| *fault == Fault::ReplaceNothing)
    }

    /// Tells whether events of the same second come in another order than they happened.
    #[must_use]
    pub fn events_are_shuffled(&self) -> bool {
        self.faults.any(|fault| *fault == Fault::Shuffle)
    }
}

/// Tells whether the `seen`th is among `times` from `from` on.
fn within(seen: u64, from: u64, times: Option<u64>) -> bool {
    seen >= from && times.is_none_or(|times| seen - from < times)
}

/// How the boot of an instance ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BootFate {
    /// The boot script signals success.
    Success,
    /// The boot script signals failure.
    Failure,
    /// The boot script never signals.
    Silence,
}

#[cfg(test)]
mod tests;
