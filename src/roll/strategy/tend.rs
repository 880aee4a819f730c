//! Holds instances on their way out until their tasks run elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use super::hooks;
use crate::rack::{Cluster, ClusterHost, Group, Instance, PortError};
use crate::roll::journal::{Effect, Entry};
use crate::roll::run::Run;

/// Between two heartbeats for an instance that is held.
const BETWEEN_BEATS: Duration = Duration::from_secs(600);
/// How long new instances are waited for to join their cluster before old ones are emptied all
/// the same.
const JOINING: Duration = Duration::from_secs(900);
/// After this long, that an instance is still held is told.
const LONG: Duration = Duration::from_secs(1800);

/// What is known of the instances that are held.
#[derive(Debug, Default)]
pub(in crate::roll) struct Tending {
    /// Since when each is held, as far as was seen.
    since: BTreeMap<String, Timestamp>,
    /// When each had its last heartbeat.
    beats: BTreeMap<String, Timestamp>,
    /// Those of which it was told that they take long.
    told: BTreeSet<String>,
}

/// An instance that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Held {
    group: String,
    instance: String,
}

impl Run<'_> {
    /// Looks after the instances that are on their way out: those whose turn it is are emptied,
    /// those that are empty are let go, the others are held. Returns how many are still there.
    ///
    /// With `hurried`, nothing is waited for: the update goes back, or is over.
    pub(in crate::roll) async fn tend(&mut self, hurried: bool) -> Result<usize, PortError> {
        let names = self.plan.touches.held.clone();
        if names.is_empty() {
            return Ok(0);
        }
        let rack = self.rack.clone();
        if self.plan.clusters.is_empty() {
            // Nobody could tell what runs on an instance: none may be let go.
            let what = format!("the cluster of rack {}", self.plan.rack);
            return Err(PortError::NotFound { what });
        }
        let groups = rack.fleet.groups(&names).await?;
        let (held, coming) = on_the_way_out(&groups);
        if held.is_empty() {
            return Ok(coming);
        }
        let now = self.clock.now();
        for one in &held {
            let since = &mut self.tending.since;
            since.entry(one.instance.clone()).or_insert(now);
        }
        let mut clusters = Vec::new();
        for cluster in &self.plan.clusters {
            clusters.push(rack.services.cluster(&cluster.name).await?);
        }
        let due = self.due(&held, &clusters, hurried).await?;
        for cluster in &clusters {
            let active = |id: &String| host_of(cluster, id).is_some_and(|host| !host.is_draining);
            let empties: Vec<String> = due.iter().filter(|id| active(id)).cloned().collect();
            if !empties.is_empty() {
                self.empty(&cluster.name, &empties).await?;
            }
        }
        let empty = held.iter().filter(|one| is_empty(&clusters, one, &due));
        let empty: Vec<Held> = empty.cloned().collect();
        let ours = self.hooks_of(&held).await?;
        self.let_go(&empty, &ours).await?;
        for one in held.iter().filter(|one| !empty.contains(one)) {
            self.beat(one, &ours).await?;
            self.tell_of(one);
        }
        Ok(held.len() + coming)
    }

    /// Decides which instances are to be emptied: the surge is as large as it may be, or all the
    /// new instances are there.
    async fn due(
        &self,
        held: &[Held],
        clusters: &[Cluster],
        hurried: bool,
    ) -> Result<Vec<String>, PortError> {
        let mut order: Vec<&str> = held.iter().map(|one| one.instance.as_str()).collect();
        order.sort_by_key(|id| self.tending.since.get(*id));
        let take = |count: usize| {
            order
                .iter()
                .take(count)
                .map(|id| (*id).to_owned())
                .collect()
        };
        if hurried {
            return Ok(take(order.len()));
        }
        let names = &self.plan.touches.held;
        let instances = self.rack.fleet.instances(names, &[]).await?;
        if self.all_are_new(&instances) {
            let first = order.first().and_then(|id| self.tending.since.get(*id));
            let waited = first.map(|since| self.clock.now().duration_since(*since));
            let waited = waited.and_then(|waited| Duration::try_from(waited).ok());
            if have_joined(&instances, clusters) || waited.unwrap_or_default() > JOINING {
                return Ok(take(order.len()));
            }
        }
        let beside = self.plan.touches.beside;
        let beside = beside.map_or(usize::MAX, |most| {
            usize::try_from(most).unwrap_or(usize::MAX)
        });
        Ok(take(order.len().saturating_sub(beside)))
    }

    fn all_are_new(&self, instances: &[Instance]) -> bool {
        let mut staying = instances
            .iter()
            .filter(|instance| instance.is_live() && !instance.is_leaving());
        staying.all(|instance| instance.key_name.as_deref() == Some(self.plan.new_key.as_str()))
    }

    async fn empty(&mut self, cluster: &str, instances: &[String]) -> Result<(), PortError> {
        self.announce(Effect::EmptyInstances, instances).await?;
        let rack = self.rack.clone();
        rack.services.drain(cluster, instances, true).await?;
        self.confirm(Effect::EmptyInstances, instances).await;
        Ok(())
    }

    async fn let_go(
        &mut self,
        empty: &[Held],
        ours: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), PortError> {
        if empty.is_empty() {
            return Ok(());
        }
        let ids: Vec<String> = empty.iter().map(|one| one.instance.clone()).collect();
        self.announce(Effect::LetInstancesGo, &ids).await?;
        for one in empty {
            for hook in ours.get(&one.group).into_iter().flatten() {
                let fleet = self.rack.fleet.clone();
                fleet.let_go(&one.group, hook, &one.instance).await?;
            }
        }
        self.confirm(Effect::LetInstancesGo, &ids).await;
        Ok(())
    }

    /// Has the hooks hold an instance for longer, now and then.
    async fn beat(
        &mut self,
        one: &Held,
        ours: &BTreeMap<String, Vec<String>>,
    ) -> Result<(), PortError> {
        let now = self.clock.now();
        if let Some(last) = self.tending.beats.get(&one.instance) {
            let passed = Duration::try_from(now.duration_since(*last));
            if passed.unwrap_or_default() < BETWEEN_BEATS {
                return Ok(());
            }
        }
        for hook in ours.get(&one.group).into_iter().flatten() {
            let fleet = self.rack.fleet.clone();
            fleet.hold(&one.group, hook, &one.instance).await?;
        }
        self.tending.beats.insert(one.instance.clone(), now);
        Ok(())
    }

    fn tell_of(&mut self, one: &Held) {
        let Some(since) = self.tending.since.get(&one.instance) else {
            return;
        };
        let passed = Duration::try_from(self.clock.now().duration_since(*since));
        if passed.unwrap_or_default() > LONG && self.tending.told.insert(one.instance.clone()) {
            self.warn(format!(
                "{} is held until its tasks run elsewhere, which takes long",
                one.instance
            ));
        }
    }

    async fn hooks_of(&self, held: &[Held]) -> Result<BTreeMap<String, Vec<String>>, PortError> {
        let mut ours = BTreeMap::new();
        for one in held {
            if !ours.contains_key(&one.group) {
                let found = self.rack.fleet.hooks(&one.group).await?;
                let found = found.into_iter().filter(hooks::is_ours);
                ours.insert(one.group.clone(), found.map(|hook| hook.name).collect());
            }
        }
        Ok(ours)
    }

    /// Writes down what is about to be done to instances. Nothing is done that is not written.
    pub(super) async fn announce(
        &mut self,
        effect: Effect,
        instances: &[String],
    ) -> Result<(), PortError> {
        let instances = instances.to_vec();
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

/// Lists the members that hooks hold on their way out, and counts those that come to that.
fn on_the_way_out(groups: &[Group]) -> (Vec<Held>, usize) {
    let mut held = Vec::new();
    let mut coming = 0;
    for group in groups {
        for member in &group.members {
            match member.lifecycle.as_str() {
                "Terminating:Wait" => held.push(Held {
                    group: group.name.clone(),
                    instance: member.instance.clone(),
                }),
                "Terminating" => coming += 1,
                _ => {}
            }
        }
    }
    (held, coming)
}

fn host_of<'a>(cluster: &'a Cluster, instance: &str) -> Option<&'a ClusterHost> {
    let mut hosts = cluster.hosts.iter();
    hosts.find(|host| host.instance == instance)
}

