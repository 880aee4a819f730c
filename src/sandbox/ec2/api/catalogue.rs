//! What EC2 offers: images, instance types, zones, regions, limits. Only what a roll looks at.

use serde_json::{Value, json};

use super::super::super::api::{Answer, Input};
use super::super::super::quotas::vcpus_of;
use super::super::super::world::World;
use super::stop_if_dry;

/// `DescribeImages`: whatever image is asked for is there.
pub(super) fn images(world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let set: Vec<Value> = input
        .texts("ImageId")
        .into_iter()
        .map(|id| {
            json!({
                "imageId": id,
                "imageLocation": "amazon/amzn2-ami-ecs-hvm",
                "imageState": "available",
                "imageOwnerId": world.account,
                "isPublic": true,
                "architecture": "x86_64",
                "imageType": "machine",
                "name": "amzn2-ami-ecs-hvm",
                "rootDeviceType": "ebs",
                "rootDeviceName": "/dev/xvda",
                "virtualizationType": "hvm",
                "hypervisor": "xen",
                "creationDate": "2025-01-01T00:00:00.000Z",
            })
        })
        .collect();
    Ok(json!({ "imagesSet": set }))
}

/// `DescribeInstanceTypes`: processors as the name's size says, which is what quotas count.
pub(super) fn instance_types(_world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let set: Vec<Value> = input
        .texts("InstanceType")
        .into_iter()
        .map(|name| {
            let vcpus = vcpus_of(&name);
            json!({
                "instanceType": name,
                "currentGeneration": true,
                "vCpuInfo": {
                    "defaultVCpus": vcpus,
                    "defaultCores": vcpus.div_ceil(2),
                    "defaultThreadsPerCore": vcpus.min(2),
                },
                "memoryInfo": { "sizeInMiB": 2048 },
                "processorInfo": { "supportedArchitectures": ["x86_64"] },
            })
        })
        .collect();
    Ok(json!({ "instanceTypeSet": set }))
}

/// `DescribeAvailabilityZones`.
pub(super) fn zones(world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let region = &world.region;
    let set: Vec<Value> = [("a", 1), ("b", 2), ("c", 3)]
        .into_iter()
        .map(|(letter, number)| {
            json!({
                "zoneName": format!("{region}{letter}"),
                "zoneId": format!("use1-az{number}"),
                "zoneState": "available",
                "zoneType": "availability-zone",
                "regionName": region,
                "groupName": region,
                "optInStatus": "opt-in-not-required",
                "messageSet": [],
            })
        })
        .collect();
    Ok(json!({ "availabilityZoneInfo": set }))
}

/// `DescribeRegions`: the account knows its own only.
pub(super) fn regions(world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let region = &world.region;
    Ok(json!({
        "regionInfo": [{
            "regionName": region,
            "regionEndpoint": format!("ec2.{region}.amazonaws.com"),
            "optInStatus": "opt-in-not-required",
        }],
    }))
}

/// `DescribeAccountAttributes`.
pub(super) fn account_attributes(_world: &mut World, input: &Input) -> Answer {
    stop_if_dry(input)?;
    let asked = input.texts("AttributeName");
    let set: Vec<Value> = [
        ("supported-platforms", "VPC"),
        ("default-vpc", "vpc-0a1b2c3d4e5f60718"),
        ("max-instances", "20"),
        ("vpc-max-security-groups-per-interface", "5"),
        ("max-elastic-ips", "5"),
        ("vpc-max-elastic-ips", "5"),
    ]
    .into_iter()
    .filter(|(name, _)| asked.is_empty() || asked.iter().any(|asked| asked == name))
    .map(|(name, value)| {
        json!({ "attributeName": name, "attributeValueSet": [{ "attributeValue": value }] })
    })
    .collect();
    Ok(json!({ "accountAttributeSet": set }))
}
