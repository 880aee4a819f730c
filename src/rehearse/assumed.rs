//! What a rehearsal leaves out of a rack, and which of its answers that makes doubtful.

use super::Rehearsal;
use super::forecast::ServiceForecast;
use super::template::cluster_of;
use crate::rack::{Cluster, ClusterService};
use crate::roll::SurveyedGroup;

/// Says what a service's load balancers have that the copy has not.
fn behind(cluster: &Cluster, service: &ClusterService) -> Option<String> {
    let health = cluster.health_of(service)?;
    let name = &service.name;
    if !health.classic.is_empty() {
        return Some(format!(
            "service {name} is behind classic load balancer {}, whose checks are not rehearsed",
            health.classic.join(", ")
        ));
    }
    let (healthy, all) = health.healthy.zip(health.targets)?;
    (healthy < all).then(|| {
        format!(
            "service {name} has {healthy} of {all} healthy behind its load balancer before the roll, \
             and all in the copy"
        )
    })
}

impl Rehearsal {
    /// Says what is not rehearsed although the roll may depend on it.
    pub(super) fn left_out(&self, services: &[ServiceForecast]) -> Vec<String> {
        let mut all = Vec::new();
        for fleet in &self.survey.spot_fleets {
            all.push(format!(
                "spot fleet {fleet} is not rehearsed: services are taken to be on the instances of \
                 the groups alone"
            ));
        }
        for cluster in &self.survey.clusters {
            all.extend(self.doubts(cluster));
        }
        for cluster in &self.survey.clusters {
            let services = cluster.services.iter();
            all.extend(services.flat_map(|service| behind(cluster, service)));
        }
        for service in services {
            if service.running < service.minimum {
                all.push(format!(
                    "service {} has {} of {} running before the roll, fewer than its minimum: what \
                     it lacks then is not counted as the roll's",
                    service.name, service.running, service.desired
                ));
            } else if service.copied < service.running {
                all.push(format!(
                    "service {} has {} running on the rack, and {} found room in the copy",
                    service.name, service.running, service.copied
                ));
            }
        }
        all
    }

    /// Tells whether the rehearsal has in it all that may befall the services of a cluster.
    pub(super) fn is_known(&self, cluster: &Cluster) -> bool {
        self.survey.spot_fleets.is_empty() && self.doubts(cluster).is_empty()
    }

    /// Says of a cluster why nobody knows from a rehearsal what happens to its services.
    pub(super) fn doubts(&self, cluster: &Cluster) -> Vec<String> {
        let name = &cluster.name;
        let mut doubts: Vec<String> = cluster
            .unread
            .iter()
            .map(|what| format!("cluster {name} could not be read as a whole: {what}"))
            .collect();
        if cluster.managed_draining == Some(true) {
            doubts.push(format!(
                "ECS itself drains the instances of cluster {name} (managed draining), which is not \
                 rehearsed"
            ));
        }
        for words in &cluster.health_unread {
            doubts.push(format!(
                "how services of cluster {name} stand behind their load balancers could not be read \
                 as a whole: {words}"
            ));
        }
        let is_own = |group: &&SurveyedGroup| cluster_of(&self.survey, group) == Some(name);
        for group in self.survey.groups.iter().filter(is_own) {
            let mut hooks = group.hooks.iter();
            let unhandled = hooks.find(|hook| hook.is_terminating && !hook.is_handled);
            doubts.extend(unhandled.map(|hook| {
                format!(
                    "hook {} of {} has no notification target: whoever empties an instance then is \
                     not rehearsed",
                    hook.name, group.plan.logical_id
                )
            }));
            let others = group.hooks.iter().find(|hook| {
                let is_heard = hook.notifies_one_of(&self.survey.listeners);
                hook.is_terminating && hook.is_handled && !is_heard
            });
            doubts.extend(others.map(|hook| {
                format!(
                    "hook {} of {} notifies {}, which is not of the rack's stack: that it empties \
                     instances is assumed",
                    hook.name,
                    group.plan.logical_id,
                    hook.target.as_deref().unwrap_or("somebody")
                )
            }));
        }
        let others = cluster.hosts.iter().filter(|host| {
            let mut groups = self.survey.groups.iter();
            let is_in = |group: &SurveyedGroup| {
                let mut members = group.group.members.iter();
                members.any(|member| member.instance == host.instance)
            };
            !groups.any(is_in)
        });
        let others = others.count();
        if others > 0 {
            doubts.push(format!(
                "{others} of the {} instances of cluster {name} are in no group that rolls: tasks \
                 are taken to be on the others",
                cluster.hosts.len()
            ));
        }
        doubts
    }
}
