//! EC2: key pairs, launch templates, instances.

mod api;
mod instances;
mod key_material;
mod key_pairs;
mod launch_templates;
mod md5;
mod register;
mod spot_fleets;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::world::World;
use register::Register;

pub use api::handle;
pub use instances::{Instance, InstanceState, LaunchSpec, Owner};
pub use key_material::HostKey;
pub use key_pairs::{KeyKind, KeyPair, MintedKeyPair};
pub use launch_templates::{LaunchTemplate, LaunchTemplateData};
pub(super) use register::GROUP_TAG;
pub use spot_fleets::SpotFleet;

/// EC2's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Ec2 {
    key_pairs: BTreeMap<String, KeyPair>,
    templates: BTreeMap<String, LaunchTemplate>,
    template_ids: BTreeMap<String, String>,
    instances: Register,
    fleets: BTreeMap<String, SpotFleet>,
    /// How many instances are pending or running: what the quota counts.
    live: usize,
    /// How many addresses have been given out.
    hosts: u32,
}

/// EC2's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// An instance is up.
    Running(String),
    /// An instance's boot script has ended.
    Booted(String),
    /// An instance's agent joins its cluster.
    Joins(String),
    /// An instance is gone.
    Terminated(String),
    /// A terminated instance is no longer shown.
    Forgotten(String),
    /// A Spot fleet starts what it lacks.
    FleetTopUp(String),
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    match due {
        Due::Running(id) => instances::on_running(world, &id),
        Due::Booted(id) => instances::on_booted(world, &id),
        Due::Joins(id) => instances::on_joins(world, &id),
        Due::Terminated(id) => instances::on_terminated(world, &id),
        Due::Forgotten(id) => {
            world.ec2.instances.remove(&id);
        }
        Due::FleetTopUp(id) => spot_fleets::top_up(world, &id),
    }
}
