//! Takes away what a group has too much of, one instance at a time.
//!
//! CloudFormation gives a group its count back in one go, and the group would terminate all
//! surplus instances at once, whatever runs on them. Its new instances are protected from scale-in
//! instead; then each surplus one is emptied before it loses the protection, so that the group
//! has only that one to choose.

use std::time::Duration;

use super::loads::{Loads, is_empty, is_listed};
use crate::rack::{Group, Instance, PortError};
use crate::roll::journal::{Effect, Entry};
use crate::roll::run::{Run, Trouble};

/// How long an instance may take to be emptied.
const EMPTYING: Duration = Duration::from_secs(3600);
/// How long a group may take to notice that it may take an instance away.
const NOTICING: Duration = Duration::from_secs(900);
/// Between two looks.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// Why a group is not shrunk one instance at a time.
enum Unshrunk {
    /// It may not be done.
    Refused(PortError),
    /// It cannot be done now.
    Trouble(Trouble),
}

impl From<PortError> for Unshrunk {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Denied { .. }
            | PortError::Rejected { .. }
            | PortError::NotFound { .. }
            | PortError::LimitExceeded { .. } => Self::Refused(error),
            error => Self::Trouble(error.into()),
        }
    }
}

impl From<Trouble> for Unshrunk {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl Run<'_> {
    /// Protects the new instances of the groups that will have too many. Where that is refused, the
    /// roll is what it would be without: nobody is worse off than before.
    pub(super) async fn hold_surplus(&mut self) -> Result<(), Trouble> {
        let groups = self.plan.touches.protected.clone();
        if groups.is_empty() {
            return Ok(());
        }
        // A roll that is resumed cannot tell its own protection from another's by looking.
        if !self.resumed {
            let mut spared = Vec::new();
            for name in &groups {
                let found = self.group(name).await?;
                let members = found.into_iter().flat_map(|group| group.members);
                let protected = members.filter(|member| member.protected);
                spared.extend(protected.map(|member| member.instance));
            }
            self.tending.spared = Some(spared.iter().cloned().collect());
            self.record(Entry::Spared { instances: spared }).await?;
        }
        for group in groups {
            let (asked, is_sure) = match self.prove_shrinking(&group).await {
                Ok(()) => {
                    let asked = self
                        .patiently(async |rack| rack.fleet.protect_new(&group, true).await)
                        .await;
                    let is_sure = asked.as_ref().is_err_and(|error| !error.is_transient());
                    (asked, is_sure)
                }
                refused => (refused, true),
            };
            if let Err(error) = asked {
                self.warn(format!(
                    "the surplus of {group} cannot be held at the end: {error}"
                ));
            }
            if is_sure {
                self.plan.touches.protected.retain(|name| *name != group);
            }
        }
        Ok(())
    }

    /// Looks whether everything may be done that shrinking a group takes, by calls that change
    /// nothing: an instance is set to `ACTIVE` that is, and one not protected that is not.
    async fn prove_shrinking(&mut self, name: &str) -> Result<(), PortError> {
        self.prove_draining().await?;
        let Some(group) = self.group(name).await? else {
            return Ok(());
        };
        let mut members = group.members.into_iter();
        let bare = members.find(|it| it.lifecycle == "InService" && !it.protected);
        let Some(bare) = bare else {
            return Ok(());
        };
        let one = vec![bare.instance];
        self.patiently(async |rack| rack.fleet.protect(name, &one, false).await)
            .await
    }

    /// Shrinks the groups that have more instances than they want.
    pub(super) async fn shrink(&mut self) -> Result<(), Trouble> {
        for group in self.plan.touches.protected.clone() {
            match self.shrink_group(&group).await {
                Ok(()) => {}
                Err(Unshrunk::Trouble(trouble)) => return Err(trouble),
                // The protection is ended all the same: no group may be left so for good.
                Err(Unshrunk::Refused(error)) => self.warn(format!(
                    "the surplus of {group} is left to Auto Scaling: {error}"
                )),
            }
        }
        Ok(())
    }

