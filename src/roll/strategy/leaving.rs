//! Who is on the way out of the groups, and who of them is held by hooks of ours.

use std::time::Duration;

use super::hooks;
use super::surplus::has_surplus;
use crate::rack::{Group, PortError};
use crate::roll::run::Run;

/// Between two heartbeats for an instance that is held.
pub(super) const BETWEEN_BEATS: Duration = Duration::from_secs(600);

/// An instance that our hooks hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) group: String,
    pub(super) instance: String,
    /// The hooks of ours that its group has.
    pub(super) hooks: Vec<String>,
}

/// Who is on the way out.
#[derive(Debug, Default)]
pub(super) struct Leaving {
    /// The groups that were looked at.
    pub(super) groups: Vec<Group>,
    /// Those whom our hooks hold.
    pub(super) held: Vec<Held>,
    /// Those of whom it cannot be told yet whether our hooks will hold them.
    pub(super) coming: Vec<String>,
    /// Those whom only others hold.
    pub(super) others: Vec<String>,
    /// What could not be asked first; whoever it was about counts as held.
    pub(super) trouble: Option<PortError>,
}

impl Leaving {
    /// Returns how many are, or will be, held by our hooks.
    pub(super) fn ours(&self) -> usize {
        self.held.len() + self.coming.len()
    }

    /// Tells whether a group has more instances than it wants, of which some are about to go.
    pub(super) fn has_surplus(&self) -> bool {
        self.groups.iter().any(has_surplus)
    }

    fn keep(&mut self, error: PortError) {
        self.trouble.get_or_insert(error);
    }
}

impl Run<'_> {
    /// Looks who is on the way out of the groups whose instances are held, and has our hooks hold
    /// them for longer, before anything else can go wrong.
    pub(super) async fn leaving(&mut self) -> Result<Leaving, PortError> {
        let names = self.plan.touches.held.clone();
        let fleet = self.rack.fleet.clone();
        let mut found = Leaving {
            groups: fleet.groups(&names).await?,
            ..Leaving::default()
        };
        for group in found.groups.clone() {
            let members = group.members.into_iter();
            let out = members
                .filter(|it| matches!(it.lifecycle.as_str(), "Terminating" | "Terminating:Wait"));
            let out: Vec<_> = out.collect();
            if out.is_empty() {
                continue;
            }
            let hooks = match self.hooks_of(&group.name).await {
                Ok(hooks) => hooks,
                Err(error) => {
                    found.keep(error);
                    // What they were called when they were seen last.
                    self.tending.hooks.get(&group.name).cloned()
                }
            };
            for member in out {
                let Some(hooks) = hooks.clone() else {
                    found.coming.push(member.instance);
                    continue;
                };
                if hooks.is_empty() {
                    found.others.push(member.instance);
                    continue;
                }
                if member.lifecycle == "Terminating" {
                    found.coming.push(member.instance);
                    continue;
                }
                let one = Held {
                    group: group.name.clone(),
                    instance: member.instance,
                    hooks,
                };
                match self.beat(&one).await {
                    Ok(true) => found.held.push(one),
                    Ok(false) => found.others.push(one.instance),
                    Err(error) => {
                        found.keep(error);
                        found.held.push(one);
                    }
                }
            }
        }
        Ok(found)
    }

    /// Has our hooks hold an instance for longer, now and then; `false` when they do not hold it.
    async fn beat(&mut self, one: &Held) -> Result<bool, PortError> {
        if self.tending.released.contains(&one.instance) {
            return Ok(false);
        }
        let now = self.clock.now();
        if let Some(last) = self.tending.beats.get(&one.instance) {
            let passed = Duration::try_from(now.duration_since(*last));
            if passed.unwrap_or_default() < BETWEEN_BEATS {
                return Ok(true);
            }
        }
        let fleet = self.rack.fleet.clone();
        let mut is_held = false;
        for hook in &one.hooks {
            is_held |= fleet.hold(&one.group, hook, &one.instance).await?;
        }
        if is_held {
            self.tending.beats.insert(one.instance.clone(), now);
        }
        Ok(is_held)
    }

    /// Returns the names of our hooks on a group.
    async fn hooks_of(&mut self, group: &str) -> Result<Option<Vec<String>>, PortError> {
        let found = self.rack.fleet.hooks(group).await?;
        let ours = found.into_iter().filter(hooks::is_ours);
        let ours: Vec<String> = ours.map(|hook| hook.name).collect();
        self.tending.hooks.insert(group.to_owned(), ours.clone());
        Ok(Some(ours))
    }
}
