//! What a strategy changes in a rack besides the key, decided beforehand from what was observed. Pure.

use serde::{Deserialize, Serialize};

use super::{Strategy, SurgeSize, hooks, room};
use crate::rack::{Cluster, ClusterService, Hook};
use crate::roll::forward::{TAG_PROTECTED, TAG_ROLL};
use crate::roll::observe::{Observed, ObservedGroup};
use crate::roll::plan::{Advice, RollOptions};
use crate::roll::preflight::advice;
use crate::roll::reached::ObservedPolicy;

/// What a roll changes besides the key, and puts back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touches {
    /// Groups whose instances are held on their way out until their tasks run elsewhere, by their
    /// names in AWS.
    #[serde(default)]
    pub held: Vec<String>,
    /// The most instances that are held beside the new ones before the first of them is emptied;
    /// all of them where it is not said.
    #[serde(default)]
    pub beside: Option<u32>,
    /// Groups whose surplus is taken away one instance at a time: their new instances are
    /// protected from scale-in meanwhile.
    #[serde(default)]
    pub protected: Vec<String>,
}

impl Touches {
    /// Tells whether nothing but the key is changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty() && self.protected.is_empty()
    }

    /// Decides what is changed for a roll of what was observed.
    pub(in crate::roll) fn of(options: RollOptions, observed: &Observed) -> Self {
        let groups = observed.groups.iter();
        let names = |wanted: &dyn Fn(&ObservedGroup) -> bool| -> Vec<String> {
            let wanted = groups.clone().filter(|group| wanted(group));
            wanted.map(|group| group.name.clone()).collect()
        };
        match options.strategy {
            Strategy::Surge => Self {
                held: names(&|group| group.group.is_some()),
                beside: beside(options.surge, observed),
                protected: Vec::new(),
            },
            Strategy::CloudFormation if options.guard_rails => Self {
                protected: names(&|group| surplus(group) > 0),
                ..Self::default()
            },
            Strategy::CloudFormation | Strategy::Refresh => Self::default(),
        }
    }
}

/// Returns how many instances a group will have at the end beyond what it wants: CloudFormation
/// keeps so many in service until it gives the group its count back.
fn surplus(group: &ObservedGroup) -> u32 {
    let (ObservedPolicy::Rolling { min_in_service, .. }, Some(found)) =
        (&group.policy, &group.group)
    else {
        return 0;
    };
    if found.protects_new {
        return 0;
    }
    min_in_service.saturating_sub(found.desired)
}

fn beside(size: SurgeSize, observed: &Observed) -> Option<u32> {
    let found = observed.groups.iter().filter_map(|it| it.group.as_ref());
    let instances: u32 = found.map(|group| group.desired).sum();
    match size {
        SurgeSize::Percent(percent) if percent >= 100 => None,
        SurgeSize::Percent(percent) => Some((instances * percent).div_ceil(100).max(1)),
        SurgeSize::Count(count) if count >= instances => None,
        SurgeSize::Count(count) => Some(count.max(1)),
    }
}

