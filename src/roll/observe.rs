//! Looks at a rack before a roll: everything that the plan is made from.

use std::collections::BTreeMap;

use super::forward::update_request;
use super::plan::{Plan, RollOptions};
use super::preflight::Refusal;
use crate::ids::RollId;
use crate::rack::{
    Group, Instance, KeyPair, KeyType, PortError, Rack, ResourceChange, Service, Stack,
    StackResource,
};
use crate::template::{Evaluator, Pseudo, Template};

/// What was seen of a rack. Plain data: the plan is a pure function of it.
#[derive(Debug, Clone)]
pub(super) struct Observed {
    pub(super) stack: Stack,
    /// Parameters that the template declares, with their types.
    pub(super) declared: BTreeMap<String, Declared>,
    /// Groups that the key's parameter reaches.
    pub(super) groups: Vec<ObservedGroup>,
    /// Spot fleets that it reaches, by their names in the template.
    pub(super) spot_fleets: Vec<String>,
    pub(super) instances: Vec<Instance>,
    pub(super) services: Vec<Service>,
    pub(super) changes: Option<Vec<ResourceChange>>,
    /// The key pair that the stack names, if EC2 still has it.
    pub(super) current_pair: Option<KeyPair>,
    pub(super) permissions: Result<(), PortError>,
    pub(super) key_store: Result<(), PortError>,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// Whether its value is looked up in the Parameter Store at every update.
    pub(super) from_ssm: bool,
    /// The type, as the template writes it.
    pub(super) kind: String,
}

/// An Auto Scaling group with how CloudFormation would roll it.
#[derive(Debug, Clone)]
pub(super) struct ObservedGroup {
    pub(super) logical_id: String,
    pub(super) name: String,
    /// `None` when Auto Scaling does not know it.
    pub(super) group: Option<Group>,
    pub(super) policy: ObservedPolicy,
}

/// The part of an `UpdatePolicy` that replaces instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObservedPolicy {
    /// There is none: instances stay as they are.
    None,
    /// The group is in a nested stack, whose template was not read.
    Nested,
    /// `AutoScalingRollingUpdate`.
    Rolling {
        batch: u32,
        min_in_service: u32,
        pause_secs: u64,
        wait_on_signals: bool,
    },
    /// `AutoScalingReplacingUpdate` with `WillReplace`: a whole new group.
    Replacing,
    /// `AutoScalingInstanceRefresh`.
    Refresh {
        strategy: String,
        min_healthy_percent: u32,
    },
}

const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
const SPOT_FLEET: &str = "AWS::EC2::SpotFleet";

/// Reads everything that a plan needs. A change set may be made, and is deleted again.
///
/// # Errors
/// When something that cannot be done without cannot be read.
pub(super) async fn observe(rack: &Rack, roll: &RollId) -> Result<Observed, Refusal> {
    let stack = rack.stacks.describe(&rack.stack).await?;
    let body = rack.stacks.template(&stack.id).await?;
    let template = Template::from_value(body.0).map_err(|error| Refusal::template(&error))?;
    let resources = rack.stacks.resources(&stack.id).await?;

    let given: BTreeMap<String, String> = stack
        .parameters
        .iter()
        .map(|p| (p.key.clone(), p.value.clone()))
        .collect();
    let evaluator = Evaluator::preflight(&template, &given, Pseudo::default());
    let policies: BTreeMap<String, ObservedPolicy> = evaluator
        .resources()
        .unwrap_or_default()
        .into_iter()
        .filter(|resource| resource.kind == GROUP)
        .map(|resource| {
            let policy = read_policy(&resource.update_policy);
            (resource.logical_id, policy)
        })
        .collect();
    let declared = template
        .parameters()
        .into_iter()
        .map(|(name, declaration)| {
            let from_ssm = declaration.is_ssm();
            (
                name,
                Declared {
                    from_ssm,
                    kind: declaration.kind,
                },
            )
        })
        .collect();

    let names = physical_ids(&resources, GROUP);
    let fleet_ids = physical_ids(&resources, SPOT_FLEET);
    let described = rack.fleet.groups(&names).await?;
    let instances = rack.fleet.instances(&names, &fleet_ids).await?;
    let affected = evaluator.affected_by(&rack.key_parameter);
    let in_nested =
        |resource: &StackResource| resource.stack != stack.id && resource.stack != stack.name;
    let groups = resources
        .iter()
        .filter(|resource| is_live(resource, GROUP))
        .filter(|resource| in_nested(resource) || affected.contains(&resource.logical_id))
        .map(|resource| ObservedGroup {
            group: described
                .iter()
                .find(|group| group.name == resource.physical_id)
                .cloned(),
            policy: if in_nested(resource) {
                ObservedPolicy::Nested
            } else {
                policies
                    .get(&resource.logical_id)
                    .cloned()
                    .unwrap_or(ObservedPolicy::None)
            },
            logical_id: resource.logical_id.clone(),
            name: resource.physical_id.clone(),
        })
        .collect();

    let current = stack
        .parameter(&rack.key_parameter)
        .unwrap_or_default()
        .to_owned();
    let current_pair = if current.is_empty() {
        None
    } else {
        rack.key_pairs.find(&current).await?
    };
    let changes = preview(rack, roll, &stack).await;
    let mut services = Vec::new();
    for cluster in physical_ids(&resources, "AWS::ECS::Cluster") {
        // Advice about services is worth having, and worth no refusal.
        services.extend(rack.services.in_cluster(&cluster).await.unwrap_or_default());
    }
    let permissions = settled(rack.key_pairs.check_permissions().await)?;
    let key_store = settled(rack.keys.check().await)?;
    Ok(Observed {
        declared,
        groups,
        spot_fleets: resources
            .iter()
            .filter(|resource| is_live(resource, SPOT_FLEET))
            .filter(|resource| in_nested(resource) || affected.contains(&resource.logical_id))
            .map(|resource| resource.logical_id.clone())
            .collect(),
        instances,
        services,
        changes,
        current_pair,
        permissions,
        key_store,
        stack,
    })
}

