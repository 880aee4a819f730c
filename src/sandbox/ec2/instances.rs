//! The life of an instance: pending, running, booted, shutting down, terminated.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::scenario::BootFate;
use super::super::world::{self, World};
use super::super::{autoscaling, cloudformation, ecs};
use super::register::GROUP_TAG;
use super::{Due, Ec2, HostKey, spot_fleets};

/// How long a terminated instance is still described. EC2 says "about an hour".
const REMEMBERED: Duration = Duration::from_secs(3600);

/// An instance's state, by EC2's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstanceState {
    /// Starting.
    Pending,
    /// Up.
    Running,
    /// On the way out.
    ShuttingDown,
    /// Gone.
    Terminated,
}

impl InstanceState {
    /// Returns the name that the EC2 API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
        }
    }

    /// Returns the number that the EC2 API gives beside the name.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Pending => 0,
            Self::Running => 16,
            Self::ShuttingDown => 32,
            Self::Terminated => 48,
        }
    }

    /// Tells whether somebody could still be using the instance's key.
    #[must_use]
    pub fn is_live(self) -> bool {
        self != Self::Terminated
    }
}

/// Who started an instance and cares what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Owner {
    /// Somebody, by `RunInstances`.
    Nobody,
    /// An Auto Scaling group.
    Group(String),
    /// A Spot fleet.
    Fleet(String),
}

/// What an instance is started from.
#[derive(Debug, Clone, Default)]
pub struct LaunchSpec {
    /// The machine image.
    pub image_id: Option<String>,
    /// The instance type.
    pub instance_type: Option<String>,
    /// The key pair.
    pub key_name: Option<String>,
    /// The ECS cluster that the boot script names.
    pub cluster: Option<String>,
    /// Whether it is bought on the spot market.
    pub is_spot: bool,
    /// Tags.
    pub tags: BTreeMap<String, String>,
}

/// An instance.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Instance {
    /// The id, such as `i-0123456789abcdef0`.
    pub id: String,
    /// The state.
    pub state: InstanceState,
    /// The key pair's name, which never changes, whatever becomes of the key pair.
    pub key_name: Option<String>,
    /// The public key that the instance was started with, in OpenSSH form.
    pub authorized_key: Option<String>,
    /// The lines of `authorized_keys` of the user who logs in: at first that one.
    #[serde(default)]
    pub authorized_keys: Vec<String>,
    /// The address inside the network.
    pub private_ip: String,
    /// The availability zone.
    pub zone: String,
    /// The machine image.
    pub image_id: String,
    /// The instance type.
    pub instance_type: String,
    /// Whether it was bought on the spot market.
    #[serde(default)]
    pub is_spot: bool,
    /// When it was started.
    pub launched: Timestamp,
    /// Why it is going or gone, in EC2's words.
    pub reason: Option<String>,
    /// Tags.
    pub tags: BTreeMap<String, String>,
    /// Who started it.
    pub owner: Owner,
    /// Whether the boot script has ended.
    pub booted: bool,
    /// The ECS cluster that the boot script names.
    pub cluster: Option<String>,
}

impl Instance {
    /// Returns the key that its SSH server shows, which its console tells.
    ///
    /// It follows from the id alone, so whoever plays the server need not be told it.
    #[must_use]
    pub fn host_key(&self) -> HostKey {
        HostKey::of_instance(&self.id)
    }
}

impl Ec2 {
    /// Returns an instance, terminated ones of the last hour included.
    #[must_use]
    pub fn instance(&self, id: &str) -> Option<&Instance> {
        self.instances.get(id)
    }

    /// Returns an instance to be changed.
    pub(crate) fn instance_mut(&mut self, id: &str) -> Option<&mut Instance> {
        self.instances.get_mut(id)
    }

    /// Makes an instance nobody's: its group has let it go.
    pub(crate) fn disown(&mut self, id: &str) {
        if let Some(instance) = self.instances.get_mut(id) {
            instance.owner = Owner::Nobody;
            instance.tags.remove(GROUP_TAG);
        }
    }

