//! Looks at a rack before a roll: everything that the plan is made from.

use std::collections::{BTreeMap, BTreeSet};

use super::api::API_SERVICE;
use super::forward::update_request;
use super::plan::{Plan, RollOptions};
use super::preflight::Refusal;
use super::reached::{
    Declared, GROUP, ObservedPolicy, SERVICE, SPOT_FLEET, is_live, reached_by_key,
};
use super::strategy::Room;
use crate::ids::RollId;
use crate::rack::{
    Cluster, Group, Hook, Instance, KeyPair, PortError, Rack, ResourceChange, Stack, StackResource,
};

const CLUSTER: &str = "AWS::ECS::Cluster";
const HOOK: &str = "AWS::AutoScaling::LifecycleHook";
/// What a rack's template calls the services of its API.
const OWN_SERVICES: [&str; 2] = [API_SERVICE, "ServiceMonitorApi"];
/// What a rack's template calls the hooks that start its drain function.
const DRAIN_HOOKS: [&str; 2] = [
    "InstancesLifecycleTerminating",
    "SpotInstancesLifecycleTerminating",
];
/// What a lifecycle hook of a rack's template notifies, by the types of resources.
const LISTENERS: [&str; 2] = ["AWS::SNS::Topic", "AWS::Lambda::Function"];
/// The parameter of a rack's template that becomes `ECS_CONTAINER_STOP_TIMEOUT` of its instances.
const STOP_TIMEOUT: &str = "EcsContainerStopTimeout";

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
    pub(super) clusters: Vec<Cluster>,
    /// The lifecycle hooks of all groups, by the group's name.
    pub(super) hooks: BTreeMap<String, Vec<Hook>>,
    /// What of that is the rack's own.
    pub(super) own: Own,
    /// The topics and functions of the stack, which are the rack's own: whoever listens there to
    /// hooks empties instances.
    pub(super) listeners: Vec<String>,
    /// What could not be read of that, in words.
    pub(super) unread: Vec<String>,
    /// What the account may run besides, where the roll needs to know.
    pub(super) room: Option<Result<Room, PortError>>,
    pub(super) changes: Option<Vec<ResourceChange>>,
    /// The key pair that the stack names, if EC2 still has it.
    pub(super) current_pair: Option<KeyPair>,
    pub(super) permissions: Result<(), PortError>,
    pub(super) key_store: Result<(), PortError>,
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

/// What a rack's template has besides its groups, by the names of Convox's: apps are stacks of
/// their own, and whatever another template has may be anybody's.
#[derive(Debug, Clone, Default)]
pub(super) struct Own {
    /// The services of its API by their names, each with its name in the template.
    pub(super) services: BTreeMap<String, String>,
    /// The names of the hooks by which its drain function hears of instances that go.
    pub(super) drain_hooks: BTreeSet<String>,
}

impl Own {
    /// Finds what is the rack's own among the resources of its stack and of nested ones.
    pub(super) fn among(resources: &[StackResource], stack: &str) -> Self {
        let own = resources.iter().filter(|resource| resource.stack == stack);
        let (mut services, mut drain_hooks) = (BTreeMap::new(), BTreeSet::new());
        for resource in own {
            let (id, logical_id) = (&resource.physical_id, &resource.logical_id);
            if is_live(resource, SERVICE) && OWN_SERVICES.contains(&logical_id.as_str()) {
                // Its physical id is its ARN, which ends in its name.
                let name = id.rsplit_once('/').map_or(id.as_str(), |(_, name)| name);
                services.insert(name.to_owned(), logical_id.clone());
            }
            if is_live(resource, HOOK) && DRAIN_HOOKS.contains(&logical_id.as_str()) {
                drain_hooks.insert(id.clone());
            }
        }
        Self {
            services,
            drain_hooks,
        }
    }
}

impl Observed {
    /// Tells whether instances of a group are in a cluster.
    pub(super) fn is_in(&self, group: &str, cluster: &Cluster) -> bool {
        let members = self.instances.iter();
        let mut members = members.filter(|it| it.owner.as_deref() == Some(group));
        members.any(|member| cluster.hosts.iter().any(|host| host.instance == member.id))
    }
}

/// How much is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All of it.
    Whole,
    /// What a plan needs, and not what a change set would say for people to read.
    WithoutPreview,
}

