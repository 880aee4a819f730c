//! Takes away what a group has too much of, one instance at a time.
//!
//! CloudFormation gives a group its count back in one go, and the group would terminate all
//! surplus instances at once, whatever runs on them. Its new instances are protected from scale-in
//! instead; then each surplus one is emptied before it loses the protection, so that the group
//! has only that one to choose.

use std::time::Duration;

use super::tend::is_empty_in;
use crate::rack::{Cluster, Group, Instance, PortError};
use crate::roll::journal::Effect;
use crate::roll::run::{Run, Trouble};

/// How long an instance may take to be emptied.
const EMPTYING: Duration = Duration::from_secs(3600);
/// How long a group may take to notice that it may take an instance away.
const NOTICING: Duration = Duration::from_secs(900);
/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Shrinks the groups that have more instances than they want.
    pub(super) async fn shrink(&mut self) -> Result<(), Trouble> {
        for group in self.plan.touches.protected.clone() {
            while let Some(victim) = self.choose_surplus(&group).await? {
                self.empty_and_wait(&victim).await?;
                self.hand_over(&group, &victim).await?;
            }
        }
        Ok(())
    }

    /// Chooses the surplus instance with the fewest tasks; one that is being emptied first.
    async fn choose_surplus(&mut self, group: &str) -> Result<Option<String>, PortError> {
        let Some(found) = self.group(group).await? else {
            return Ok(None);
        };
        let staying = found.members.iter().filter(|member| !member.is_leaving());
        let staying: Vec<_> = staying.collect();
        let surplus = staying.len() > usize::try_from(found.desired).unwrap_or(usize::MAX);
        if !surplus {
            return Ok(None);
        }
        let clusters = self.read_clusters().await?;
        let tasks = |instance: &str| -> (bool, u32) {
            let hosts = clusters.iter().flat_map(|cluster| &cluster.hosts);
            let mut hosts = hosts.filter(|host| host.instance == instance);
            let host = hosts.next();
            (
                host.is_none_or(|host| !host.is_draining),
                host.map_or(0, |host| host.tasks),
            )
        };
        let victims = staying.iter().filter(|member| member.protected);
        let victim = victims.min_by_key(|member| tasks(&member.instance));
        Ok(victim.map(|member| member.instance.clone()))
    }

    async fn empty_and_wait(&mut self, victim: &str) -> Result<(), Trouble> {
        let began = self.clock.now();
        let ids = vec![victim.to_owned()];
        let mut asked = false;
        loop {
            let clusters = self.read_clusters().await?;
            if clusters.iter().all(|cluster| is_empty_in(cluster, victim)) {
                return Ok(());
            }
            if !asked {
                asked = true;
                self.announce(Effect::EmptyInstances, &ids).await?;
                for cluster in &clusters {
                    let name = &cluster.name;
                    self.patiently(async |rack| rack.services.drain(name, &ids, true).await)
                        .await?;
                }
                self.confirm(Effect::EmptyInstances, &ids).await;
            }
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > EMPTYING {
                let why = format!("the tasks of {victim} do not come up elsewhere");
                return Err(Trouble::new(why).hint("make room for them in the cluster"));
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
    }

    /// Lets the group take an instance away, and waits until it does.
    async fn hand_over(&mut self, group: &str, victim: &str) -> Result<(), Trouble> {
        let ids = vec![victim.to_owned()];
        self.announce(Effect::LetInstancesGo, &ids).await?;
        self.patiently(async |rack| rack.fleet.protect(group, &ids, false).await)
            .await?;
        self.confirm(Effect::LetInstancesGo, &ids).await;
        let began = self.clock.now();
        loop {
            let found = self.group(group).await?;
            let stays = found.is_some_and(|group| {
                let mut members = group.members.iter();
                members.any(|member| member.instance == victim && !member.is_leaving())
            });
            if !stays {
                return Ok(());
            }
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > NOTICING {
                let why = format!("group {group} does not take {victim} away");
                return Err(Trouble::new(why).hint("look at the group's activities"));
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
    }

    /// Takes the protection from what was started since the roll began. What somebody had
    /// protected before stays so.
    pub(super) async fn unprotect(&mut self, group: &str) -> Result<(), PortError> {
        self.patiently(async |rack| rack.fleet.protect_new(group, false).await)
            .await?;
        let Some(found) = self.group(group).await? else {
            return Ok(());
        };
        let names = vec![group.to_owned()];
        let instances = self
            .patiently(async |rack| rack.fleet.instances(&names, &[]).await)
            .await?;
        let began = self.plan.roll.made_at();
        let is_new = |id: &str| {
            let is_it = |instance: &&Instance| instance.id == id;
            let launched = instances.iter().find(is_it).and_then(|it| it.launched_at);
            launched.is_none_or(|at| at >= began)
        };
        let members = found.members.iter();
        let ours: Vec<String> = members
            .filter(|member| member.protected && !member.is_leaving() && is_new(&member.instance))
            .map(|member| member.instance.clone())
            .collect();
        if ours.is_empty() {
            return Ok(());
        }
        self.patiently(async |rack| rack.fleet.protect(group, &ours, false).await)
            .await
    }

    async fn group(&mut self, name: &str) -> Result<Option<Group>, PortError> {
        let names = vec![name.to_owned()];
        let found = self
            .patiently(async |rack| rack.fleet.groups(&names).await)
            .await?;
        Ok(found.into_iter().next())
    }

    async fn read_clusters(&mut self) -> Result<Vec<Cluster>, PortError> {
        let mut clusters = Vec::new();
        for cluster in self.plan.clusters.clone() {
            let name = cluster.name;
            let read = self
                .patiently(async |rack| rack.services.cluster(&name).await)
                .await?;
            clusters.push(read);
        }
        Ok(clusters)
    }
}
