//! Which groups and fleets an update of the key's parameter reaches, nested stacks included.

use std::collections::{BTreeMap, BTreeSet};

use super::preflight::Refusal;
use crate::rack::{PortError, Rack, Stack, StackResource, TemplateBody};
use crate::template::{Evaluator, Pseudo, Template};

pub(super) const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";
pub(super) const SPOT_FLEET: &str = "AWS::EC2::SpotFleet";
pub(super) const SERVICE: &str = "AWS::ECS::Service";
const NESTED_STACK: &str = "AWS::CloudFormation::Stack";

/// What an update of one parameter reaches.
#[derive(Debug, Default)]
pub(super) struct Reached {
    /// Auto Scaling groups with how CloudFormation would roll them.
    pub(super) groups: Vec<(StackResource, ObservedPolicy)>,
    /// Spot fleets, by their names in the template.
    pub(super) spot_fleets: Vec<String>,
    /// ECS services, by their ARNs: what they are started from has the key.
    pub(super) services: Vec<String>,
    /// Parameters that the root template declares.
    pub(super) declared: BTreeMap<String, Declared>,
}

/// A declared parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// Whether its value is looked up in the Parameter Store at every update.
    pub(super) from_ssm: bool,
    /// The type, as the template writes it.
    pub(super) kind: String,
}

/// The part of an `UpdatePolicy` that replaces instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObservedPolicy {
    /// There is none: instances stay as they are.
    None,
    /// The group is in a nested stack whose template cannot be read.
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
        /// All preferences, as the template has them.
        preferences: serde_json::Value,
    },
}

/// Reads the templates of the stack and of those nested stacks that the key's parameter reaches.
///
/// # Errors
/// When the stack's own template cannot be read, or the account asks for patience.
pub(super) async fn reached_by_key(
    rack: &Rack,
    stack: &Stack,
    resources: &[StackResource],
) -> Result<Reached, Refusal> {
    let body = rack.stacks.template(&stack.id).await?;
    reached_by_key_of(rack, stack, body, resources).await
}

/// As [`reached_by_key`], with the stack's own template as it was read already.
pub(super) async fn reached_by_key_of(
    rack: &Rack,
    stack: &Stack,
    body: TemplateBody,
    resources: &[StackResource],
) -> Result<Reached, Refusal> {
    let template = Template::from_value(body.0).map_err(|error| Refusal::template(&error))?;
    let mut reached = Reached {
        declared: declared(&template),
        ..Reached::default()
    };
    let key = BTreeSet::from([rack.key_parameter.clone()]);
    let mut waiting = reached.read(stack, &template, &key, resources);
    while let Some((nested, parameters)) = waiting.pop() {
        match read_stack(rack, &nested).await {
            Ok((stack, template)) => {
                waiting.extend(reached.read(&stack, &template, &parameters, resources));
            }
            Err(error) if error.is_transient() => return Err(error.into()),
            Err(_) => reached.take_unread(&nested, resources),
        }
    }
    Ok(reached)
}

async fn read_stack(rack: &Rack, stack: &str) -> Result<(Stack, Template), PortError> {
    let described = rack.stacks.describe(stack).await?;
    let body = rack.stacks.template(stack).await?;
    let template = Template::from_value(body.0).map_err(|error| PortError::Rejected {
        api: "GetTemplate",
        code: "UnreadableTemplate".to_owned(),
        message: error.to_string(),
    })?;
    Ok((described, template))
}

impl Reached {
    /// Adds what `parameters` of one stack reach in it, and returns the nested stacks among
    /// that: their ids, and their own parameters that are reached.
    fn read(
        &mut self,
        stack: &Stack,
        template: &Template,
        parameters: &BTreeSet<String>,
        resources: &[StackResource],
    ) -> Vec<(String, BTreeSet<String>)> {
        let given: BTreeMap<String, String> = stack
            .parameters
            .iter()
            .map(|parameter| (parameter.key.clone(), parameter.value.clone()))
            .collect();
        let evaluator = Evaluator::preflight(template, &given, Pseudo::default());
        let affected: BTreeSet<String> = parameters
            .iter()
            .flat_map(|parameter| evaluator.affected_by(parameter))
            .collect();
        let mut nested = Vec::new();
        for resource in live_of(&stack.id, resources) {
            if !affected.contains(&resource.logical_id) {
                continue;
            }
            match resource.resource_type.as_str() {
                GROUP => {
                    let evaluated = evaluator.resource(&resource.logical_id).ok().flatten();
                    let policy = evaluated.map(|group| read_policy(&group.update_policy));
                    let policy = policy.unwrap_or(ObservedPolicy::None);
                    self.groups.push((resource.clone(), policy));
                }
                SPOT_FLEET => self.spot_fleets.push(resource.logical_id.clone()),
                SERVICE => self.services.push(resource.physical_id.clone()),
                NESTED_STACK => {
                    let own: BTreeSet<String> = parameters
                        .iter()
                        .flat_map(|p| evaluator.nested_parameters(&resource.logical_id, p))
                        .collect();
                    if !own.is_empty() {
                        nested.push((resource.physical_id.clone(), own));
                    }
                }
                _ => {}
            }
        }
        nested
    }

    /// Takes all groups and fleets of a nested stack, since nobody knows which are reached.
    fn take_unread(&mut self, stack: &str, resources: &[StackResource]) {
        for resource in live_of(stack, resources) {
            match resource.resource_type.as_str() {
                GROUP => self.groups.push((resource.clone(), ObservedPolicy::Nested)),
                SPOT_FLEET => self.spot_fleets.push(resource.logical_id.clone()),
                _ => {}
            }
        }
    }
}

fn declared(template: &Template) -> BTreeMap<String, Declared> {
    let parameters = template.parameters().into_iter();
    parameters
        .map(|(name, declaration)| {
            let from_ssm = declaration.is_ssm();
            let kind = declaration.kind;
            (name, Declared { from_ssm, kind })
        })
        .collect()
}

fn live_of<'a>(
    stack: &str,
    resources: &'a [StackResource],
) -> impl Iterator<Item = &'a StackResource> {
    let stack = stack.to_owned();
    resources.iter().filter(move |resource| {
        resource.stack == stack && is_live(resource, &resource.resource_type)
    })
}

/// Tells whether a resource is there and of a type.
pub(super) fn is_live(resource: &StackResource, kind: &str) -> bool {
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
            preferences: preferences.clone(),
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
                min_healthy_percent: 90,
                preferences: json!({"Strategy": "ReplaceRootVolume"}),
            }
        );
        assert_eq!(read_policy(&json!(null)), ObservedPolicy::None);
        assert_eq!(
            read_policy(&json!({"AutoScalingScheduledAction": {}})),
            ObservedPolicy::None
        );
    }
}