/// Lists why a rack cannot be rolled in the way that is asked for.
pub(in crate::roll) fn refusals(options: RollOptions, observed: &Observed) -> Vec<Advice> {
    if options.strategy != Strategy::Surge {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    for fleet in &observed.spot_fleets {
        reasons.push(advice(
            "surge-spot-fleet",
            format!("spot fleet {fleet} is replaced as a whole: nothing can hold its instances"),
            "take the fleet out of the stack, or roll with `--strategy cloudformation`",
        ));
    }
    for group in &observed.groups {
        if matches!(
            group.policy,
            ObservedPolicy::Replacing | ObservedPolicy::Nested
        ) {
            reasons.push(advice(
                "surge-policy",
                format!(
                    "group {} is not known to be rolled: its instances cannot be held",
                    group.logical_id
                ),
                "give it an AutoScalingRollingUpdate policy, or roll with `--strategy \
                 cloudformation`",
            ));
        }
    }
    if observed.clusters.is_empty() {
        reasons.push(advice(
            "surge-cluster",
            "no ECS cluster of the stack can be read: nobody could see where tasks run",
            "allow ecs:List* and ecs:Describe*, or roll with `--strategy cloudformation`",
        ));
    }
    let unread = observed.unread.iter();
    let unread =
        unread.filter(|what| what.starts_with("cluster ") && !observed.clusters.is_empty());
    reasons.extend(unread.map(|what| {
        advice(
            "surge-unread",
            format!("{what}: nobody could see which instance is empty"),
            "allow ecs:List* and ecs:Describe*, or roll with `--strategy cloudformation`",
        )
    }));
    for (group, hook) in bare_hooks(observed) {
        if hook.default_result == "ABANDON" {
            reasons.push(advice(
                "surge-hook",
                format!(
                    "hook {} of {group} notifies nobody and abandons: when its time is up, Auto \
                     Scaling heeds no other hook and takes the instance",
                    hook.name
                ),
                "give it the default result CONTINUE, or roll with `--strategy cloudformation`",
            ));
        }
    }
    for cluster in &observed.clusters {
        let services = cluster.services.iter();
        reasons.extend(services.flat_map(|service| service_refusals(cluster, service)));
    }
    reasons.extend(room::refusals(options, observed));
    reasons
}

/// Lists the terminating hooks that ours do not stand in for, each with its group.
fn bare_hooks(observed: &Observed) -> impl Iterator<Item = (&str, &Hook)> {
    let groups = observed.groups.iter();
    let hooks = groups.flat_map(move |group| {
        let own = observed.hooks.get(&group.name).into_iter().flatten();
        own.map(move |hook| (group.name.as_str(), hook))
    });
    hooks.filter(|(_, hook)| {
        hook.is_terminating && !hooks::is_replaced(hook) && !hooks::is_ours(hook)
    })
}

/// Refuses a roll while hooks of another one are on a group: they hold instances that nobody
/// empties, and the group's own are gone.
pub(in crate::roll) fn left_over_hooks(observed: &Observed) -> Vec<Advice> {
    let mut reasons = Vec::new();
    for (group, hooks) in &observed.hooks {
        let Some(hook) = hooks.iter().find(|hook| hooks::is_ours(hook)) else {
            continue;
        };
        let (whose, hint) = match hooks::left_by(hook) {
            Some(roll) => (
                format!("roll {roll}"),
                format!("take it up: `convox rolls resume {roll}`"),
            ),
            None => (
                "another roll".to_owned(),
                "take that one up: `convox rolls list` shows it".to_owned(),
            ),
        };
        reasons.push(advice(
            "left-over-hook",
            format!(
                "{whose} left hook {} on {group}: it holds instances that nobody empties",
                hook.name
            ),
            hint,
        ));
    }
    reasons
}

/// Warns of what a strategy cannot see to, and of what another roll may have left behind.
pub(in crate::roll) fn warnings(options: RollOptions, observed: &Observed) -> Vec<Advice> {
    let mut warnings = room::warnings(options, observed);
    if options.strategy == Strategy::Surge {
        let going_on = bare_hooks(observed).filter(|(_, hook)| hook.default_result != "ABANDON");
        warnings.extend(going_on.map(|(group, hook)| {
            advice(
                "surge-other-hook",
                format!(
                    "hook {} of {group} notifies nobody directly: whoever else hears of it may \
                     stop tasks before they run elsewhere",
                    hook.name
                ),
                "make sure that nobody empties instances by it",
            )
        }));
    }
    let tags = observed.current_pair.as_ref().map(|pair| &pair.tags);
    let tag = |name: &str| tags.and_then(|tags| tags.get(name));
    let (Some(roll), Some(protected)) = (tag(TAG_ROLL), tag(TAG_PROTECTED)) else {
        return warnings;
    };
    for group in &observed.groups {
        let protects_new = group.group.as_ref().is_some_and(|it| it.protects_new);
        if protects_new && protected.split(',').any(|id| id == group.logical_id) {
            warnings.push(advice(
                "left-over-protection",
                format!(
                    "group {} protects new instances from scale-in, which roll {roll} may have left so",
                    group.logical_id
                ),
                format!(
                    "unless it is meant so, take that roll up (`convox rolls resume {roll}`), or end \
                     it: `aws autoscaling update-auto-scaling-group --auto-scaling-group-name {} \
                     --no-new-instances-protected-from-scale-in`",
                    group.name
                ),
            ));
        }
    }
    warnings
}

/// Tells whether no instance matters to a service, or each has a task of its own.
pub(in crate::roll) fn is_apart(service: &ClusterService) -> bool {
    service.is_fargate || service.is_daemon || service.desired == 0
}

/// Tells whether ECS may start a replacement before it stops a task of a service.
pub(in crate::roll) fn has_room_for_one_more(service: &ClusterService) -> bool {
    let percent = service.maximum_percent.unwrap_or(200);
    service.desired * percent / 100 > service.desired
}

/// Draining stops tasks before others run where the service's own configuration says so.
fn service_refusals(cluster: &Cluster, service: &ClusterService) -> Vec<Advice> {
    if is_apart(service) {
        return Vec::new();
    }
    let mut reasons = Vec::new();
    let name = &service.name;
    if service.minimum() == 0 {
        reasons.push(advice(
            "surge-minimum",
            format!("service {name} may have no healthy task (minimumHealthyPercent 0): draining would take all at once"),
            format!("set its minimumHealthyPercent to 50 or more in its stack, or `aws ecs update-service --cluster {} --service {name} --deployment-configuration minimumHealthyPercent=100,maximumPercent=200`", cluster.name),
        ));
    }
    if !has_room_for_one_more(service) {
        reasons.push(advice(
            "surge-maximum",
            format!(
                "service {name} may not have one task more than {} (maximumPercent {}): none can \
                 start before another stops",
                service.desired,
                service.maximum_percent.unwrap_or(200)
            ),
            "set its maximumPercent to 200 in its stack",
        ));
    }
    let ports = cluster.definitions.iter();
    let mut ports = ports.filter(|it| it.arn == service.definition);
    let takes_ports = ports.any(|it| !it.host_ports.is_empty());
    let hosts = cluster.hosts.iter().filter(|host| !host.is_draining);
    let hosts = u32::try_from(hosts.count()).unwrap_or(u32::MAX);
    if takes_ports && service.desired > hosts {
        reasons.push(advice(
            "surge-host-ports",
            format!(
                "service {name} wants {} tasks with a port of the host each, and there are {hosts} \
                 instances",
                service.desired
            ),
            "lower its count, or add instances",
        ));
    }
    reasons
}
