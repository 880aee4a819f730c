//! How a plan words what a strategy changes besides the key.

use std::collections::BTreeSet;

use super::Touches;
use crate::roll::plan::Plan;

/// Words what is changed in the groups before the stack is touched.
pub(in crate::roll) fn guard_words(plan: &Plan) -> String {
    let Touches {
        held,
        set_aside,
        beside,
        protected,
    } = &plan.touches;
    if held.is_empty() {
        return format!(
            "protect new instances of {} from scale-in",
            protected.join(", ")
        );
    }
    let until = match beside {
        None => "all new ones are there".to_owned(),
        Some(most) => format!("there are more than {most}, or all new ones are there"),
    };
    let own: BTreeSet<&str> = set_aside.iter().map(|it| it.hook.as_str()).collect();
    let own: Vec<&str> = own.into_iter().collect();
    let hook = match own.as_slice() {
        [] => "a lifecycle hook of the roll".to_owned(),
        own => format!("a lifecycle hook in place of {}", own.join(" and ")),
    };
    format!(
        "hold old instances of {} on their way out, by {hook}, until {until}",
        held.join(", ")
    )
}

/// Words what is done at the end, and what is waited for.
pub(in crate::roll) fn restore_words(plan: &Plan) -> (String, &'static str) {
    let what = if plan.touches.held.is_empty() {
        "empty surplus instances one by one, and end the protection"
    } else {
        "empty the old instances, let them go, and put the groups' hooks back"
    };
    let wait = "their tasks to run elsewhere";
    (what.to_owned(), wait)
}
