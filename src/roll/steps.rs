//! The steps of a plan, in order: what each changes, what it waits for, and how it is undone. Pure.

use super::plan::{GroupPlan, Plan, PlannedStep, RollPolicy, Step};
use super::strategy;

/// Lists the steps of a plan that is otherwise complete.
pub(super) fn steps(plan: &Plan) -> Vec<PlannedStep> {
    let new = &plan.new_key;
    let step = |step, changes: String, waits_for: Option<&str>, undo: Option<String>| PlannedStep {
        step,
        changes,
        waits_for: waits_for.map(str::to_owned),
        undo,
    };
    let delete_new = Some(format!("delete {new} in EC2 and in the key store"));
    let mut steps = Vec::new();
    if let Some(old) = &plan.old_key {
        let changes = format!("keep the private key of {old} under its own name");
        steps.push(step(Step::Preserve, changes, None, None));
    }
    steps.push(step(
        Step::Mint,
        format!(
            "make key pair {new} ({}), its private half to {}",
            plan.options.key_type.as_str(),
            plan.key_store
        ),
        None,
        delete_new.clone(),
    ));
    if !plan.touches.is_empty() {
        let undo = "what was there is put back, however the roll ends".to_owned();
        steps.push(step(
            Step::Guard,
            strategy::guard_words(plan),
            None,
            Some(undo),
        ));
    }
    steps.push(step(
        Step::Install,
        format!(
            "set stack parameter {} to {new}, and nothing else",
            plan.key_parameter
        ),
        None,
        delete_new.clone(),
    ));
    let led = |group: &GroupPlan| group.policy == RollPolicy::OwnRefresh;
    let replaces = if plan.refresh.is_some() && plan.groups.iter().all(led) {
        "give the groups the new launch template version (CloudFormation does)"
    } else {
        "replace the instances, batch by batch (CloudFormation does)"
    };
    steps.push(step(
        Step::Watch,
        replaces.to_owned(),
        Some("the stack to come to rest"),
        Some("CloudFormation rolls back to the old key by itself".to_owned()),
    ));
    if plan.refresh.is_some() {
        steps.push(step(
            Step::Refresh,
            "replace the instances by instance refreshes, one for each step".to_owned(),
            Some("each step's refresh, its proof and its gate"),
            Some("refresh back to the old launch template, then update the stack back".to_owned()),
        ));
    }
    if !plan.touches.is_empty() {
        let (changes, waits_for) = strategy::restore_words(plan);
        steps.push(step(Step::Restore, changes, Some(waits_for), None));
    }
    steps.push(step(
        Step::Verify,
        "nothing".to_owned(),
        Some("every live instance to report the new key"),
        None,
    ));
    steps.push(step(
        Step::Promote,
        format!("make {new} the default key in {}", plan.key_store),
        None,
        None,
    ));
    if let Some(old) = &plan.old_key {
        let changes = if plan.options.keep_old {
            format!("nothing: {old} stays, as asked")
        } else {
            format!("delete {old} in EC2 and in the key store")
        };
        steps.push(step(Step::Retire, changes, None, None));
    }
    steps
}
