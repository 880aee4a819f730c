//! One roll of a rack that is reached through its account: what its steps share besides what
//! every roll has.

use std::ops::{Deref, DerefMut};

use super::base::Base;
pub(super) use super::base::{PATIENCE, Trouble};
use super::gate::GateState;
use super::outcome::{Outcome, Report};
use super::pacing::Pacing;
use super::revoke::KeyTools;
use super::strategy::Tending;
use super::tail::EventTail;
use super::tracker::Tracker;
use crate::rack::{PortError, Rack, Stack};

/// A roll in the making. Its steps are in the files beside this one.
pub(super) struct Run<'a> {
    pub(super) base: Base<'a>,
    pub(super) rack: Rack,
    pub(super) tail: EventTail,
    pub(super) tracker: Tracker,
    pub(super) pacing: Pacing,
    /// Whether events may be read from before the update, so that none is marked as seen.
    pub(super) resumed: bool,
    /// The instances that are held on their way out.
    pub(super) tending: Tending,
    /// What it takes to change which keys instances let in.
    pub(super) tools: Option<KeyTools>,
    /// How far it is with its gates.
    pub(super) gate: GateState,
}

impl<'a> Deref for Run<'a> {
    type Target = Base<'a>;

    fn deref(&self) -> &Base<'a> {
        &self.base
    }
}

impl<'a> DerefMut for Run<'a> {
    fn deref_mut(&mut self) -> &mut Base<'a> {
        &mut self.base
    }
}

impl Run<'_> {
    /// Tells whether the stack has the new key; an API key cannot be read back.
    pub(super) fn named_by(&self, stack: &Stack) -> Option<bool> {
        let named = stack.parameter(&self.plan.key_parameter);
        (!self.plan.is_api()).then(|| named == Some(self.plan.new_key.as_str()))
    }

    /// Repeats a call that is safe to repeat while it is throttled or not answered.
    ///
    /// # Errors
    /// The call's own, at once for one that repeating does not help.
    pub(super) async fn patiently<T>(
        &mut self,
        call: impl AsyncFn(&Rack) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let rack = self.rack.clone();
        self.base.repeat(async || call(&rack).await).await
    }

    /// Makes a report with what this roll knows, what failed first included.
    pub(super) fn report(&self, outcome: Outcome, message: impl Into<String>) -> Report {
        let failed = matches!(outcome, Outcome::RolledBack | Outcome::Stuck);
        let mut report = self.base.report(outcome, message);
        report.first_failure = self.tracker.first_failure().filter(|_| failed).cloned();
        report
    }
}
