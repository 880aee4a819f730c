//! `AWS::AutoScaling::LaunchConfiguration`: every update is another one.

use std::collections::BTreeMap;

use crate::template::EvaluatedResource;

use super::super::super::api::AwsError;
use super::super::super::world::World;
use super::launch_template::data;
use super::{Begun, Made, Site, moment, refusal, text};

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let name = match text(&wanted.properties, "LaunchConfigurationName") {
        Some(name) if world.autoscaling.launch_configuration(&name).is_some() => {
            return Err(format!(
                "CloudFormation cannot update a stack when a custom-named resource requires \
                 replacing. Rename {name} and update the stack again."
            ));
        }
        Some(name) => name,
        None => site.unique_name(world),
    };
    world
        .create_launch_configuration(&name, data(&wanted.properties))
        .map_err(|error| refused(world, &error))?;
    Ok(Made {
        physical_id: name,
        attributes: BTreeMap::new(),
        begun: Begun::Soon(moment(world)),
    })
}

pub(super) fn delete(world: &mut World, name: &str) -> Result<(), String> {
    let outcome = world.delete_launch_configuration(name);
    outcome.map_err(|error| refused(world, &error))
}

fn refused(world: &mut World, error: &AwsError) -> String {
    refusal(
        world,
        "AutoScaling",
        error.status,
        &error.message,
        "InvalidRequest",
    )
}
