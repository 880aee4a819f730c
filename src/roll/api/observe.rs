//! Looks at a rack before a roll of its API key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::stage::api_update_request;
use super::value::NewKey;
use super::{API_KEY_PARAMETER, API_SERVICE};
use crate::ids::RollId;
use crate::rack::{
    ApiKeyAccess, PortError, Rack, ResourceChange, ServiceState, Stack, StackResource,
};
use crate::roll::observe::{physical_ids, settled};
use crate::roll::plan::Plan;
use crate::roll::preflight::Refusal;
use crate::template::{Evaluator, ParameterDeclaration, Pseudo, Template};

/// What was seen of a rack and its API. Plain data: the plan is a pure function of it.
#[derive(Debug, Clone)]
pub(in crate::roll) struct Observed {
    pub(super) stack: Stack,
    pub(super) declared: BTreeMap<String, ParameterDeclaration>,
    /// What is wrong with a new value, in CloudFormation's words; never the value.
    pub(super) unfit: Vec<String>,
    pub(super) service: Option<ObservedService>,
    /// Instances that the API's processes can run on.
    pub(super) hosts: u32,
    pub(super) changes: Option<Vec<ResourceChange>>,
    pub(super) key_store: Result<(), PortError>,
    pub(super) probe: Probe,
    pub(super) holders: Vec<String>,
}

/// The API's service.
#[derive(Debug, Clone)]
pub(super) struct ObservedService {
    pub(super) cluster: String,
    pub(super) arn: String,
    pub(super) state: ServiceState,
    /// The port that a process takes on its host, which has it only once.
    pub(super) host_port: Option<u16>,
    /// Whether the task definition itself names the key's parameter (racks before 2023).
    pub(super) in_definition: bool,
}

/// What the API said to the key that is thought to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Probe {
    /// Nobody knows where the API is.
    Unknown,
    /// It does not answer.
    Silent(String),
    /// It answers, but no key that opens it is known.
    Answers(String),
    /// It takes the key.
    Opens(String),
    /// It refuses the key.
    Refuses(String),
}

/// Reads everything that a plan needs. A change set may be made, and is deleted again.
///
/// # Errors
/// When something that cannot be done without cannot be read.
pub(in crate::roll) async fn observe(
    rack: &Rack,
    roll: &RollId,
    api: &ApiKeyAccess,
    new: &NewKey,
) -> Result<Observed, Refusal> {
    let stack = rack.stacks.describe(&rack.stack).await?;
    let body = rack.stacks.template(&stack.id).await?;
    let template = Template::from_value(body.0).map_err(|error| Refusal::template(&error))?;
    let resources = rack.stacks.resources(&stack.id).await?;
    let declared = template.parameters();
    let unfit = unfit(&declared, new);
    let service = find_service(rack, &stack, &template, &resources).await?;
    let hosts = hosts(rack, &resources).await?;
    let key_store = settled(rack.keys.check().await)?;
    let mut holders = Vec::new();
    for holder in &api.holders {
        holders.push(holder.describe());
    }
    let mut changes = None;
    if unfit.is_empty() && !stack.status.is_busy() && stack.parameter(API_KEY_PARAMETER).is_some() {
        let plan = Plan::bare_api(rack, roll.clone(), &stack.id);
        let request = api_update_request(&plan, &stack, new);
        // An account that does not say is no obstacle.
        changes = rack.stacks.preview(&request).await.unwrap_or_default();
    }
    Ok(Observed {
        unfit,
        service,
        hosts,
        changes,
        key_store,
        probe: ask(api, new).await?,
        holders,
        declared,
        stack,
    })
}

/// Checks the new values against what the template says of them.
fn unfit(declared: &BTreeMap<String, ParameterDeclaration>, new: &NewKey) -> Vec<String> {
    use secrecy::ExposeSecret as _;
    let mut all: BTreeMap<&str, &str> = new
        .set
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    all.insert(API_KEY_PARAMETER, new.value.expose_secret());
    let mut problems = Vec::new();
    for (name, value) in all {
        let Some(declaration) = declared.get(name) else {
            if name != API_KEY_PARAMETER {
                problems.push(format!("the template has no parameter {name}"));
            }
            continue;
        };
        if name == API_KEY_PARAMETER && value.is_empty() {
            // A rack that has no password asks nobody for one (its API's own code).
            problems.push(format!("an empty {name} opens the rack's API to everybody"));
            continue;
        }
        if value == "****" {
            problems.push(format!(
                "the new {name} is **** , which is how a masked value reads"
            ));
        }
        if let Err(problem) = declaration.check(value) {
            problems.push(problem.to_string());
        }
    }
    problems
}

