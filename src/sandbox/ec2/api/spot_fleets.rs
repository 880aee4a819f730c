//! `DescribeSpotFleetRequests` and its kin.

use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::{InstanceState, SpotFleet};
use super::{instant, page_of, required, stop_if_dry, tags};

/// `DescribeSpotFleetRequests`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("SpotFleetRequestId");
    if let Some(missing) = ids.iter().find(|id| world.ec2.spot_fleet(id).is_none()) {
        return Err(no_such_fleet(missing));
    }
    stop_if_dry(input)?;
    let found: Vec<&SpotFleet> = world
        .ec2
        .spot_fleets()
        .filter(|fleet| ids.is_empty() || ids.contains(&fleet.id))
        .collect();
    let page = page_of(input, found, |fleet| fleet.id.clone())?;
    let set: Vec<Value> = page.items.into_iter().map(shown).collect();
    Ok(json!({ "spotFleetRequestConfigSet": set, "nextToken": page.next }))
}

/// `DescribeSpotFleetInstances`.
pub(super) fn instances(world: &mut World, input: &Input) -> Answer {
    let id = required(input, "SpotFleetRequestId")?;
    let fleet = world
        .ec2
        .spot_fleet(&id)
        .ok_or_else(|| no_such_fleet(&id))?;
    stop_if_dry(input)?;
    let running = fleet
        .instances
        .iter()
        .filter_map(|id| world.ec2.instance(id))
        .filter(|instance| {
            matches!(
                instance.state,
                InstanceState::Pending | InstanceState::Running
            )
        });
    let page = page_of(input, running, |instance| instance.id.clone())?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|instance| {
            json!({
                "instanceId": instance.id,
                "instanceType": instance.instance_type,
                "spotInstanceRequestId": instance.id.replacen("i-0", "sir-", 1),
                "instanceHealth": "healthy",
            })
        })
        .collect();
    Ok(json!({
        "spotFleetRequestId": id, "activeInstanceSet": set, "nextToken": page.next,
    }))
}

/// `CancelSpotFleetRequests`.
pub(super) fn cancel(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("SpotFleetRequestId");
    stop_if_dry(input)?;
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for id in ids {
        if world.ec2.spot_fleet(&id).is_none() {
            bad.push(json!({
                "spotFleetRequestId": id,
                "error": {
                    "code": "fleetRequestIdDoesNotExist",
                    "message": "The Spot Fleet request ID does not exist.",
                },
            }));
            continue;
        }
        world.cancel_spot_fleet(&id);
        good.push(json!({
            "spotFleetRequestId": id,
            "currentSpotFleetRequestState": "cancelled_terminating",
            "previousSpotFleetRequestState": "active",
        }));
    }
    Ok(json!({ "successfulFleetRequestSet": good, "unsuccessfulFleetRequestSet": bad }))
}

fn no_such_fleet(id: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidSpotFleetRequestId.NotFound",
        format!("The spot fleet request ID '{id}' does not exist"),
    )
}

fn shown(fleet: &SpotFleet) -> Value {
    let state = match (fleet.cancelled, fleet.instances.is_empty()) {
        (false, _) => "active",
        (true, false) => "cancelled_terminating",
        (true, true) => "cancelled",
    };
    let templates: Vec<Value> = fleet
        .template
        .iter()
        .map(|version| {
            json!({
                "launchTemplateSpecification": {
                    "launchTemplateId": version.id,
                    "version": version.version.to_string(),
                },
            })
        })
        .collect();
    json!({
        "spotFleetRequestId": fleet.id,
        "spotFleetRequestState": state,
        "activityStatus": "fulfilled",
        "createTime": instant(fleet.created),
        "spotFleetRequestConfig": {
            "iamFleetRole": "arn:aws:iam::123456789012:role/spot-fleet",
            "targetCapacity": fleet.target,
            "fulfilledCapacity": fleet.instances.len(),
            "allocationStrategy": "lowestPrice",
            "type": "maintain",
            "launchTemplateConfigs": templates,
        },
        "tagSet": tags::listed(&fleet.tags),
    })
}