/// Takes a refusal for what it is, and the lack of an answer for a reason to ask again.
pub(super) fn settled(checked: Result<(), PortError>) -> Result<Result<(), PortError>, Refusal> {
    match checked {
        Err(error) if error.is_transient() => Err(error.into()),
        checked => Ok(checked),
    }
}

/// Asks a change set what the update would touch. An account that does not say is no obstacle.
async fn preview(rack: &Rack, roll: &RollId, stack: &Stack) -> Option<Vec<ResourceChange>> {
    if stack.status.is_busy() || stack.parameter(&rack.key_parameter).is_none() {
        return None;
    }
    let options = RollOptions {
        key_type: KeyType::Ed25519,
        keep_old: false,
    };
    let plan = Plan::bare(rack, roll.clone(), options, &stack.id);
    rack.stacks
        .preview(&update_request(&plan, stack))
        .await
        .unwrap_or_default()
}

/// Returns what the resources of a type are called in AWS.
pub(super) fn physical_ids(resources: &[StackResource], kind: &str) -> Vec<String> {
    let live = resources.iter().filter(|resource| is_live(resource, kind));
    live.map(|resource| resource.physical_id.clone()).collect()
}

fn is_live(resource: &StackResource, kind: &str) -> bool {
    resource.resource_type == kind
        && !resource.physical_id.is_empty()
        && resource.status != "DELETE_COMPLETE"
}

/// Reads an evaluated `UpdatePolicy`, with CloudFormation's defaults (AWS documentation,
/// "UpdatePolicy attribute").
fn read_policy(policy: &serde_json::Value) -> ObservedPolicy {
    let number = |value: &serde_json::Value, name: &str| -> Option<u32> {
        let value = value.get(name)?;
        value
            .as_u64()
            .map_or_else(|| value.as_str()?.parse().ok(), |n| u32::try_from(n).ok())
    };
    let truth = |value: &serde_json::Value, name: &str| {
        value
            .get(name)
            .is_some_and(|v| v.as_bool().unwrap_or(v.as_str() == Some("true")))
    };
    if let Some(refresh) = policy.get("AutoScalingInstanceRefresh") {
        let strategy = refresh
            .get("Strategy")
            .and_then(|s| s.as_str())
            .unwrap_or("Rolling");
        let preferences = refresh.get("Preferences").unwrap_or(refresh);
        return ObservedPolicy::Refresh {
            strategy: strategy.to_owned(),
            min_healthy_percent: number(preferences, "MinHealthyPercentage").unwrap_or(90),
        };
    }
    if let Some(rolling) = policy.get("AutoScalingRollingUpdate") {
        let wait_on_signals = truth(rolling, "WaitOnResourceSignals");
        let pause = rolling.get("PauseTime").and_then(|time| time.as_str());
        let default_pause = if wait_on_signals { 300 } else { 0 };
        return ObservedPolicy::Rolling {
            batch: number(rolling, "MaxBatchSize").unwrap_or(1),
            min_in_service: number(rolling, "MinInstancesInService").unwrap_or(0),
            pause_secs: pause.and_then(iso_seconds).unwrap_or(default_pause),
            wait_on_signals,
        };
    }
    if policy
        .get("AutoScalingReplacingUpdate")
        .is_some_and(|replacing| truth(replacing, "WillReplace"))
    {
        return ObservedPolicy::Replacing;
    }
    ObservedPolicy::None
}

/// Reads an ISO 8601 duration such as `PT5M` or `PT1H30M`, in seconds.
fn iso_seconds(text: &str) -> Option<u64> {
    let span: jiff::SignedDuration = text.parse().ok()?;
    u64::try_from(span.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn policies_are_read_with_their_defaults() {
        let rack = json!({"AutoScalingRollingUpdate": {
            "MaxBatchSize": "2", "MinInstancesInService": 3, "PauseTime": "PT5M",
            "WaitOnResourceSignals": "true"}});
        assert_eq!(
            read_policy(&rack),
            ObservedPolicy::Rolling {
                batch: 2,
                min_in_service: 3,
                pause_secs: 300,
                wait_on_signals: true
            }
        );
        let bare = json!({"AutoScalingRollingUpdate": {}});
        assert_eq!(
            read_policy(&bare),
            ObservedPolicy::Rolling {
                batch: 1,
                min_in_service: 0,
                pause_secs: 0,
                wait_on_signals: false
            }
        );
        let refresh = json!({"AutoScalingInstanceRefresh": {"Strategy": "ReplaceRootVolume"}});
        assert_eq!(
            read_policy(&refresh),
            ObservedPolicy::Refresh {
                strategy: "ReplaceRootVolume".to_owned(),
                min_healthy_percent: 90
            }
        );
        assert_eq!(read_policy(&json!(null)), ObservedPolicy::None);
        assert_eq!(
            read_policy(&json!({"AutoScalingScheduledAction": {}})),
            ObservedPolicy::None
        );
    }
}