    /// Returns all instances, terminated ones of the last hour included.
    pub fn instances(&self) -> impl Iterator<Item = &Instance> {
        self.instances.values()
    }

    /// Lists the instances that any of these Auto Scaling groups started, those that it has let
    /// go included.
    pub(crate) fn instances_of(&self, groups: &[String]) -> Vec<&Instance> {
        self.instances.of_groups(groups)
    }
}

impl World {
    /// Returns the instances that somebody could still be logged in to: all but terminated ones.
    pub fn live_instances(&self) -> impl Iterator<Item = &Instance> {
        self.ec2
            .instances
            .values()
            .filter(|instance| instance.state.is_live())
    }

    /// Starts an instance and returns its id.
    ///
    /// # Errors
    /// When the key pair does not exist, EC2 has no room, or a quota is used up.
    pub fn start_instance(&mut self, spec: LaunchSpec, owner: Owner) -> Result<String, AwsError> {
        let authorized_key = match &spec.key_name {
            Some(name) => match self.ec2.key_pairs.get(name) {
                Some(pair) => Some(pair.public_key.clone()),
                None => return Err(super::key_pairs::no_such_key_pair(name)),
            },
            None => None,
        };
        if let Some(refusal) = self.capacity_refusal(self.ec2.live) {
            let code = if refusal.contains("instance limit") {
                "InstanceLimitExceeded"
            } else {
                "InsufficientInstanceCapacity"
            };
            return Err(AwsError::new(400, code, refusal));
        }
        let is_spot = spec.is_spot || matches!(owner, Owner::Fleet(_));
        let instance_type = spec.instance_type.unwrap_or_else(|| "t3.small".to_owned());
        if let Some(refusal) = self.quota_refusal(&instance_type, is_spot) {
            return Err(refusal);
        }
        let id = self.chance.id("i");
        let host = self.ec2.hosts;
        self.ec2.hosts += 1;
        let zone = ["a", "b", "c"][usize::try_from(host % 3).unwrap_or(0)];
        let instance = Instance {
            id: id.clone(),
            state: InstanceState::Pending,
            key_name: spec.key_name,
            authorized_keys: authorized_key.iter().cloned().collect(),
            authorized_key,
            private_ip: private_ip(host),
            zone: format!("{}{zone}", self.region),
            image_id: spec
                .image_id
                .unwrap_or_else(|| "ami-0a1b2c3d4e5f67890".to_owned()),
            instance_type,
            is_spot,
            launched: self.now,
            reason: None,
            tags: spec.tags,
            owner,
            booted: false,
            cluster: spec.cluster,
        };
        self.ec2.instances.insert(instance);
        self.ec2.live += 1;
        let pending = self.chance.span(self.pace.pending_ms);
        self.schedule(pending, world::Due::Ec2(Due::Running(id.clone())));
        Ok(id)
    }

    /// Starts to terminate an instance; one that is going or gone is left alone.
    pub fn terminate_instance(&mut self, id: &str, reason: &str) {
        let Some(instance) = self.ec2.instances.get_mut(id) else {
            return;
        };
        if matches!(
            instance.state,
            InstanceState::ShuttingDown | InstanceState::Terminated
        ) {
            return;
        }
        instance.state = InstanceState::ShuttingDown;
        instance.reason = Some(format!("{reason} ({:.0})", self.now));
        self.ec2.live = self.ec2.live.saturating_sub(1);
        let shutdown = self.chance.span(self.pace.shutdown_ms);
        self.schedule(shutdown, world::Due::Ec2(Due::Terminated(id.to_owned())));
        ecs::on_instance_lost(self, id);
    }
}

/// The address of the `host`-th instance, from three subnets of a /16 network.
fn private_ip(host: u32) -> String {
    let subnet = host % 3 + 1 + 3 * (host / 3 / 250 % 80);
    format!("10.0.{}.{}", subnet, host / 3 % 250 + 4)
}

