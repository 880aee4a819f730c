//! Looks at a rack for a rehearsal: what its roll depends on, by list and describe calls only.

use std::collections::BTreeMap;

use super::observe::{
    ObservedGroup, Own, clusters_of, heed_stop_timeout, listeners, observed_groups, physical_ids,
    read_health,
};
use super::plan::{Advice, GroupPlan};
use super::preflight::{self, Refusal};
use super::reached::{GROUP, ObservedPolicy, reached_by_key};
use super::refresh;
use super::strategy::Strategy;
use crate::rack::{Cluster, Group, Hook, Instance, Launch, Rack, Stack};

/// What a roll of a rack's SSH key depends on.
#[derive(Debug, Clone)]
pub struct Survey {
    /// The stack.
    pub stack: Stack,
    /// The groups that roll, in the order of the template's resources.
    pub groups: Vec<SurveyedGroup>,
    /// Spot fleets that are replaced, by their names in the template.
    pub spot_fleets: Vec<String>,
    /// Instances of the groups that exist.
    pub instances: Vec<Instance>,
    /// The clusters that the stack has.
    pub clusters: Vec<Cluster>,
    /// The topics and functions of the stack, which its own lifecycle hooks notify.
    pub listeners: Vec<String>,
    /// The ARNs of services that the update itself deploys anew, since the key reaches what they
    /// are started from.
    pub redeployed: Vec<String>,
    /// The services of the rack's own API by their names, each with its name in the template.
    pub own_services: BTreeMap<String, String>,
}

/// A group that rolls.
#[derive(Debug, Clone)]
pub struct SurveyedGroup {
    /// How CloudFormation rolls it.
    pub plan: GroupPlan,
    /// The group.
    pub group: Group,
    /// The preferences of the instance refresh that its policy asks for; null without one.
    pub preferences: serde_json::Value,
    /// Its lifecycle hooks.
    pub hooks: Vec<Hook>,
    /// Its last launches, newest first.
    pub launches: Vec<Launch>,
}

/// Surveys a rack. Nothing is changed, and nothing is asked of it that could change anything.
///
/// # Errors
/// When the stack or its groups cannot be read, or a roll of them would be refused.
pub async fn survey(rack: &Rack) -> Result<Survey, Refusal> {
    survey_for(rack, Strategy::default()).await
}

/// Surveys a rack as [`survey`] does, for a roll that replaces its instances in a given way.
///
/// # Errors
/// As [`survey`], by what that way needs.
pub async fn survey_for(rack: &Rack, strategy: Strategy) -> Result<Survey, Refusal> {
    let stack = rack.stacks.describe(&rack.stack).await?;
    if stack.status.is_busy() {
        return Err(Refusal::busy(&stack.status));
    }
    let resources = rack.stacks.resources(&stack.id).await?;
    let reached = reached_by_key(rack, &stack, &resources).await?;
    let names = physical_ids(&resources, GROUP);
    let described = rack.fleet.groups(&names).await?;
    let instances = rack.fleet.instances(&names, &[]).await?;
    let mut reasons = preflight::stack_refusals(&stack);
    let observed = observed_groups(reached.groups, &described);
    let own = strategy == Strategy::Refresh;
    let refusals: fn(&ObservedGroup) -> Vec<Advice> = if own {
        refresh::refusals_of
    } else {
        preflight::group_refusals
    };
    reasons.extend(observed.iter().flat_map(refusals));
    let plan = |group: &ObservedGroup| {
        let led = || refresh::group_plan(group).filter(|_| own);
        preflight::group_plan(group).or_else(led)
    };
    let plans: Vec<GroupPlan> = observed.iter().filter_map(plan).collect();
    if reasons.is_empty() && plans.is_empty() {
        reasons.push(preflight::nothing_to_roll(rack, &stack));
    }
    if !reasons.is_empty() {
        return Err(Refusal::for_reasons(reasons));
    }
    let mut groups = Vec::new();
    for plan in plans {
        let found = described.iter().find(|group| group.name == plan.name);
        let Some(group) = found.cloned() else {
            continue;
        };
        let policies = observed.iter().filter(|it| it.name == plan.name);
        let mut preferences = policies.filter_map(|it| match &it.policy {
            ObservedPolicy::Refresh { preferences, .. } => Some(preferences.clone()),
            _ => None,
        });
        groups.push(SurveyedGroup {
            preferences: preferences.next().unwrap_or_default(),
            hooks: rack.fleet.hooks(&plan.name).await?,
            launches: rack.fleet.launches(&plan.name).await?,
            plan,
            group,
        });
    }
    let mut clusters = clusters_of(rack, &resources).await?;
    heed_stop_timeout(&stack, &mut clusters);
    read_health(rack, &mut clusters).await;
    Ok(Survey {
        groups,
        spot_fleets: reached.spot_fleets,
        instances,
        clusters,
        listeners: listeners(&resources),
        redeployed: reached.services,
        own_services: Own::among(&resources, &stack.id).services,
        stack,
    })
}