/// Reads everything that a plan needs. A change set may be made, and is deleted again.
///
/// # Errors
/// When something that cannot be done without cannot be read.
pub(super) async fn observe(rack: &Rack, roll: &RollId, depth: Depth) -> Result<Observed, Refusal> {
    let stack = rack.stacks.describe(&rack.stack).await?;
    let resources = rack.stacks.resources(&stack.id).await?;
    let reached = reached_by_key(rack, &stack, &resources).await?;

    let names = physical_ids(&resources, GROUP);
    let fleet_ids = physical_ids(&resources, SPOT_FLEET);
    let described = rack.fleet.groups(&names).await?;
    let instances = rack.fleet.instances(&names, &fleet_ids).await?;
    let groups = observed_groups(reached.groups, &described);

    let current = stack
        .parameter(&rack.key_parameter)
        .unwrap_or_default()
        .to_owned();
    let current_pair = if current.is_empty() {
        None
    } else {
        rack.key_pairs.find(&current).await?
    };
    let changes = match depth {
        Depth::Whole => preview(rack, roll, &stack).await,
        Depth::WithoutPreview => None,
    };
    // Advice about services is worth having, and worth no refusal.
    let (mut clusters, mut hooks, mut unread) = (Vec::new(), BTreeMap::new(), Vec::new());
    for cluster in physical_ids(&resources, CLUSTER) {
        match rack.services.cluster(&cluster).await {
            Ok(read) => {
                let words = read.unread.iter();
                unread.extend(words.map(|words| format!("cluster {cluster}: {words}")));
                clusters.push(read);
            }
            Err(error) => unread.push(format!("cluster {cluster}: {error}")),
        }
    }
    heed_stop_timeout(&stack, &mut clusters);
    read_health(rack, &mut clusters).await;
    for group in names.iter().filter(|_| !clusters.is_empty()) {
        match rack.fleet.hooks(group).await {
            Ok(found) => drop(hooks.insert(group.clone(), found)),
            Err(error) => unread.push(format!("the hooks of {group}: {error}")),
        }
    }
    let permissions = settled(rack.key_pairs.check_permissions().await)?;
    let key_store = settled(rack.keys.check().await)?;
    Ok(Observed {
        declared: reached.declared,
        groups,
        spot_fleets: reached.spot_fleets,
        instances,
        clusters,
        hooks,
        own: Own::among(&resources, &stack.id),
        listeners: listeners(&resources),
        unread,
        room: None,
        changes,
        current_pair,
        permissions,
        key_store,
        stack,
    })
}

/// Joins the groups of the template with what Auto Scaling says of them.
pub(super) fn observed_groups(
    reached: Vec<(StackResource, ObservedPolicy)>,
    described: &[Group],
) -> Vec<ObservedGroup> {
    let join = |(resource, policy): (StackResource, ObservedPolicy)| ObservedGroup {
        group: described
            .iter()
            .find(|group| group.name == resource.physical_id)
            .cloned(),
        policy,
        logical_id: resource.logical_id,
        name: resource.physical_id,
    };
    reached.into_iter().map(join).collect()
}

/// Reads the clusters of the stack.
pub(super) async fn clusters_of(
    rack: &Rack,
    resources: &[StackResource],
) -> Result<Vec<Cluster>, PortError> {
    let mut clusters = Vec::new();
    for cluster in physical_ids(resources, CLUSTER) {
        clusters.push(rack.services.cluster(&cluster).await?);
    }
    Ok(clusters)
}

/// Reads what load balancers say of the services of clusters. It is worth having, and no reason to
/// do without the rest: what cannot be read is said.
pub(super) async fn read_health(rack: &Rack, clusters: &mut [Cluster]) {
    for cluster in clusters {
        let named = cluster.services.iter().flat_map(|it| &it.target_groups);
        let named: BTreeSet<String> = named.cloned().collect();
        if named.is_empty() {
            continue;
        }
        let named: Vec<String> = named.into_iter().collect();
        match rack.balancers.target_groups(&named).await {
            Ok(read) => {
                cluster.target_groups = read.found;
                cluster.health_unread = read.unread;
            }
            Err(error) => cluster
                .health_unread
                .push(format!("the target groups: {error}")),
        }
    }
}

/// Lists whom the rack's own lifecycle hooks may notify.
pub(super) fn listeners(resources: &[StackResource]) -> Vec<String> {
    let kinds = LISTENERS.iter();
    kinds
        .flat_map(|kind| physical_ids(resources, kind))
        .collect()
}

/// Gives tasks that do not say how long they may take to stop what their instances say: the rack's
/// parameter goes into `ECS_CONTAINER_STOP_TIMEOUT`.
pub(super) fn heed_stop_timeout(stack: &Stack, clusters: &mut [Cluster]) {
    let Some(secs) = stack.parameter(STOP_TIMEOUT).and_then(seconds) else {
        return;
    };
    let definitions = clusters.iter_mut().flat_map(|it| &mut it.definitions);
    for definition in definitions {
        definition.stop_timeout_secs.get_or_insert(secs);
    }
}

/// Reads a length of time: `90`, `90s` or `2m`.
fn seconds(text: &str) -> Option<u32> {
    let bare = text.trim().parse().ok();
    bare.or_else(|| {
        let span = humantime::parse_duration(text.trim()).ok()?;
        u32::try_from(span.as_secs()).ok()
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
    let options = RollOptions::DEFAULT;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_timeout_is_read_as_people_write_it() {
        for (text, secs) in [
            ("90", Some(90)),
            ("90s", Some(90)),
            (" 2m ", Some(120)),
            ("", None),
            ("soon", None),
        ] {
            assert_eq!(seconds(text), secs, "{text}");
        }
    }
}
