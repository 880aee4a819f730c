//! Spot fleets: they keep a number of instances, and nothing ever rolls them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::autoscaling::TemplateVersion;
use super::super::world::{self, World};
use super::{Due, Ec2, LaunchSpec, Owner};

/// How long a fleet waits after a launch that failed.
const RETRY: Duration = Duration::from_secs(30);

/// A Spot fleet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SpotFleet {
    /// The id: `sfr-` and a UUID.
    pub id: String,
    /// How many instances are wanted.
    pub target: u32,
    /// What they are started from; nothing in particular when the fleet names no template.
    pub template: Option<TemplateVersion>,
    /// When it was made.
    pub created: Timestamp,
    /// Whether it starts no more.
    pub cancelled: bool,
    /// Tags that are handed on to its instances.
    pub tags: BTreeMap<String, String>,
    /// Its instances that have not been terminated.
    pub instances: BTreeSet<String>,
}

impl Ec2 {
    /// Returns a Spot fleet.
    #[must_use]
    pub fn spot_fleet(&self, id: &str) -> Option<&SpotFleet> {
        self.fleets.get(id)
    }

    /// Goes through the Spot fleets, by id.
    pub fn spot_fleets(&self) -> impl Iterator<Item = &SpotFleet> {
        self.fleets.values()
    }
}

impl World {
    /// Makes a Spot fleet, which starts `target` instances and keeps as many; returns its id.
    ///
    /// # Errors
    /// When the launch template version does not exist.
    pub fn create_spot_fleet(
        &mut self,
        target: u32,
        template: Option<TemplateVersion>,
        tags: BTreeMap<String, String>,
    ) -> Result<String, AwsError> {
        if let Some(version) = &template
            && self.launch_spec(version).is_none()
        {
            return Err(super::launch_templates::no_such_template(&version.id));
        }
        let id = format!("sfr-{}", self.chance.uuid());
        let fleet = SpotFleet {
            id: id.clone(),
            target,
            template,
            created: self.now,
            cancelled: false,
            tags,
            instances: BTreeSet::new(),
        };
        self.ec2.fleets.insert(id.clone(), fleet);
        top_up(self, &id);
        Ok(id)
    }

    /// Changes what a Spot fleet starts new instances from, and how many it keeps at least.
    ///
    /// Instances that run stay as they are, even when there are too many.
    pub fn change_spot_fleet(&mut self, id: &str, target: u32, template: Option<TemplateVersion>) {
        if let Some(fleet) = self.ec2.fleets.get_mut(id) {
            fleet.target = target;
            fleet.template = template;
            top_up(self, id);
        }
    }

    /// Cancels a Spot fleet and terminates its instances.
    pub fn cancel_spot_fleet(&mut self, id: &str) {
        let Some(fleet) = self.ec2.fleets.get_mut(id) else {
            return;
        };
        fleet.cancelled = true;
        for instance in fleet.instances.clone() {
            self.terminate_instance(&instance, "User initiated");
        }
    }
}

/// Starts instances until the fleet has as many as it wants.
pub(super) fn top_up(world: &mut World, id: &str) {
    loop {
        let Some(fleet) = world.ec2.fleets.get(id) else {
            return;
        };
        let target = usize::try_from(fleet.target).unwrap_or(usize::MAX);
        if fleet.cancelled || fleet.instances.len() >= target {
            return;
        }
        let spec = match &fleet.template {
            Some(version) => world.launch_spec(version),
            None => Some(LaunchSpec::default()),
        };
        let tags = fleet.tags.clone();
        let started = spec.and_then(|mut spec| {
            spec.tags.extend(tags);
            spec.tags
                .insert("aws:ec2spot:fleet-request-id".to_owned(), id.to_owned());
            world.start_instance(spec, Owner::Fleet(id.to_owned())).ok()
        });
        let Some(instance) = started else {
            world.schedule(RETRY, world::Due::Ec2(Due::FleetTopUp(id.to_owned())));
            return;
        };
        if let Some(fleet) = world.ec2.fleets.get_mut(id) {
            fleet.instances.insert(instance);
        }
    }
}

pub(super) fn on_instance_terminated(world: &mut World, id: &str, instance: &str) {
    if let Some(fleet) = world.ec2.fleets.get_mut(id) {
        fleet.instances.remove(instance);
    }
    top_up(world, id);
}
