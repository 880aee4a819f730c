//! What speaks against replacing a group's instances by refreshes of our own. Pure.

use super::{RefreshPlan, RefreshSettings};
use crate::roll::observe::{Observed, ObservedGroup};
use crate::roll::plan::{Advice, GroupPlan, RollPolicy};
use crate::roll::preflight::{advice, group_refusals};
use crate::roll::reached::ObservedPolicy;

/// Refuses a group that no refresh can replace the instances of.
pub(in crate::roll) fn refusals_of(observed: &ObservedGroup) -> Vec<Advice> {
    let id = &observed.logical_id;
    let mut reasons = match &observed.policy {
        ObservedPolicy::None => {
            let mut without_policy = observed.clone();
            // Everything but the lack of a policy counts here as well.
            without_policy.policy = ObservedPolicy::Nested;
            group_refusals(&without_policy)
        }
        _ => group_refusals(observed),
    };
    match &observed.policy {
        ObservedPolicy::Rolling { .. } | ObservedPolicy::Replacing => reasons.push(advice(
            "not-refreshed",
            format!(
                "CloudFormation replaces the instances of {id} in the update itself: there would \
                 be nothing left to refresh"
            ),
            "leave `--strategy refresh` out, as for every stock Convox rack; or give the group an \
             AutoScalingInstanceRefresh policy in the template, or none",
        )),
        ObservedPolicy::Nested => reasons.push(advice(
            "not-refreshed",
            format!("the template of {id} cannot be read: nobody knows who replaces its instances"),
            "allow cloudformation:GetTemplate",
        )),
        ObservedPolicy::None => {
            let template = observed
                .group
                .as_ref()
                .and_then(|it| it.launch_template.as_ref());
            let is_numbered = template.is_some_and(|it| it.version.parse::<u64>().is_ok());
            if observed.group.is_some() && !is_numbered {
                reasons.push(advice(
                    "no-way-back",
                    format!(
                        "{id} names no launch template version by its number, so there would be \
                         nothing to go back to"
                    ),
                    "use `Version: !GetAtt Template.LatestVersionNumber` in the template",
                ));
            }
        }
        ObservedPolicy::Refresh { .. } => {}
    }
    let in_standby = observed.group.iter().flat_map(|group| &group.members);
    for member in in_standby.filter(|member| member.lifecycle.contains("Standby")) {
        reasons.push(advice(
            "standby",
            format!(
                "{} of {id} is in standby: a refresh waits for it, and fails",
                member.instance
            ),
            "bring it back into service, or terminate it",
        ));
    }
    reasons
}

/// Plans the refresh of a group that nobody else replaces the instances of.
pub(in crate::roll) fn group_plan(observed: &ObservedGroup) -> Option<GroupPlan> {
    let group = observed.group.as_ref()?;
    (observed.policy == ObservedPolicy::None).then(|| GroupPlan {
        logical_id: observed.logical_id.clone(),
        name: observed.name.clone(),
        policy: RollPolicy::OwnRefresh,
        instances: u32::try_from(group.members.len()).unwrap_or(u32::MAX),
        min: group.min,
        max: group.max,
    })
}

/// Plans the refreshes of all groups that nobody else replaces the instances of.
pub(in crate::roll) fn drafted(
    observed: &Observed,
    settings: &RefreshSettings,
) -> (Vec<GroupPlan>, Option<RefreshPlan>) {
    let groups: Vec<GroupPlan> = observed.groups.iter().filter_map(group_plan).collect();
    let templates = observed.groups.iter().filter_map(|observed| {
        let template = observed.group.as_ref()?.launch_template.clone()?;
        Some((observed.name.clone(), template))
    });
    let is_led = |name: &String| groups.iter().any(|group| group.name == *name);
    let refresh = RefreshPlan {
        settings: settings.clone(),
        before: templates.filter(|(name, _)| is_led(name)).collect(),
    };
    let refresh = (!groups.is_empty()).then_some(refresh);
    (groups, refresh)
}
