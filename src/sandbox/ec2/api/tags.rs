//! Tags, in calls and on things.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::{done, filters, page_of, stop_if_dry};

/// A thing's tags as EC2 lists them.
pub(super) fn listed(tags: &BTreeMap<String, String>) -> Value {
    tags.iter()
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// Reads `Tag.N.Key` and `Tag.N.Value`.
fn read(input: &Input) -> BTreeMap<String, String> {
    input
        .items("Tag")
        .iter()
        .filter_map(|tag| Some((tag.text("Key")?, tag.text("Value").unwrap_or_default())))
        .collect()
}

/// Reads the tags that a call wants on what it makes, for that type of thing.
pub(super) fn wanted(input: &Input, resource_type: &str) -> BTreeMap<String, String> {
    input
        .items("TagSpecification")
        .iter()
        .filter(|wish| wish.text("ResourceType").as_deref() == Some(resource_type))
        .flat_map(read)
        .collect()
}

/// Finds a thing's tags by its id.
fn of<'a>(world: &'a mut World, id: &str) -> Option<&'a mut BTreeMap<String, String>> {
    match id.split_once('-')?.0 {
        "i" => Some(&mut world.ec2.instances.get_mut(id)?.tags),
        "lt" => Some(&mut world.ec2.templates.get_mut(id)?.tags),
        "key" => world
            .ec2
            .key_pairs
            .values_mut()
            .find(|pair| pair.id == id)
            .map(|pair| &mut pair.tags),
        _ => None,
    }
}

fn no_such_thing(id: &str) -> AwsError {
    // What EC2 knows to have been an instance it names so.
    if id.starts_with("i-") {
        let message = format!("The instance ID '{id}' does not exist");
        return AwsError::new(400, "InvalidInstanceID.NotFound", message);
    }
    AwsError::new(400, "InvalidID", format!("The ID '{id}' is not valid"))
}

/// `CreateTags`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("ResourceId");
    let tags = read(input);
    for id in &ids {
        of(world, id).ok_or_else(|| no_such_thing(id))?;
    }
    if tags.keys().any(|key| key.starts_with("aws:")) {
        return Err(AwsError::new(
            400,
            "InvalidParameterValue",
            "Tag keys starting with 'aws:' are reserved for internal use",
        ));
    }
    stop_if_dry(input)?;
    for id in &ids {
        if let Some(found) = of(world, id) {
            found.extend(tags.clone());
        }
    }
    Ok(done())
}

/// `DeleteTags`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let tags = read(input);
    for id in input.texts("ResourceId") {
        if let Some(found) = of(world, &id) {
            found.retain(|name, _| {
                !tags.contains_key(name) && (!tags.is_empty() || name.starts_with("aws:"))
            });
        }
    }
    Ok(done())
}

/// `DescribeTags`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let ec2 = &world.ec2;
    let instances = ec2
        .instances
        .values()
        .map(|it| (&it.id, "instance", &it.tags));
    let pairs = ec2
        .key_pairs
        .values()
        .map(|it| (&it.id, "key-pair", &it.tags));
    let templates = ec2
        .templates
        .values()
        .map(|it| (&it.id, "launch-template", &it.tags));
    let filters = filters::read(input);
    let mut rows = Vec::new();
    let none = BTreeMap::new();
    for (id, kind, tags) in instances.chain(pairs).chain(templates) {
        for (key, value) in tags {
            let passes = filters::pass(&filters, &none, |name| {
                Some(match name {
                    "resource-id" => id.clone(),
                    "resource-type" => kind.to_owned(),
                    "key" => key.clone(),
                    "value" => value.clone(),
                    _ => return None,
                })
            })?;
            if passes {
                rows.push((
                    format!("{id} {key}"),
                    json!({
                        "resourceId": id, "resourceType": kind, "key": key, "value": value,
                    }),
                ));
            }
        }
    }
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let page = page_of(input, rows, |(key, _)| key.clone())?;
    let set: Vec<Value> = page.items.into_iter().map(|(_, row)| row).collect();
    Ok(json!({ "tagSet": set, "nextToken": page.next }))
}
