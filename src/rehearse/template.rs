//! The part of a rack's template that a roll depends on, written anew from what was surveyed.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{RehearseError, Tweak};
use crate::rack::{Cluster, ClusterDefinition, ClusterService};
use crate::roll::{RollPolicy, Survey, SurveyedGroup};

/// A cluster that no instance of the rehearsal finds: that of instances which are in none.
const NO_CLUSTER: &str = "none";

/// Writes the template of a surveyed rack whose key pair is named by `parameter`.
pub(super) fn template(
    survey: &Survey,
    parameter: &str,
    tweak: &Tweak,
) -> Result<Value, RehearseError> {
    let mut resources = Map::new();
    for (number, cluster) in survey.clusters.iter().enumerate() {
        let properties = json!({ "ClusterName": cluster.name });
        resources.insert(
            format!("Cluster{number}"),
            json!({ "Type": "AWS::ECS::Cluster", "Properties": properties }),
        );
    }
    let clusters: Vec<String> = resources.keys().cloned().collect();
    let mut groups = Vec::new();
    for (group, name) in survey.groups.iter().zip(names(survey)) {
        add_group(&mut resources, survey, group, &name, parameter, tweak)?;
        resources[&name]["DependsOn"] = json!(clusters);
        groups.push(name);
    }
    for cluster in &survey.clusters {
        for service in &cluster.services {
            if !is_redeployed(survey, service) {
                continue;
            }
            let number = resources.len();
            let task = format!("Task{number}");
            // The rack's own are told by what they are called in the template.
            let known = survey.own_services.get(&service.name);
            let known = known.filter(|id| !resources.contains_key(*id));
            let own = known.map_or_else(|| format!("Service{number}"), Clone::clone);
            let mut definition = definition_of(cluster, service);
            definition["ContainerDefinitions"][0]["DockerLabels"] =
                json!({ "rack.SshKey": { "Ref": parameter } });
            let mut properties = service_of(cluster, service, tweak);
            properties["TaskDefinition"] = json!({ "Ref": task });
            resources.insert(
                task,
                json!({ "Type": "AWS::ECS::TaskDefinition", "Properties": definition }),
            );
            resources.insert(
                own,
                json!({ "Type": "AWS::ECS::Service", "Properties": properties, "DependsOn": groups }),
            );
        }
    }
    Ok(json!({
        "Parameters": { parameter: { "Type": "String", "Default": "" } },
        "Resources": resources,
    }))
}

/// Tells whether the update itself deploys a service anew.
pub(super) fn is_redeployed(survey: &Survey, service: &ClusterService) -> bool {
    let end = format!("/{}", service.name);
    survey.redeployed.iter().any(|arn| arn.ends_with(&end))
}

/// Names groups as the rack's template does; one name may be that of groups of several stacks.
fn names(survey: &Survey) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let names = survey.groups.iter().map(|group| {
        let name = &group.plan.logical_id;
        let times: &mut u32 = seen.entry(name.clone()).or_default();
        *times += 1;
        match times {
            1 => name.clone(),
            times => format!("{name}{times}"),
        }
    });
    names.collect()
}

