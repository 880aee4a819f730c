//! `DescribeInstances` and its kin.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::instances::cluster_of_boot_script;
use super::super::launch_templates::no_such_template;
use super::super::{GROUP_TAG, Instance, InstanceState, LaunchSpec, Owner};
use super::launch_templates::{asked_template, is_spot};
use super::{filters, instant, page_of, required, stop_if_dry, tags};

/// `RunInstances`.
pub(super) fn run(world: &mut World, input: &Input) -> Answer {
    let mut spec = LaunchSpec::default();
    if input.has("LaunchTemplate") {
        let wish = input.inner("LaunchTemplate");
        let template = asked_template(world, &wish)?;
        let number = template.resolve(&wish.text("Version").unwrap_or_default());
        let version = super::super::super::autoscaling::TemplateVersion {
            id: template.id.clone(),
            version: number.unwrap_or(0),
        };
        spec = world
            .launch_spec(&version)
            .ok_or_else(|| no_such_template(&version.id))?;
    }
    spec.image_id = input.text("ImageId").or(spec.image_id);
    spec.instance_type = input.text("InstanceType").or(spec.instance_type);
    spec.key_name = input.text("KeyName").or(spec.key_name);
    spec.is_spot |= is_spot(input);
    if let Some(script) = input
        .text("UserData")
        .and_then(|data| STANDARD.decode(data).ok())
    {
        spec.cluster = cluster_of_boot_script(&String::from_utf8_lossy(&script));
    }
    spec.tags.extend(tags::wanted(input, "instance"));
    let count = input.integer("MaxCount").unwrap_or(1);
    stop_if_dry(input)?;
    let mut started = Vec::new();
    for _ in 0..count {
        match world.start_instance(spec.clone(), Owner::Nobody) {
            Ok(id) => started.push(id),
            Err(refusal) => {
                let least = input
                    .integer("MinCount")
                    .and_then(|least| usize::try_from(least).ok());
                if started.len() >= least.unwrap_or(1).max(1) {
                    break;
                }
                for id in &started {
                    world.terminate_instance(id, "Server.InternalError");
                }
                return Err(refusal);
            }
        }
    }
    let reservation = world.chance.id("r");
    let set: Vec<Value> = started
        .iter()
        .filter_map(|id| world.ec2.instance(id))
        .map(shown)
        .collect();
    Ok(json!({
        "reservationId": reservation, "ownerId": world.account, "groupSet": [],
        "instancesSet": set,
    }))
}

/// `DescribeInstances`.
pub(super) fn describe(world: &mut World, input: &Input) -> Answer {
    if !input.texts("InstanceId").is_empty() && input.has("MaxResults") {
        return Err(AwsError::new(
            400,
            "InvalidParameterCombination",
            "The parameter instancesSet cannot be used with the parameter maxResults",
        ));
    }
    let found = asked(world, input)?;
    stop_if_dry(input)?;
    let page = page_of(input, found, |instance| instance.id.clone())?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|instance| {
            json!({
                "reservationId": instance.id.replacen("i-", "r-", 1),
                "ownerId": world.account,
                "groupSet": [],
                "instancesSet": [shown(instance)],
            })
        })
        .collect();
    Ok(json!({ "reservationSet": set, "nextToken": page.next }))
}

/// `DescribeInstanceStatus`.
pub(super) fn statuses(world: &mut World, input: &Input) -> Answer {
    let all = input.truth("IncludeAllInstances") == Some(true);
    let mut found = asked(world, input)?;
    found.retain(|instance| all || instance.state == InstanceState::Running);
    stop_if_dry(input)?;
    let page = page_of(input, found, |instance| instance.id.clone())?;
    let set: Vec<Value> = page
        .items
        .into_iter()
        .map(|instance| {
            let health = if instance.booted {
                "ok"
            } else {
                "initializing"
            };
            let passed = if instance.booted {
                "passed"
            } else {
                "initializing"
            };
            let status = json!({
                "status": health,
                "details": [{ "name": "reachability", "status": passed }],
            });
            json!({
                "instanceId": instance.id,
                "availabilityZone": instance.zone,
                "instanceState": state(instance.state),
                "systemStatus": status.clone(),
                "instanceStatus": status,
            })
        })
        .collect();
    Ok(json!({ "instanceStatusSet": set, "nextToken": page.next }))
}

/// Finds the instances that a call names or filters.
fn asked<'a>(world: &'a World, input: &Input) -> Result<Vec<&'a Instance>, AwsError> {
    let ids = input.texts("InstanceId");
    if let Some(missing) = ids.iter().find(|id| world.ec2.instance(id).is_none()) {
        return Err(no_such_instance(missing));
    }
    // By id and once each, as a page needs them.
    let named: BTreeSet<&String> = ids.iter().collect();
    let filters = filters::read(input);
    let candidates: Vec<&Instance> = if !ids.is_empty() {
        let found = named.into_iter().filter_map(|id| world.ec2.instance(id));
        found.collect()
    } else if let Some(groups) = filters::exact_values(&filters, GROUP_TAG) {
        world.ec2.instances_of(groups)
    } else {
        world.ec2.instances().collect()
    };
    let mut found = Vec::new();
    for instance in candidates {
        if filters::pass(&filters, &instance.tags, |name| field(instance, name))? {
            found.push(instance);
        }
    }
    Ok(found)
}