/// Tells whether every instance that stays has joined the cluster that others of its group are in.
fn have_joined(instances: &[Instance], clusters: &[Cluster]) -> bool {
    clusters.iter().all(|cluster| {
        let is_in = |instance: &&Instance| host_of(cluster, &instance.id).is_some();
        let owners: BTreeSet<&str> = instances
            .iter()
            .filter(is_in)
            .filter_map(|instance| instance.owner.as_deref())
            .collect();
        let mut staying = instances
            .iter()
            .filter(|instance| instance.is_live() && !instance.is_leaving())
            .filter(|instance| {
                let owner = instance.owner.as_deref();
                owner.is_some_and(|owner| owners.contains(owner))
            });
        staying.all(|instance| host_of(cluster, &instance.id).is_some())
    })
}

/// Tells whether no task is left on an instance whose turn it is, other than those that belong to
/// no service, which nothing can move.
fn is_empty(clusters: &[Cluster], one: &Held, due: &[String]) -> bool {
    if !due.contains(&one.instance) {
        return clusters
            .iter()
            .all(|cluster| host_of(cluster, &one.instance).is_none());
    }
    clusters
        .iter()
        .all(|cluster| is_empty_in(cluster, &one.instance))
}

/// Tells the same of one cluster; an instance that is not draining may be given tasks any time.
pub(super) fn is_empty_in(cluster: &Cluster, instance: &str) -> bool {
    let Some(host) = host_of(cluster, instance) else {
        return true;
    };
    let alone = cluster
        .tasks
        .iter()
        .filter(|task| task.service.is_none() && task.instance.as_deref() == Some(instance));
    let alone = u32::try_from(alone.count()).unwrap_or(u32::MAX);
    host.is_draining && host.tasks <= alone
}