fn add_group(
    resources: &mut Map<String, Value>,
    survey: &Survey,
    group: &SurveyedGroup,
    name: &str,
    parameter: &str,
    tweak: &Tweak,
) -> Result<(), RehearseError> {
    let launch = format!("{name}LaunchTemplate");
    let cluster = cluster_of(survey, group).unwrap_or(NO_CLUSTER);
    let data = json!({
        "KeyName": { "Ref": parameter },
        "UserData": { "Fn::Base64": format!("ECS_CLUSTER={cluster}\n") },
    });
    resources.insert(
        launch.clone(),
        json!({
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": { "LaunchTemplateData": data },
        }),
    );
    let now = &group.group;
    let mut properties = json!({
        "AutoScalingGroupName": now.name,
        "LaunchTemplate": {
            "LaunchTemplateId": { "Ref": launch },
            "Version": { "Fn::GetAtt": [launch, "LatestVersionNumber"] },
        },
        "MinSize": now.min,
        "MaxSize": now.max,
        "DesiredCapacity": now.desired,
    });
    if !now.termination_policies.is_empty() {
        properties["TerminationPolicies"] = json!(now.termination_policies);
    }
    resources.insert(
        name.to_owned(),
        json!({
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": properties,
            "UpdatePolicy": policy(group, tweak)?,
        }),
    );
    for (number, hook) in group.hooks.iter().enumerate() {
        let way = if hook.is_terminating {
            "TERMINATING"
        } else {
            "LAUNCHING"
        };
        let heartbeat = match tweak.drain_secs {
            Some(secs) if hook.is_terminating => hook.heartbeat_secs.max(secs),
            _ => hook.heartbeat_secs,
        };
        let mut properties = json!({
            "AutoScalingGroupName": { "Ref": name },
            "LifecycleHookName": hook.name,
            "LifecycleTransition": format!("autoscaling:EC2_INSTANCE_{way}"),
            "HeartbeatTimeout": heartbeat,
            "DefaultResult": hook.default_result,
        });
        if hook.is_handled {
            properties["NotificationTargetARN"] = json!("handled");
        }
        resources.insert(
            format!("{name}Hook{number}"),
            json!({ "Type": "AWS::AutoScaling::LifecycleHook", "Properties": properties }),
        );
    }
    Ok(())
}

/// Finds the cluster that most members of a group are in.
pub(super) fn cluster_of<'a>(survey: &'a Survey, group: &SurveyedGroup) -> Option<&'a str> {
    let has = |instance: &str| group.group.members.iter().any(|it| it.instance == instance);
    let members = |cluster: &Cluster| {
        cluster
            .hosts
            .iter()
            .filter(|host| has(&host.instance))
            .count()
    };
    let best = survey
        .clusters
        .iter()
        .max_by_key(|cluster| members(cluster));
    best.filter(|cluster| members(cluster) > 0)
        .map(|cluster| cluster.name.as_str())
}

fn policy(group: &SurveyedGroup, tweak: &Tweak) -> Result<Value, RehearseError> {
    match group.plan.policy {
        RollPolicy::RollingUpdate {
            batch,
            min_in_service,
            pause_secs,
            wait_on_signals,
        } => {
            let all = group.group.desired.min(group.group.max.saturating_sub(1));
            let least = if tweak.keeps_all_in_service {
                min_in_service.max(all)
            } else {
                min_in_service
            };
            let longer = match wait_on_signals {
                true => tweak.pause_secs,
                false => tweak.pause_secs.max(tweak.warm_up_secs),
            };
            let pause = pause_secs.max(longer.unwrap_or(0));
            Ok(json!({ "AutoScalingRollingUpdate": {
                "MaxBatchSize": tweak.batch.unwrap_or(batch),
                "MinInstancesInService": least,
                "PauseTime": format!("PT{pause}S"),
                "WaitOnResourceSignals": wait_on_signals,
                "SuspendProcesses": ["ScheduledActions"],
            } }))
        }
        RollPolicy::InstanceRefresh {
            min_healthy_percent,
        } => {
            // Checkpoints, warm-up and bake time take their time in a rehearsal too; alarms are quiet.
            let mut preferences = group.preferences.clone();
            if let Some(fields) = preferences.as_object_mut() {
                fields.remove("AlarmSpecification");
                fields.remove("Strategy");
            } else {
                preferences = json!({ "MinHealthyPercentage": min_healthy_percent });
            }
            if let Some(secs) = tweak.warm_up_secs {
                let longer = secs.max(warm_up_of(&preferences));
                preferences["InstanceWarmup"] = json!(longer);
            }
            Ok(json!({ "AutoScalingInstanceRefresh": {
                "Strategy": "Rolling", "Preferences": preferences,
            } }))
        }
        RollPolicy::OwnRefresh => Ok(Value::Null),
        RollPolicy::Replacing => Err(RehearseError::unknown_policy(
            group,
            "is replaced as a whole",
        )),
        RollPolicy::Nested => {
            let why = "is in a nested stack whose template cannot be read";
            Err(RehearseError::unknown_policy(group, why))
        }
    }
}