pub(super) fn on_running(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get_mut(id) else {
        return;
    };
    if instance.state != InstanceState::Pending {
        return;
    }
    instance.state = InstanceState::Running;
    let in_group = matches!(instance.owner, Owner::Group(_));
    let boot = world.chance.span(world.pace.boot_ms);
    world.schedule(boot, world::Due::Ec2(Due::Booted(id.to_owned())));
    if in_group {
        autoscaling::on_instance_running(world, id);
    }
}

/// The boot script ends: the instance joins its cluster and signals its stack, in the order in which
/// the account's pace has it.
pub(super) fn on_booted(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get(id) else {
        return;
    };
    if instance.state != InstanceState::Running {
        return;
    }
    let tag = |name: &str| instance.tags.get(name).cloned();
    let place = tag("aws:cloudformation:stack-name").zip(tag("aws:cloudformation:logical-id"));
    let key_name = instance.key_name.clone();
    let cluster = instance.cluster.clone();
    let fate = match &place {
        Some((stack, logical_id)) => world.boot_fate(stack, logical_id, key_name.as_deref()),
        None => BootFate::Success,
    };
    if fate == BootFate::Silence {
        // It hangs somewhere in its boot script, before the agent starts and before the signal.
        return;
    }
    if let Some(instance) = world.ec2.instances.get_mut(id) {
        instance.booted = true;
    }
    let (joins, signals) = (world.pace.join_ms, world.pace.signal_ms);
    match moment(world, joins) {
        Duration::ZERO => ecs::on_instance_booted(world, id, cluster.as_deref()),
        after => world.schedule(after, world::Due::Ec2(Due::Joins(id.to_owned()))),
    }
    if let Some((stack, logical_id)) = place {
        let success = fate == BootFate::Success;
        let after = moment(world, signals);
        cloudformation::on_signal_after(world, after, &stack, &logical_id, id, success);
    }
}

/// Draws a span that may be none; then chance is left alone.
fn moment(world: &mut World, span: (u64, u64)) -> Duration {
    match span {
        (0, 0) => Duration::ZERO,
        span => world.chance.span(span),
    }
}

/// The agent of an instance joins its cluster, unless the instance has gone meanwhile.
pub(super) fn on_joins(world: &mut World, id: &str) {
    let instance = world.ec2.instances.get(id);
    if let Some(instance) = instance.filter(|it| it.state == InstanceState::Running) {
        let cluster = instance.cluster.clone();
        ecs::on_instance_booted(world, id, cluster.as_deref());
    }
}

pub(super) fn on_terminated(world: &mut World, id: &str) {
    let Some(instance) = world.ec2.instances.get_mut(id) else {
        return;
    };
    instance.state = InstanceState::Terminated;
    let owner = instance.owner.clone();
    world.schedule(REMEMBERED, world::Due::Ec2(Due::Forgotten(id.to_owned())));
    match owner {
        Owner::Group(_) => autoscaling::on_instance_terminated(world, id),
        Owner::Fleet(fleet) => spot_fleets::on_instance_terminated(world, &fleet, id),
        Owner::Nobody => {}
    }
}

/// Finds the ECS cluster that a boot script joins: the value of `ECS_CLUSTER=`.
#[must_use]
pub(super) fn cluster_of_boot_script(script: &str) -> Option<String> {
    let (_, rest) = script.split_once("ECS_CLUSTER=")?;
    let rest = rest.trim_start_matches(['"', '\'']);
    let name: String = rest
        .chars()
        .take_while(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_'))
        .collect();
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn addresses_are_not_given_out_twice() {
        let given: BTreeSet<String> = (0..10_000).map(private_ip).collect();
        assert_eq!(given.len(), 10_000);
    }

    #[test]
    fn the_cluster_is_read_from_the_boot_script() {
        let script =
            "#cloud-config\nruncmd:\n  - echo \"ECS_CLUSTER=demo-Cluster-1X\" >> /etc/ecs\n";
        assert_eq!(
            cluster_of_boot_script(script).as_deref(),
            Some("demo-Cluster-1X")
        );
        assert_eq!(cluster_of_boot_script("echo hello"), None);
    }
}
