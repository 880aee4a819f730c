//! `AWS::EC2::SpotFleet`: instances that no update replaces.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::super::ec2::{LaunchSpec, Owner};
use super::super::super::world::World;
use super::super::policy::number;
use super::super::stack::Resource;
use super::{Begun, Made, Site, moment, text};

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let id = format!("sfr-{}", world.chance.uuid());
    let empty = Value::Null;
    let config = wanted
        .properties
        .get("SpotFleetRequestConfigData")
        .unwrap_or(&empty);
    let named = config.pointer("/LaunchTemplateConfigs/0/LaunchTemplateSpecification");
    let template = named.and_then(|named| text(named, "LaunchTemplateId"));
    let version = named
        .and_then(|named| text(named, "Version"))
        .unwrap_or_default();
    let data = template.and_then(|id| {
        let template = world.launch_template(&id)?;
        Some(
            template
                .versions
                .get(&template.resolve(&version)?)?
                .data
                .clone(),
        )
    });
    let data = data.unwrap_or_default();
    let mut tags = data.tags;
    tags.insert("aws:ec2spot:fleet-request-id".to_owned(), id.clone());
    tags.insert(
        "aws:cloudformation:stack-name".to_owned(),
        site.stack_name.clone(),
    );
    for _ in 0..number(config.get("TargetCapacity")).unwrap_or(0) {
        let spec = LaunchSpec {
            image_id: data.image_id.clone(),
            instance_type: data.instance_type.clone(),
            key_name: data.key_name.clone(),
            tags: tags.clone(),
            ..LaunchSpec::default()
        };
        world
            .start_instance(spec, Owner::Fleet(id.clone()))
            .map_err(|error| error.message)?;
    }
    Ok(Made {
        physical_id: id,
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    })
}

/// A fleet takes its new launch template version and replaces nobody.
pub(super) fn update(world: &mut World, now: &Resource) -> Made {
    Made {
        physical_id: now.physical_id.clone(),
        attributes: now.attributes.clone(),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn delete(world: &mut World, id: &str) {
    let owner = Owner::Fleet(id.to_owned());
    let members: Vec<_> = world
        .live_instances()
        .filter(|instance| instance.owner == owner)
        .map(|instance| instance.id.clone())
        .collect();
    for member in members {
        world.terminate_instance(&member, "User initiated");
    }
}
