//! Buckets, encryption keys, parameters and target groups.

use std::collections::BTreeMap;

use crate::template::EvaluatedResource;

use super::super::super::world::World;
use super::super::stack::Resource;
use super::{Begun, Made, Site, attributes, generic, moment, text};

pub(super) fn create_bucket(world: &mut World, site: &Site, wanted: &EvaluatedResource) -> Made {
    let name = match text(&wanted.properties, "BucketName") {
        Some(name) => name,
        None => site.unique_name(world).to_lowercase(),
    };
    world.create_bucket(&name);
    let domain = format!("{name}.s3.amazonaws.com");
    let regional = format!("{name}.s3.{}.amazonaws.com", world.region);
    Made {
        attributes: attributes([
            ("Arn", format!("arn:aws:s3:::{name}").into()),
            ("DomainName", domain.into()),
            ("RegionalDomainName", regional.into()),
        ]),
        physical_id: name,
        begun: Begun::Soon(moment(world)),
    }
}

/// Makes a real key; the rack's own custom resource is known by its ARN, AWS's by its id.
pub(super) fn create_key(world: &mut World, wanted: &EvaluatedResource) -> Made {
    let arn = world.create_kms_key();
    let id = arn.rsplit('/').next().unwrap_or_default().to_owned();
    let physical_id = if wanted.kind == "AWS::KMS::Key" {
        id.clone()
    } else {
        arn.clone()
    };
    Made {
        physical_id,
        attributes: attributes([("Arn", arn.into()), ("KeyId", id.into())]),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn create_parameter(world: &mut World, site: &Site, wanted: &EvaluatedResource) -> Made {
    let name = match text(&wanted.properties, "Name") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    put(world, &name, wanted)
}

pub(super) fn update_parameter(
    world: &mut World,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Made {
    put(world, &now.physical_id, wanted)
}

fn put(world: &mut World, name: &str, wanted: &EvaluatedResource) -> Made {
    let value = text(&wanted.properties, "Value").unwrap_or_default();
    world.put_ssm_parameter(name, &value);
    Made {
        physical_id: name.to_owned(),
        // The value is read from the store when somebody asks, and kept nowhere else.
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn create_target_group(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Made {
    let made = generic::create(world, site, wanted);
    world.set_target_group(&made.physical_id, &wanted.properties);
    made
}

pub(super) fn update_target_group(
    world: &mut World,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Made {
    world.set_target_group(&now.physical_id, &wanted.properties);
    Made {
        physical_id: now.physical_id.clone(),
        attributes: now.attributes.clone(),
        begun: Begun::Soon(moment(world)),
    }
}
