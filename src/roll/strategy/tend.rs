//! Holds instances on their way out until their tasks run elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::leaving::{Held, Leaving};
use super::loads::{Loads, Missing, have_joined, is_empty, is_listed};
use super::waiting::Telling;
use crate::rack::{Instance, PortError};
use crate::roll::journal::{Effect, Entry, Line};
use crate::roll::run::Run;

/// How long new instances are waited for to join their cluster, once they are all there, before old
/// ones are emptied all the same.
const JOINING: Duration = Duration::from_secs(900);
/// After this long, what still goes wrong is told again.
const TROUBLE_AGAIN: Duration = Duration::from_secs(3600);

/// What is known of the instances that are held.
#[derive(Debug, Default)]
pub(in crate::roll) struct Tending {
    /// Whether our hooks may be on the groups.
    pub(super) guarded: bool,
    /// The names of our hooks as they were seen last, by the group's name.
    pub(super) hooks: BTreeMap<String, Vec<String>>,
    /// When each instance that is held had its last heartbeat.
    pub(super) beats: BTreeMap<String, Timestamp>,
    /// Those that were let go.
    pub(super) released: BTreeSet<String>,
    /// Since when each is held, as far as was seen.
    pub(super) since: BTreeMap<String, Timestamp>,
    /// Those that no cluster lists.
    pub(super) missing: Missing,
    /// Since when the new set is complete.
    complete_since: Option<Timestamp>,
    /// Instances that tasks were moved away from.
    pub(super) emptied: BTreeSet<String>,
    /// Those that were protected from scale-in before the roll, where that is known.
    pub(super) spared: Option<BTreeSet<String>>,
    /// What was told of those that are waited for.
    pub(super) telling: Telling,
    /// What went wrong at the last look, and when it was told, so that it is told once an hour.
    trouble: Option<(String, Timestamp)>,
}

impl Tending {
    /// Learns from a journal what was done to instances.
    pub(in crate::roll) fn recalled(lines: &[Line]) -> Self {
        let mut known = Self::default();
        for line in lines {
            match &line.entry {
                Entry::Asked {
                    effect: Effect::EmptyInstances,
                    instances,
                } => known.emptied.extend(instances.iter().cloned()),
                Entry::Spared { instances } => {
                    known.spared = Some(instances.iter().cloned().collect());
                }
                _ => {}
            }
        }
        known
    }
}

