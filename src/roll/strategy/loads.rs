//! What is left on the instances of the rack's clusters, and what of that is believed.
//!
//! An instance that a cluster does not list may have left it, and one answer of ECS may simply lack
//! it. So the lack of an instance counts for nothing by itself: it is gone when several looks in a
//! row, some time apart, find it in no cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

use crate::rack::{HostLoad, Instance};

/// How long no cluster lists an instance before that is believed.
const MISSING_FOR: Duration = Duration::from_secs(10);

/// What is left on the instances of a cluster, by the cluster's name.
pub(super) type Loads = BTreeMap<String, Vec<HostLoad>>;

/// Since when instances are in no cluster.
#[derive(Debug, Default)]
pub(super) struct Missing(BTreeMap<String, Timestamp>);

impl Missing {
    /// Tells whether an instance is in no cluster any more, which takes more than one look.
    pub(super) fn is_gone(&mut self, loads: &Loads, instance: &str, now: Timestamp) -> bool {
        if is_listed(loads, instance) {
            self.0.remove(instance);
            return false;
        }
        let since = *self.0.entry(instance.to_owned()).or_insert(now);
        let passed = Duration::try_from(now.duration_since(since));
        passed.unwrap_or_default() >= MISSING_FOR
    }
}

/// Tells whether a cluster has an instance.
pub(super) fn is_listed(loads: &Loads, instance: &str) -> bool {
    hosts_of(loads, instance).next().is_some()
}

/// Tells whether no task of a service is left on an instance that is in a cluster, and none can
/// come: one that is not draining may be given tasks any time. Tasks that belong to no service
/// count for nothing, since nothing can move them.
pub(super) fn is_empty(loads: &Loads, instance: &str) -> bool {
    let mut hosts = hosts_of(loads, instance);
    hosts.all(|host| host.is_draining && host.tasks == 0)
}

/// Returns what the clusters that have an instance say of it.
pub(super) fn hosts_of<'a>(loads: &'a Loads, instance: &str) -> impl Iterator<Item = &'a HostLoad> {
    let hosts = loads.values().flatten();
    hosts.filter(move |host| host.instance == instance)
}

/// Tells whether every instance that stays has joined the cluster that others of its group are in.
pub(super) fn have_joined(instances: &[Instance], loads: &Loads) -> bool {
    loads.values().all(|hosts| {
        let is_in = |instance: &&Instance| hosts.iter().any(|host| host.instance == instance.id);
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
        staying.all(|instance| is_in(&instance))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_795_000_000 + secs).unwrap()
    }

    fn loads(hosts: &[(&str, bool, u32)]) -> Loads {
        let host = |(instance, is_draining, tasks): &(&str, bool, u32)| HostLoad {
            instance: (*instance).to_owned(),
            is_draining: *is_draining,
            tasks: *tasks,
            services: Vec::new(),
            alone: 0,
        };
        Loads::from([("c".to_owned(), hosts.iter().map(host).collect())])
    }

    #[test]
    fn the_lack_of_an_instance_is_believed_only_when_it_lasts() {
        let (with, without) = (loads(&[("i-1", true, 1)]), loads(&[("i-2", true, 0)]));
        let mut missing = Missing::default();
        assert!(!missing.is_gone(&without, "i-1", at(0)));
        assert!(!missing.is_gone(&with, "i-1", at(5)));
        // It begins anew whenever the instance is seen.
        assert!(!missing.is_gone(&without, "i-1", at(12)));
        assert!(!missing.is_gone(&without, "i-1", at(17)));
        assert!(missing.is_gone(&without, "i-1", at(22)));
        assert!(!missing.is_gone(&with, "i-1", at(23)));
    }

    #[test]
    fn an_instance_is_empty_when_nothing_is_left_and_nothing_can_come() {
        for (host, empty) in [
            (("i-1", true, 0), true),
            (("i-1", true, 1), false),
            (("i-1", false, 0), false),
        ] {
            assert_eq!(is_empty(&loads(&[host]), "i-1"), empty, "{host:?}");
        }
    }
}
