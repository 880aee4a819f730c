//! What a strategy changes in a rack besides the key, decided beforehand from what was observed. Pure.

use serde::{Deserialize, Serialize};

use super::{Strategy, SurgeSize, hooks, movable, room};
use crate::rack::Hook;
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
    /// The groups' own hooks that those which hold instances stand in for meanwhile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub set_aside: Vec<SetAside>,
    /// The most instances that are held beside the new ones before the first of them is emptied;
    /// all of them where it is not said.
    #[serde(default)]
    pub beside: Option<u32>,
    /// Groups whose surplus is taken away one instance at a time: their new instances are
    /// protected from scale-in meanwhile.
    #[serde(default)]
    pub protected: Vec<String>,
}

/// A hook of a group that is taken off for as long as a roll lasts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetAside {
    /// The group's name in AWS.
    pub group: String,
    /// The hook's name.
    pub hook: String,
    /// Whom it notifies, by ARN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifies: Option<String>,
    /// Whether it is the one that starts the rack's own drain function, which a surge does
    /// without.
    pub is_drain: bool,
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
                set_aside: set_aside(observed),
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

/// Lists the hooks that ours stand in for.
fn set_aside(observed: &Observed) -> Vec<SetAside> {
    let groups = observed.groups.iter().filter(|it| it.group.is_some());
    let hooks = groups.flat_map(|group| {
        let own = observed.hooks.get(&group.name).into_iter().flatten();
        own.map(move |hook| (group, hook))
    });
    let replaced = hooks.filter(|(_, hook)| hooks::is_replaced(hook));
    let aside = replaced.map(|(group, hook)| SetAside {
        group: group.name.clone(),
        hook: hook.name.clone(),
        notifies: hook.target.clone(),
        is_drain: observed.own.drain_hooks.contains(&hook.name),
    });
    aside.collect()
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
        whole if whole.is_whole() => None,
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
    for group in &observed.groups {
        if matches!(group.policy, ObservedPolicy::Refresh { .. }) {
            reasons.push(advice(
                "surge-refresh-policy",
                format!(
                    "group {} is replaced by the instance refresh of its policy, which waits for \
                     each instance that is held, and fails when it gets no further for an hour",
                    group.logical_id
                ),
                "a MaxHealthyPercentage above 100 in that policy starts new instances first: roll \
                 with `--strategy cloudformation`",
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
    let clusters = observed.clusters.iter();
    reasons.extend(clusters.flat_map(|cluster| movable::refusals(&observed.own, cluster)));
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
        let aside = set_aside(observed).into_iter();
        warnings.extend(aside.filter(|it| !it.is_drain).map(|it| {
            advice(
                "surge-set-aside",
                format!(
                    "hook {} of {} is set aside for the roll: {} does not hear of the instances \
                     that go",
                    it.hook,
                    it.group,
                    it.notifies.as_deref().unwrap_or("whoever it notifies")
                ),
                "make sure that nothing is lost by it, or roll with `--strategy cloudformation`",
            )
        }));
        let clusters = observed.clusters.iter();
        warnings.extend(clusters.flat_map(|cluster| movable::warnings(&observed.own, cluster)));
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