impl Run<'_> {
    /// Looks after the instances that are on their way out: those whose turn it is are emptied,
    /// those that are empty are let go, the others are held. Returns who was on the way out, and
    /// what went wrong first; that does not keep the others from being looked after.
    ///
    /// With `hurried`, nothing is waited for: the update goes back, or is over.
    pub(super) async fn tend(&mut self, hurried: bool) -> Result<Leaving, PortError> {
        if self.plan.touches.held.is_empty() {
            return Ok(Leaving::default());
        }
        let mut leaving = self.leaving().await?;
        let mut trouble = leaving.trouble.take();
        if trouble.is_none() {
            self.tell_of_lost(&leaving);
        }
        if !leaving.held.is_empty() {
            let now = self.clock.now();
            for one in &leaving.held {
                let since = &mut self.tending.since;
                since.entry(one.instance.clone()).or_insert(now);
            }
            if let Err(error) = self.move_on(&leaving, hurried).await {
                trouble.get_or_insert(error);
            }
        }
        match trouble {
            Some(error) => Err(error),
            None => Ok(leaving),
        }
    }

    /// Looks after the instances that are held; what goes wrong is tried again at the next look.
    pub(in crate::roll) async fn tend_meanwhile(&mut self, hurried: bool) {
        let trouble = self.tend(hurried).await.err();
        self.tell_of_trouble(trouble.as_ref());
    }

    /// Tells what goes wrong with instances that are held, once an hour and not at every look.
    pub(super) fn tell_of_trouble(&mut self, trouble: Option<&PortError>) {
        let Some(error) = trouble.map(ToString::to_string) else {
            self.tending.trouble = None;
            return;
        };
        let now = self.clock.now();
        let mut words = format!("instances on their way out are held: {error}");
        match &self.tending.trouble {
            Some((last, at)) if *last == error => {
                let passed = Duration::try_from(now.duration_since(*at));
                if passed.unwrap_or_default() < TROUBLE_AGAIN {
                    return;
                }
                if let Some(limit) = self.limit_words() {
                    words.push_str(&format!("; {limit}"));
                }
            }
            _ => {}
        }
        self.warn(words);
        self.tending.trouble = Some((error, now));
    }

    /// Empties those who are held and whose turn it is, and lets those go who are empty.
    async fn move_on(&mut self, leaving: &Leaving, hurried: bool) -> Result<(), PortError> {
        let loads = self.loads().await?;
        let due = self.due(leaving, &loads, hurried).await?;
        let mut trouble = None;
        for (cluster, hosts) in &loads {
            let active = |id: &String| {
                let mut hosts = hosts.iter();
                hosts.any(|host| host.instance == *id && !host.is_draining)
            };
            let empties: Vec<String> = due.iter().filter(|id| active(id)).cloned().collect();
            if !empties.is_empty()
                && let Err(error) = self.empty(cluster, &empties).await
            {
                trouble.get_or_insert(error);
            }
        }
        let (mut empty, mut busy) = (Vec::new(), Vec::new());
        for one in leaving.held.iter().cloned() {
            let id = one.instance.as_str();
            let is_due = due.contains(&one.instance);
            let may_go = is_due && is_listed(&loads, id) && is_empty(&loads, id);
            // Always asked: what is listed again is not missing any more.
            let missing = &mut self.tending.missing;
            let is_gone = missing.is_gone(&loads, id, self.base.clock.now());
            if may_go || is_gone {
                empty.push(one);
            } else {
                busy.push(one);
            }
        }
        if let Err(error) = self.let_go(&empty).await {
            trouble.get_or_insert(error);
        }
        self.tell_of_waiting(&busy, &due, &loads);
        trouble.map_or(Ok(()), Err)
    }

    /// Reads what is left on the instances of every cluster.
    ///
    /// # Errors
    /// When it cannot be read, or there is no cluster: nobody could tell what runs on an instance,
    /// and none may be let go.
    pub(super) async fn loads(&self) -> Result<Loads, PortError> {
        if self.plan.clusters.is_empty() {
            let what = format!("the cluster of rack {}", self.plan.rack);
            return Err(PortError::NotFound { what });
        }
        let mut loads = Loads::new();
        for cluster in &self.plan.clusters {
            let hosts = self.rack.services.loads(&cluster.name).await?;
            loads.insert(cluster.name.clone(), hosts);
        }
        Ok(loads)
    }

    /// Decides which instances are to be emptied: the surge is as large as it may be, or all the
    /// new instances are there.
    async fn due(
        &mut self,
        leaving: &Leaving,
        loads: &Loads,
        hurried: bool,
    ) -> Result<Vec<String>, PortError> {
        let held = leaving.held.iter();
        let mut order: Vec<String> = held.map(|one| one.instance.clone()).collect();
        order.sort_by_key(|id| self.tending.since.get(id));
        if hurried {
            return Ok(order);
        }
        let names = self.plan.touches.held.clone();
        let instances = self.rack.fleet.instances(&names, &[]).await?;
        if self.is_complete(leaving, &instances) {
            let now = self.clock.now();
            let since = *self.tending.complete_since.get_or_insert(now);
            let waited = Duration::try_from(now.duration_since(since));
            if have_joined(&instances, loads) || waited.unwrap_or_default() > JOINING {
                return Ok(order);
            }
        } else {
            self.tending.complete_since = None;
        }
        let beside = self.plan.touches.beside;
        let beside = beside.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        order.truncate(order.len().saturating_sub(beside));
        Ok(order)
    }

    /// Tells whether every group has as many new instances in service as it wants, and no other
    /// that stays.
    fn is_complete(&self, leaving: &Leaving, instances: &[Instance]) -> bool {
        let new = self.plan.new_key.as_str();
        leaving.groups.iter().all(|group| {
            let staying = group.members.iter().filter(|member| !member.is_leaving());
            let mut in_service = 0;
            for member in staying {
                let known = instances.iter().find(|it| it.id == member.instance);
                // One that EC2 does not list has gone.
                let Some(known) = known.filter(|it| it.is_live()) else {
                    continue;
                };
                if known.key_name.as_deref() != Some(new) {
                    return false;
                }
                in_service += u32::from(member.lifecycle == "InService");
            }
            in_service >= group.desired
        })
    }

    async fn empty(&mut self, cluster: &str, instances: &[String]) -> Result<(), PortError> {
        self.announce(Effect::EmptyInstances, instances).await?;
        let rack = self.rack.clone();
        rack.services.drain(cluster, instances, true).await?;
        self.confirm(Effect::EmptyInstances, instances).await;
        Ok(())
    }

    /// Lets every one of these go; one that is refused does not keep the others.
    async fn let_go(&mut self, empty: &[Held]) -> Result<(), PortError> {
        if empty.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = empty.iter().map(|one| one.instance.clone()).collect();
        self.announce(Effect::LetInstancesGo, &ids).await?;
        let (mut done, mut failed, mut trouble) = (Vec::new(), BTreeMap::new(), None);
        for one in empty {
            let id = one.instance.clone();
            match self.release(one).await {
                Ok(()) => {
                    self.tending.released.insert(id.clone());
                    done.push(id);
                }
                Err(error) => {
                    failed.insert(id, error.to_string());
                    trouble.get_or_insert(error);
                }
            }
        }
        let effect = Effect::LetInstancesGo;
        self.note(Entry::Answered {
            effect,
            done,
            failed,
        })
        .await;
        trouble.map_or(Ok(()), Err)
    }

    async fn release(&self, one: &Held) -> Result<(), PortError> {
        for hook in &one.hooks {
            let fleet = self.rack.fleet.clone();
            fleet.let_go(&one.group, hook, &one.instance).await?;
        }
        Ok(())
    }

    /// Writes down what is about to be done to instances. Nothing is done that is not written.
    pub(super) async fn announce(
        &mut self,
        effect: Effect,
        instances: &[String],
    ) -> Result<(), PortError> {
        let instances = instances.to_vec();
        if effect == Effect::EmptyInstances {
            self.tending.emptied.extend(instances.iter().cloned());
        }
        let entry = Entry::Asked { effect, instances };
        self.record(entry)
            .await
            .map_err(|error| PortError::Unanswered {
                api: "journal",
                message: error.to_string(),
            })
    }

    pub(super) async fn confirm(&mut self, effect: Effect, instances: &[String]) {
        let (done, failed) = (instances.to_vec(), BTreeMap::new());
        self.note(Entry::Answered {
            effect,
            done,
            failed,
        })
        .await;
    }
}
