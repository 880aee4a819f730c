//! `AWS::EC2::SpotFleet`: instances that no update replaces.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::super::autoscaling::TemplateVersion;
use super::super::super::world::World;
use super::super::policy::number;
use super::super::stack::Resource;
use super::{Begun, Made, Site, moment, text};

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let (target, template) = wish(world, &wanted.properties);
    let stack = (
        "aws:cloudformation:stack-name".to_owned(),
        site.stack_name.clone(),
    );
    let tags = BTreeMap::from([stack]);
    let id = world
        .create_spot_fleet(target, template, tags)
        .map_err(|error| error.message)?;
    Ok(Made {
        physical_id: id,
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    })
}

/// A fleet takes its new launch template version and replaces nobody.
pub(super) fn update(world: &mut World, now: &Resource, wanted: &EvaluatedResource) -> Made {
    let (target, template) = wish(world, &wanted.properties);
    world.change_spot_fleet(&now.physical_id, target, template);
    Made {
        physical_id: now.physical_id.clone(),
        attributes: now.attributes.clone(),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn delete(world: &mut World, id: &str) {
    world.cancel_spot_fleet(id);
}

/// Reads how many instances a fleet wants, and from which launch template version.
fn wish(world: &World, properties: &Value) -> (u32, Option<TemplateVersion>) {
    let empty = Value::Null;
    let config = properties
        .get("SpotFleetRequestConfigData")
        .unwrap_or(&empty);
    let named = config.pointer("/LaunchTemplateConfigs/0/LaunchTemplateSpecification");
    let template = named.and_then(|named| {
        let id = text(named, "LaunchTemplateId")?;
        let version = text(named, "Version").unwrap_or_default();
        let version = world.launch_template(&id)?.resolve(&version)?;
        Some(TemplateVersion { id, version })
    });
    (number(config.get("TargetCapacity")).unwrap_or(0), template)
}