/// Returns how long new instances warm up by the preferences of an instance refresh, in seconds.
pub(super) fn warm_up_of(preferences: &Value) -> u64 {
    // Templates write numbers as text too.
    match &preferences["InstanceWarmup"] {
        Value::String(text) => text.parse().unwrap_or(0),
        other => other.as_u64().unwrap_or(0),
    }
}

/// Writes what a service is started from.
pub(super) fn definition_of(cluster: &Cluster, service: &ClusterService) -> Value {
    let mut definitions = cluster.definitions.iter();
    let found = definitions.find(|definition| definition.arn == service.definition);
    definition(&service.definition, found)
}

/// Writes a task definition with one container that takes what all of the true one's take.
pub(super) fn definition(arn: &str, known: Option<&ClusterDefinition>) -> Value {
    let mut container = json!({
        "Name": "main", "Image": "rehearsal", "Essential": true,
        "Cpu": known.map_or(0, |it| it.cpu), "Memory": known.map_or(0, |it| it.memory),
    });
    if let Some(known) = known {
        let ports = known.host_ports.iter();
        let ports = ports.map(|port| json!({ "HostPort": port, "ContainerPort": port }));
        container["PortMappings"] = ports.collect();
        if let Some(secs) = known.stop_timeout_secs {
            container["StopTimeout"] = json!(secs);
        }
    }
    json!({ "Family": family(arn), "ContainerDefinitions": [container] })
}

/// The family of a task definition, from its ARN.
pub(super) fn family(arn: &str) -> &str {
    let short = arn.rsplit_once('/').map_or(arn, |(_, short)| short);
    short.rsplit_once(':').map_or(short, |(family, _)| family)
}

/// Writes a service, what it is started from apart.
pub(super) fn service_of(cluster: &Cluster, service: &ClusterService, tweak: &Tweak) -> Value {
    let desired = match tweak.processes {
        Some(least) if service.desired > 0 && !service.is_daemon => service.desired.max(least),
        _ => service.desired,
    };
    let usual = if service.is_daemon {
        (0, 100)
    } else {
        (100, 200)
    };
    let least = service.minimum_healthy_percent.unwrap_or(usual.0);
    let least = tweak
        .minimum_healthy_percent
        .map_or(least, |tweak| tweak.max(least));
    let most = service.maximum_percent.unwrap_or(usual.1);
    // Nothing could ever be replaced of what may neither be more nor less.
    let most = if least > service.minimum_healthy_percent.unwrap_or(usual.0) {
        most.max(200)
    } else {
        most
    };
    // Those that nothing is known of check nobody in the copy.
    let known = |arn: &&String| cluster.target_groups.iter().any(|it| it.arn == **arn);
    let groups = service.target_groups.iter().filter(known);
    let balancers = groups
        .map(|arn| json!({ "TargetGroupArn": arn, "ContainerName": "main", "ContainerPort": 80 }));
    json!({
        "LoadBalancers": balancers.collect::<Vec<_>>(),
        "HealthCheckGracePeriodSeconds": service.health_check_grace_secs.unwrap_or(0),
        "Cluster": cluster.name,
        "ServiceName": service.name,
        "DesiredCount": desired,
        "LaunchType": if service.is_fargate { "FARGATE" } else { "EC2" },
        "SchedulingStrategy": if service.is_daemon { "DAEMON" } else { "REPLICA" },
        "DeploymentConfiguration": { "MinimumHealthyPercent": least, "MaximumPercent": most },
    })
}
