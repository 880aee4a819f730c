//! `AWS::EC2::LaunchTemplate`: every update is a new version.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::template::EvaluatedResource;

use super::super::super::ec2::LaunchTemplateData;
use super::super::super::world::World;
use super::super::stack::Resource;
use super::{Begun, Made, Site, attributes, moment, refusal, text};

pub(super) fn create(
    world: &mut World,
    site: &Site,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let name = match text(&wanted.properties, "LaunchTemplateName") {
        Some(name) => name,
        None => site.unique_name(world),
    };
    match world.create_launch_template(&name, data_of(&wanted.properties)) {
        Ok(id) => Ok(made(world, id, 1)),
        Err(error) => Err(refusal(
            world,
            "Ec2",
            error.status,
            &error.message,
            "AlreadyExists",
        )),
    }
}

pub(super) fn update(
    world: &mut World,
    now: &Resource,
    wanted: &EvaluatedResource,
) -> Result<Made, String> {
    let id = now.physical_id.clone();
    match world.create_launch_template_version(&id, data_of(&wanted.properties)) {
        Ok(version) => Ok(made(world, id, version)),
        Err(error) => Err(refusal(
            world,
            "Ec2",
            error.status,
            &error.message,
            "NotFound",
        )),
    }
}

fn made(world: &mut World, id: String, version: u64) -> Made {
    let attributes = attributes([
        ("LaunchTemplateId", id.as_str().into()),
        ("LatestVersionNumber", version.to_string().into()),
        ("DefaultVersionNumber", "1".into()),
    ]);
    Made {
        physical_id: id,
        attributes,
        begun: Begun::Soon(moment(world)),
    }
}

fn data_of(properties: &Value) -> LaunchTemplateData {
    data(properties.get("LaunchTemplateData").unwrap_or(&Value::Null))
}

/// Reads what instances are started with, as launch templates and configurations write it.
pub(super) fn data(data: &Value) -> LaunchTemplateData {
    let boot_script = text(data, "UserData").and_then(|encoded| STANDARD.decode(encoded).ok());
    LaunchTemplateData {
        image_id: text(data, "ImageId"),
        instance_type: text(data, "InstanceType"),
        key_name: text(data, "KeyName"),
        user_data: boot_script.map(|script| String::from_utf8_lossy(&script).into_owned()),
        is_spot: is_spot(data),
        tags: instance_tags(data),
    }
}

/// Tells whether instances are bought on the spot market: a template says so, a configuration names
/// the most that it pays.
fn is_spot(data: &Value) -> bool {
    let market = data.get("InstanceMarketOptions");
    let market = market.and_then(|options| text(options, "MarketType"));
    let price = text(data, "SpotPrice").filter(|price| !price.is_empty());
    market.as_deref() == Some("spot") || price.is_some()
}

/// Returns the tags that a launch template puts on instances.
fn instance_tags(data: &Value) -> BTreeMap<String, String> {
    let specifications = data.get("TagSpecifications").and_then(Value::as_array);
    specifications
        .into_iter()
        .flatten()
        .filter(|specification| specification["ResourceType"] == "instance")
        .flat_map(|specification| tags(specification.get("Tags")))
        .collect()
}

/// Reads a list of `Key` and `Value`.
pub(super) fn tags(list: Option<&Value>) -> BTreeMap<String, String> {
    list.and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|tag| Some((text(tag, "Key")?, text(tag, "Value")?)))
        .collect()
}
