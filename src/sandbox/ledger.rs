//! Counts over time: what a rehearsal asks of an account afterwards.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::autoscaling::Lifecycle;
use super::ec2::Owner;
use super::world::World;

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counted {
    /// The tasks of a service that run, that have passed the checks of their load balancers and that
    /// nobody has asked to stop, by the service's name.
    Service(String),
    /// The members of a group that are in service, by the group's name.
    InService(String),
    /// The instances of all groups that have not begun to shut down.
    Instances,
}

/// Counts as they changed.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    counts: BTreeMap<Counted, Vec<(Timestamp, u64)>>,
}

impl Ledger {
    /// Returns what a count was at which times; it stays until the next.
    #[must_use]
    pub fn points(&self, of: &Counted) -> &[(Timestamp, u64)] {
        self.counts.get(of).map_or(&[], Vec::as_slice)
    }

    /// Goes through everything that was counted.
    pub fn all(&self) -> impl Iterator<Item = (&Counted, &[(Timestamp, u64)])> {
        self.counts
            .iter()
            .map(|(counted, points)| (counted, points.as_slice()))
    }

    fn note(&mut self, world: &World) {
        let mut seen = BTreeSet::new();
        for (counted, count) in counts(world) {
            let points = self.counts.entry(counted.clone()).or_default();
            if points.last().is_none_or(|(_, last)| *last != count) {
                points.push((world.now, count));
            }
            seen.insert(counted);
        }
        for (counted, points) in &mut self.counts {
            let is_gone = !seen.contains(counted);
            if is_gone && points.last().is_some_and(|(_, last)| *last != 0) {
                points.push((world.now, 0));
            }
        }
    }
}

impl World {
    /// Begins to count, from now on.
    pub fn keep_ledger(&mut self) {
        let mut ledger = Ledger::default();
        ledger.note(self);
        self.ledger = Some(Box::new(ledger));
    }

    /// Returns the counts so far, if they are kept.
    #[must_use]
    pub fn ledger(&self) -> Option<&Ledger> {
        self.ledger.as_deref()
    }

    pub(super) fn note_counts(&mut self) {
        if let Some(mut ledger) = self.ledger.take() {
            ledger.note(self);
            self.ledger = Some(ledger);
        }
    }
}

fn counts(world: &World) -> Vec<(Counted, u64)> {
    let mut counts = Vec::new();
    for cluster in world.ecs.clusters() {
        for service in cluster.services.values() {
            let tasks = service.tasks.iter().filter_map(|id| cluster.tasks.get(id));
            let healthy = tasks.filter(|task| task.is_healthy());
            counts.push((Counted::Service(service.name.clone()), number(healthy)));
        }
    }
    for group in world.autoscaling.groups() {
        let serving = group.members();
        let serving = serving.filter(|member| member.lifecycle == Lifecycle::InService);
        counts.push((Counted::InService(group.name.clone()), number(serving)));
    }
    let paid = world.live_instances();
    let paid = paid.filter(|instance| instance.reason.is_none());
    let paid = paid.filter(|instance| matches!(instance.owner, Owner::Group(_)));
    counts.push((Counted::Instances, number(paid)));
    counts
}

fn number<T>(things: impl Iterator<Item = T>) -> u64 {
    u64::try_from(things.count()).unwrap_or(u64::MAX)
}
