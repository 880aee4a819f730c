//! Auto Scaling: groups, their members, activities, hooks and refreshes.

mod activities;
mod api;
mod configurations;
mod groups;
mod hooks;
mod members;
mod refresh;
mod spec;
#[cfg(test)]
mod tests;
mod wishes;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::world::World;

pub use api::handle;
pub use configurations::LaunchConfiguration;
pub use groups::Group;
pub use members::{Lifecycle, Member};
pub use spec::{
    GroupChange, GroupSpec, GroupView, HookSpec, MemberView, TemplateVersion, WantedVersion,
};
pub use wishes::{RefreshWishes, Stance};

pub(crate) use hooks::on_drained;
pub(crate) use members::{on_instance_running, on_instance_terminated};

/// Auto Scaling's part of the account.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct AutoScaling {
    groups: BTreeMap<String, Group>,
    /// Launch configurations, by name.
    configurations: BTreeMap<String, LaunchConfiguration>,
    /// Where each member is: its group and its number there.
    places: BTreeMap<String, (String, u64)>,
    refreshes: BTreeMap<String, refresh::Refresh>,
}

/// Auto Scaling's things to come.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Due {
    /// A group tries again after a launch that failed.
    Retry(String),
    /// A hook's handler answers.
    HookAnswered {
        /// The instance that the hook holds.
        instance: String,
        /// The hook's name.
        hook: String,
        /// Which time the hook held it.
        token: String,
    },
    /// A hook has had no heartbeat for as long as it waits.
    HookTimeout {
        /// The instance that the hook holds.
        instance: String,
        /// The hook's name.
        hook: String,
        /// Which time the hook held it.
        token: String,
    },
    /// A refresh looks at its group.
    Refresh(String),
}

/// Carries out what is due.
pub fn on_due(world: &mut World, due: Due) {
    match due {
        Due::Retry(group) => groups::on_retry(world, &group),
        Due::HookAnswered {
            instance,
            hook,
            token,
        } => {
            hooks::on_answer(world, &instance, &hook, &token);
        }
        Due::HookTimeout {
            instance,
            hook,
            token,
        } => {
            hooks::on_timeout(world, &instance, &hook, &token);
        }
        Due::Refresh(id) => refresh::on_tick(world, &id),
    }
}