fn field(instance: &Instance, name: &str) -> Option<String> {
    Some(match name {
        "instance-id" => instance.id.clone(),
        "instance-state-name" => instance.state.as_str().to_owned(),
        "instance-state-code" => instance.state.code().to_string(),
        "key-name" => instance.key_name.clone().unwrap_or_default(),
        "private-ip-address" => instance.private_ip.clone(),
        "image-id" => instance.image_id.clone(),
        "instance-type" => instance.instance_type.clone(),
        "availability-zone" => instance.zone.clone(),
        _ => return None,
    })
}

/// `TerminateInstances`.
pub(super) fn terminate(world: &mut World, input: &Input) -> Answer {
    let ids = input.texts("InstanceId");
    if let Some(missing) = ids.iter().find(|id| world.ec2.instance(id).is_none()) {
        return Err(no_such_instance(missing));
    }
    stop_if_dry(input)?;
    let mut set = Vec::new();
    for id in &ids {
        let state_of = |world: &World| world.ec2.instance(id).map(|found| state(found.state));
        let before = state_of(world);
        world.terminate_instance(id, "User initiated");
        set.push(json!({
            "instanceId": id, "previousState": before, "currentState": state_of(world),
        }));
    }
    Ok(json!({ "instancesSet": set }))
}

/// `GetConsoleOutput`.
pub(super) fn console_output(world: &mut World, input: &Input) -> Answer {
    let id = required(input, "InstanceId")?;
    let instance = world
        .ec2
        .instance(&id)
        .ok_or_else(|| no_such_instance(&id))?;
    stop_if_dry(input)?;
    let mut text = String::new();
    if instance.state != InstanceState::Pending {
        text.push_str("Amazon Linux 2\ncloud-init: running modules:config\n");
    }
    if instance.booted {
        // As cloud-init's module `keys_to_console` writes it.
        text.push_str("-----BEGIN SSH HOST KEY KEYS-----\n");
        text.push_str(&format!(
            "{} root@ip-{}\n",
            instance.host_key().public_key,
            instance.private_ip.replace('.', "-")
        ));
        text.push_str("-----END SSH HOST KEY KEYS-----\n");
        text.push_str("cloud-init: finished\n");
    }
    Ok(json!({
        "instanceId": id, "timestamp": instant(world.now), "output": STANDARD.encode(text),
    }))
}

fn no_such_instance(id: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidInstanceID.NotFound",
        format!("The instance ID '{id}' does not exist"),
    )
}

fn state(state: InstanceState) -> Value {
    json!({ "code": state.code(), "name": state.as_str() })
}

/// An instance as EC2 shows it.
fn shown(instance: &Instance) -> Value {
    let is_gone = instance.state == InstanceState::Terminated;
    let address = (!is_gone).then_some(&instance.private_ip);
    let dns = address.map(|ip| format!("ip-{}.ec2.internal", ip.replace('.', "-")));
    let state_reason = instance.reason.as_ref().map(|_| {
        json!({
            "code": "Client.UserInitiatedShutdown",
            "message": "Client.UserInitiatedShutdown: User initiated shutdown",
        })
    });
    json!({
        "instanceId": instance.id,
        "imageId": instance.image_id,
        "instanceState": state(instance.state),
        "privateDnsName": dns.unwrap_or_default(),
        "dnsName": "",
        "reason": instance.reason.clone().unwrap_or_default(),
        "stateReason": state_reason,
        "keyName": instance.key_name,
        "amiLaunchIndex": 0,
        "productCodes": [],
        "instanceType": instance.instance_type,
        "instanceLifecycle": instance.is_spot.then_some("spot"),
        "launchTime": instant(instance.launched),
        "placement": {
            "availabilityZone": instance.zone, "groupName": "", "tenancy": "default",
        },
        "monitoring": { "state": "enabled" },
        "subnetId": (!is_gone).then(|| format!("subnet-0{:0>16}", instance.zone.len())),
        "vpcId": (!is_gone).then_some("vpc-0a1b2c3d4e5f60718"),
        "privateIpAddress": address,
        "sourceDestCheck": true,
        "groupSet": [],
        "architecture": "x86_64",
        "rootDeviceType": "ebs",
        "rootDeviceName": "/dev/xvda",
        "blockDeviceMapping": [],
        "virtualizationType": "hvm",
        "clientToken": "",
        "tagSet": tags::listed(&instance.tags),
        "hypervisor": "xen",
        "networkInterfaceSet": [],
        "ebsOptimized": false,
        "enaSupport": true,
    })
}