    async fn shrink_group(&mut self, group: &str) -> Result<(), Unshrunk> {
        while let Some(victim) = self.choose_surplus(group).await? {
            if self.empty_and_wait(group, &victim).await? {
                self.hand_over(group, &victim).await?;
            }
        }
        Ok(())
    }

    /// Chooses the surplus instance with the fewest tasks; one that is being emptied first.
    async fn choose_surplus(&mut self, group: &str) -> Result<Option<String>, PortError> {
        let Some(found) = self.group(group).await?.filter(has_surplus) else {
            return Ok(None);
        };
        let loads = self.read_loads().await?;
        let tasks = |instance: &str| -> (bool, u32) {
            let mut hosts = loads.values().flatten();
            let host = hosts.find(|host| host.instance == instance);
            (
                host.is_none_or(|host| !host.is_draining),
                host.map_or(0, |host| host.tasks + host.alone),
            )
        };
        let victims = self.protected_by_us(&found).await?;
        Ok(victims.into_iter().min_by_key(|victim| tasks(victim)))
    }

    /// Has a surplus instance emptied, and waits for it; `false` when the group wants it after all.
    async fn empty_and_wait(&mut self, group: &str, victim: &str) -> Result<bool, Unshrunk> {
        let began = self.clock.now();
        let ids = vec![victim.to_owned()];
        let mut asked = false;
        loop {
            let loads = self.read_loads().await?;
            let now = self.clock.now();
            let is_gone = self.tending.missing.is_gone(&loads, victim, now);
            if is_gone || is_listed(&loads, victim) && is_empty(&loads, victim) {
                return Ok(true);
            }
            if !self.group(group).await?.is_some_and(|it| has_surplus(&it)) {
                self.keep(group, victim).await?;
                return Ok(false);
            }
            if !asked && is_listed(&loads, victim) {
                asked = true;
                self.announce(Effect::EmptyInstances, &ids).await?;
                for name in loads.keys() {
                    self.patiently(async |rack| rack.services.drain(name, &ids, true).await)
                        .await?;
                }
                self.confirm(Effect::EmptyInstances, &ids).await;
            }
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > EMPTYING {
                let why = format!("the tasks of {victim} do not come up elsewhere");
                let trouble = Trouble::new(why);
                return Err(trouble.hint("make room for them in the cluster").into());
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
    }

    /// Lets the group take an instance away, and waits until it does, or wants it after all.
    async fn hand_over(&mut self, group: &str, victim: &str) -> Result<(), Unshrunk> {
        let ids = vec![victim.to_owned()];
        self.announce(Effect::LetInstancesGo, &ids).await?;
        self.patiently(async |rack| rack.fleet.protect(group, &ids, false).await)
            .await?;
        self.confirm(Effect::LetInstancesGo, &ids).await;
        let began = self.clock.now();
        loop {
            let Some(found) = self.group(group).await? else {
                return Ok(());
            };
            let mut members = found.members.iter();
            if !members.any(|member| member.instance == victim && !member.is_leaving()) {
                return Ok(());
            }
            if !has_surplus(&found) {
                self.keep(group, victim).await?;
                return Ok(());
            }
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() > NOTICING {
                let why = format!("group {group} does not take {victim} away");
                let trouble = Trouble::new(why);
                return Err(trouble.hint("look at the group's activities").into());
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
    }

    /// Keeps an instance that was to go: the group has come to want as many as it has.
    async fn keep(&mut self, group: &str, victim: &str) -> Result<(), PortError> {
        let ids = vec![victim.to_owned()];
        self.announce(Effect::KeepInstances, &ids).await?;
        self.patiently(async |rack| rack.fleet.protect(group, &ids, true).await)
            .await?;
        self.fill(&ids).await?;
        self.confirm(Effect::KeepInstances, &ids).await;
        Ok(())
    }

    /// Has every cluster give instances tasks again.
    async fn fill(&mut self, ids: &[String]) -> Result<(), PortError> {
        for cluster in self.plan.clusters.clone() {
            let name = cluster.name;
            self.patiently(async |rack| rack.services.drain(&name, ids, false).await)
                .await?;
        }
        Ok(())
    }

    /// Takes the protection from what got it by the roll, and has those that stay take tasks again.
    pub(super) async fn end_protection(&mut self, group: &str) -> Result<(), PortError> {
        self.patiently(async |rack| rack.fleet.protect_new(group, false).await)
            .await?;
        let Some(found) = self.group(group).await? else {
            return Ok(());
        };
        let ours = self.protected_by_us(&found).await?;
        let filled = self.fill_again(&found, &ours).await;
        if !ours.is_empty() {
            self.patiently(async |rack| rack.fleet.protect(group, &ours, false).await)
                .await?;
        }
        filled
    }

    /// Gives tasks again to members that stay although they were being emptied for the roll.
    async fn fill_again(&mut self, found: &Group, ours: &[String]) -> Result<(), PortError> {
        let members = found.members.iter().filter(|member| !member.is_leaving());
        let members = members.map(|member| &member.instance);
        let emptied = &self.tending.emptied;
        let left = members.filter(|id| emptied.contains(*id) || ours.contains(id));
        let left: Vec<String> = left.cloned().collect();
        if left.is_empty() {
            return Ok(());
        }
        let loads = self.read_loads().await?;
        let is_draining = |id: &String| {
            let mut hosts = loads.values().flatten();
            hosts.any(|host| host.instance == *id && host.is_draining)
        };
        let left: Vec<String> = left.into_iter().filter(is_draining).collect();
        if left.is_empty() {
            return Ok(());
        }
        self.fill(&left).await
    }

    /// Lists the members that stay and are protected by the roll's doing: not those that were
    /// before, as the journal says. Without a journal it is those that were started since the roll
    /// made its key pair, both by EC2's clock.
    async fn protected_by_us(&mut self, group: &Group) -> Result<Vec<String>, PortError> {
        let members = group.members.iter();
        let protected = members.filter(|member| member.protected && !member.is_leaving());
        let protected: Vec<String> = protected.map(|member| member.instance.clone()).collect();
        if let Some(spared) = &self.tending.spared {
            let ours = protected.into_iter().filter(|id| !spared.contains(id));
            return Ok(ours.collect());
        }
        if protected.is_empty() {
            return Ok(protected);
        }
        let key = self.plan.new_key.clone();
        let pair = self
            .patiently(async |rack| rack.key_pairs.find(&key).await)
            .await?;
        let began = pair.and_then(|pair| pair.created_at);
        let began = began.unwrap_or_else(|| self.plan.roll.made_at());
        let names = vec![group.name.clone()];
        let instances = self
            .patiently(async |rack| rack.fleet.instances(&names, &[]).await)
            .await?;
        let is_new = |id: &String| {
            let is_it = |instance: &&Instance| instance.id == *id;
            let launched = instances.iter().find(is_it).and_then(|it| it.launched_at);
            launched.is_none_or(|at| at >= began)
        };
        Ok(protected.into_iter().filter(is_new).collect())
    }

    async fn group(&mut self, name: &str) -> Result<Option<Group>, PortError> {
        let names = vec![name.to_owned()];
        let found = self
            .patiently(async |rack| rack.fleet.groups(&names).await)
            .await?;
        Ok(found.into_iter().next())
    }

    async fn read_loads(&mut self) -> Result<Loads, PortError> {
        let mut loads = Loads::new();
        for cluster in self.plan.clusters.clone() {
            let name = cluster.name;
            let hosts = self
                .patiently(async |rack| rack.services.loads(&name).await)
                .await?;
            loads.insert(name, hosts);
        }
        Ok(loads)
    }
}

/// Tells whether a group has more instances than it wants.
pub(super) fn has_surplus(group: &Group) -> bool {
    let staying = group.members.iter().filter(|member| !member.is_leaving());
    staying.count() > usize::try_from(group.desired).unwrap_or(usize::MAX)
}