/// Finds the API's service, by its name in the rack's template.
async fn find_service(
    rack: &Rack,
    stack: &Stack,
    template: &Template,
    resources: &[StackResource],
) -> Result<Option<ObservedService>, Refusal> {
    let is_live = |resource: &&StackResource| {
        resource.logical_id == API_SERVICE
            && resource.resource_type == "AWS::ECS::Service"
            && !resource.physical_id.is_empty()
            && resource.status != "DELETE_COMPLETE"
    };
    let Some(service) = resources.iter().find(is_live) else {
        return Ok(None);
    };
    let arn = service.physical_id.clone();
    let clusters = physical_ids(resources, "AWS::ECS::Cluster");
    let named = cluster_of(&arn).map(str::to_owned);
    let Some(cluster) = named.or_else(|| clusters.first().cloned()) else {
        return Ok(None);
    };
    let state = rack.services.service(&cluster, &arn).await?;
    let given: BTreeMap<String, String> = stack
        .parameters
        .iter()
        .map(|p| (p.key.clone(), p.value.clone()))
        .collect();
    let evaluator = Evaluator::preflight(template, &given, Pseudo::default());
    let definition = template
        .entry("Resources", API_SERVICE)
        .and_then(|service| service.pointer("/Properties/TaskDefinition/Ref"))
        .and_then(Value::as_str);
    let naming = template.resources_naming(API_KEY_PARAMETER);
    Ok(Some(ObservedService {
        cluster,
        arn,
        state,
        host_port: definition
            .and_then(|name| evaluator.resource(name).ok().flatten())
            .and_then(|resource| host_port(&resource.properties)),
        in_definition: definition.is_some_and(|name| naming.contains(name)),
    }))
}

/// The cluster's name in a service's ARN of the long form.
fn cluster_of(arn: &str) -> Option<&str> {
    let (_, names) = arn.split_once(":service/")?;
    names.split_once('/').map(|(cluster, _)| cluster)
}

fn host_port(definition: &Value) -> Option<u16> {
    let containers = definition.get("ContainerDefinitions")?.as_array()?.iter();
    let mappings = containers.filter_map(|container| container.get("PortMappings")?.as_array());
    let ports = mappings.flatten().filter_map(|mapping| {
        let port = mapping.get("HostPort")?;
        let text = port
            .as_str()
            .map_or_else(|| port.to_string(), str::to_owned);
        text.parse().ok().filter(|port| *port != 0)
    });
    ports.into_iter().next()
}

/// Counts the instances that the API's processes can run on: all but those that only build.
async fn hosts(rack: &Rack, resources: &[StackResource]) -> Result<u32, Refusal> {
    let groups: Vec<String> = resources
        .iter()
        .filter(|resource| !resource.logical_id.starts_with("Build"))
        .filter(|resource| resource.resource_type == "AWS::AutoScaling::AutoScalingGroup")
        .filter(|resource| !resource.physical_id.is_empty())
        .map(|resource| resource.physical_id.clone())
        .collect();
    let groups = rack.fleet.groups(&groups).await?;
    let members = groups
        .iter()
        .map(|group| group.members.len())
        .sum::<usize>();
    Ok(u32::try_from(members).unwrap_or(u32::MAX))
}

/// Asks the API itself, with the key that somebody keeps.
async fn ask(api: &ApiKeyAccess, new: &NewKey) -> Result<Probe, Refusal> {
    let Some(probe) = &api.probe else {
        return Ok(Probe::Unknown);
    };
    let name = probe.describe();
    let current = current_of(api).await?;
    let is_known = current.is_some();
    let asked = current.unwrap_or_else(|| new.value.clone());
    Ok(match probe.accepts(&asked).await {
        Ok(true) if is_known => Probe::Opens(name),
        Ok(false) if is_known => Probe::Refuses(name),
        Ok(_) => Probe::Answers(name),
        Err(error) => Probe::Silent(format!("{name}: {error}")),
    })
}

/// Returns the key that somebody gives out now.
pub(super) async fn current_of(
    api: &ApiKeyAccess,
) -> Result<Option<secrecy::SecretString>, PortError> {
    for holder in &api.holders {
        if let Some(current) = holder.current().await? {
            return Ok(Some(current));
        }
    }
    Ok(None)
}
