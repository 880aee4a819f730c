//! Tags of groups.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::super::api::{Answer, Input};
use super::super::super::world::World;
use super::super::groups::{Group, no_such_group};
use super::{done, page_of};

/// Reads a call's tags, and which of them are not handed on to instances.
pub(super) fn read(input: &Input) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let (mut tags, mut kept) = (BTreeMap::new(), BTreeSet::new());
    for tag in input.items("Tags") {
        let Some(key) = tag.text("Key") else { continue };
        if tag.truth("PropagateAtLaunch") == Some(false) {
            kept.insert(key.clone());
        }
        tags.insert(key, tag.text("Value").unwrap_or_default());
    }
    (tags, kept)
}

/// A group's tags as Auto Scaling lists them.
pub(super) fn listed(group: &Group) -> Vec<Value> {
    group
        .tags
        .iter()
        .map(|(key, value)| {
            json!({
                "ResourceId": group.name,
                "ResourceType": "auto-scaling-group",
                "Key": key,
                "Value": value,
                "PropagateAtLaunch": !group.kept_tags.contains(key),
            })
        })
        .collect()
}

/// `CreateOrUpdateTags`.
pub(super) fn put(world: &mut World, input: &Input) -> Answer {
    for tag in input.items("Tags") {
        let (name, key) = (tag.required("ResourceId")?, tag.required("Key")?);
        let group = world
            .autoscaling
            .groups
            .get_mut(&name)
            .ok_or_else(|| no_such_group(&name))?;
        if tag.truth("PropagateAtLaunch") == Some(true) {
            group.kept_tags.remove(&key);
        } else {
            group.kept_tags.insert(key.clone());
        }
        group
            .tags
            .insert(key, tag.text("Value").unwrap_or_default());
    }
    Ok(done())
}

/// `DeleteTags`.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    for tag in input.items("Tags") {
        let (name, key) = (tag.required("ResourceId")?, tag.required("Key")?);
        if let Some(group) = world.autoscaling.groups.get_mut(&name) {
            group.tags.remove(&key);
            group.kept_tags.remove(&key);
        }
    }
    Ok(done())
}

/// `DescribeTags`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let filters = input.items("Filters");
    let mut rows = Vec::new();
    for (name, tag) in world
        .autoscaling
        .groups()
        .flat_map(|group| listed(group).into_iter().map(move |tag| (&group.name, tag)))
    {
        let field = |name: &str| tag.get(name).and_then(Value::as_str).unwrap_or_default();
        let passes = filters.iter().all(|filter| {
            let values = filter.texts("Values");
            let value = match filter.text("Name").as_deref() {
                Some("auto-scaling-group") => field("ResourceId"),
                Some("key") => field("Key"),
                Some("value") => field("Value"),
                _ => return false,
            };
            values.iter().any(|wanted| wanted == value)
        });
        if passes {
            rows.push((format!("{name} {}", field("Key")), tag));
        }
    }
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    let page = page_of(input, rows, |(key, _)| key.clone(), (50, 100))?;
    let set: Vec<Value> = page.items.into_iter().map(|(_, tag)| tag).collect();
    Ok(json!({ "Tags": set, "NextToken": page.next }))
}
