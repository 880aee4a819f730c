//! ECS clusters, task definitions and services.

use crate::template::EvaluatedResource;

use super::super::super::world::World;
use super::super::stack::Resource;
use super::{Begun, Made, Site, Wait, attributes, moment, refusal, text};

/// How many times a service is looked at (CloudFormation gives it three hours).
const LOOKS: u32 = 3 * 60 * 60 / 5;

pub(super) fn create_cluster(world: &mut World, site: &Site, wanted: &EvaluatedResource) -> Made {
    let name = match text(&wanted.properties, "ClusterName") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    let name = world.create_cluster(&name);
    let arn = world.arn("ecs", &format!("cluster/{name}"));
    Made {
        physical_id: name,
        attributes: attributes([("Arn", arn.into())]),
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn create_task_definition(world: &mut World, wanted: &EvaluatedResource) -> Made {
    let arn = world.register_task_definition(&wanted.properties);
    Made {
        attributes: attributes([("TaskDefinitionArn", arn.as_str().into())]),
        physical_id: arn,
        begun: Begun::Soon(moment(world)),
    }
}

pub(super) fn create_service(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let name = match text(&wanted.properties, "ServiceName") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    match world.create_service(&name, &wanted.properties) {
        Ok(arn) => Ok(Made {
            attributes: attributes([("Name", name.into()), ("ServiceArn", arn.as_str().into())]),
            begun: stable(&arn),
            physical_id: arn,
        }),
        Err(error) => Err(refusal(
            world,
            "Ecs",
            error.status,
            &error.message,
            "InvalidRequest",
        )),
    }
}

pub(super) fn update_service(
    world: &mut World,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    match world.update_service(&now.physical_id, &wanted.properties) {
        Ok(()) => Ok(Made {
            physical_id: now.physical_id.clone(),
            attributes: now.attributes.clone(),
            begun: stable(&now.physical_id),
        }),
        Err(error) => Err(refusal(
            world,
            "Ecs",
            error.status,
            &error.message,
            "InvalidRequest",
        )),
    }
}

fn stable(service: &str) -> Begun {
    Begun::Wait(Wait::Stable {
        service: service.to_owned(),
        looks: LOOKS,
    })
}
