//! Refuses plans that would be unsafe, whoever made them.

use super::plan::{Plan, Step};

/// Lists what is unsafe about a plan; an empty list means that it may be carried out.
///
/// A second pair of eyes on the planner: the order of the steps is what keeps people from
/// being locked out, so it is checked apart from the code that makes it.
pub(super) fn lint(plan: &Plan) -> Vec<String> {
    let mut faults = Vec::new();
    let place = |step: Step| plan.steps.iter().position(|planned| planned.step == step);
    let mut before = |earlier: Step, later: Step, why: &str| {
        if let Some(later_place) = place(later)
            && place(earlier).is_none_or(|earlier_place| earlier_place >= later_place)
        {
            faults.push(format!("{earlier} must come before {later}: {why}"));
        }
    };
    before(
        Step::Mint,
        Step::Install,
        "the private key must be kept before the stack names it",
    );
    if plan.is_api() {
        before(
            Step::Mint,
            Step::Stage,
            "whoever keeps the key must have the new one when another machine can go on",
        );
        if plan.api().is_some_and(|api| api.service.is_some()) {
            before(
                Step::Restart,
                Step::Verify,
                "processes have the new key only once they are restarted",
            );
        }
        before(
            Step::Stage,
            Step::Install,
            "the new key must be kept where nothing loses it before the API takes it",
        );
    }
    if plan.revocation().is_some() {
        before(
            Step::Preserve,
            Step::Admit,
            "the old key opens instances that start meanwhile",
        );
        before(
            Step::Admit,
            Step::Exclude,
            "an instance must let the new key in before it refuses the old one",
        );
        before(
            Step::Exclude,
            Step::Promote,
            "only a key that opens every instance becomes the default one",
        );
        let has_key = place(Step::Mint).is_some_and(|mint| Some(mint) < place(Step::Admit));
        if !has_key && !plan.revocation().is_some_and(|it| it.reused) {
            faults.push("there is no new key to let in".to_owned());
        }
        if plan.old_key.as_deref() == Some(plan.new_key.as_str()) {
            faults.push("the new key has the old key's name".to_owned());
        }
        return faults;
    }
    if plan.refresh.is_some() {
        before(
            Step::Watch,
            Step::Refresh,
            "a refresh goes to the launch template version that the update makes",
        );
        before(
            Step::Refresh,
            Step::Verify,
            "instances have the new key only once they are replaced",
        );
    }
    before(
        Step::Watch,
        Step::Verify,
        "instances are asked once the stack is at rest",
    );
    before(
        Step::Verify,
        Step::Promote,
        "only a proven key becomes the default one",
    );
    before(
        Step::Verify,
        Step::Retire,
        "the old key goes only once the new one is proven",
    );
    before(
        Step::Promote,
        Step::Retire,
        "the default key must never be a deleted one",
    );
    if plan.old_key.is_some() {
        before(
            Step::Preserve,
            Step::Promote,
            "promoting overwrites the classic setting",
        );
    }
    if plan.old_key.as_deref() == Some(plan.new_key.as_str()) {
        faults.push("the new key has the old key's name".to_owned());
    }
    if !plan.touches.is_empty() {
        let guard = place(Step::Guard);
        if guard.is_none() || guard > place(Step::Install) {
            faults.push("the groups must be ready before the stack is touched".to_owned());
        }
        if place(Step::Restore).is_none_or(|restore| Some(restore) < place(Step::Watch)) {
            faults.push("what is changed for the roll must be put back".to_owned());
        }
    }
    for step in [Step::Mint, Step::Install] {
        let has_undo = plan
            .steps
            .iter()
            .any(|planned| planned.step == step && planned.undo.is_some());
        if !has_undo {
            faults.push(format!("{step} has no way back"));
        }
    }
    faults
}
