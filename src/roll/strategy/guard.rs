//! Gets a rack ready for a roll, and puts back what was changed for it.

use std::time::Duration;

use jiff::Timestamp;

use super::leaving::BETWEEN_BEATS;
use super::{Strategy, hooks};
use crate::rack::PortError;
use crate::roll::event::EventKind;
use crate::roll::journal::Effect;
use crate::roll::outcome::Outcome;
use crate::roll::plan::Step;
use crate::roll::run::{PATIENCE, Run, Trouble};

/// How long nobody may answer while instances are held: after that no heartbeat can have reached
/// Auto Scaling for as long as our hooks hold anybody without one.
const UNANSWERED: Duration = Duration::from_secs(3600);
/// After this long at rest, no new instance is waited for any more.
const JOINING: Duration = Duration::from_secs(900);
/// How long instances that were on their way out before may take to be gone: twice what the rack's
/// own function gives them.
const LEAVING: Duration = Duration::from_secs(600);
/// How long Auto Scaling may take to begin to take a surplus away.
const TAKING: Duration = Duration::from_secs(300);
/// Between two looks at them.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);
/// The same where nothing has come of many: what takes hours need not be looked at so often.
const BETWEEN_LATE_LOOKS: Duration = Duration::from_secs(60);
/// What is so once the groups are ready for a surge.
const HELD: &str = "instances on their way out are held";
/// An instance that there is none of.
const NOBODY: &str = "i-00000000000000000";

impl Run<'_> {
    /// Changes what the strategy needs to be otherwise, before the stack is touched.
    pub(in crate::roll) async fn guard(&mut self) -> Result<(), Trouble> {
        if self.plan.touches.is_empty() {
            return Ok(());
        }
        self.check_stop()?;
        self.begin(Step::Guard);
        let held = self.plan.touches.held.clone();
        if !held.is_empty() {
            if self.wait_for_rest().await? {
                self.tending.guarded = true;
                self.done(Step::Guard, HELD);
                return Ok(());
            }
            self.prove_holding(&held).await?;
        }
        self.tending.guarded = true;
        self.started(Effect::GuardRack).await?;
        let roll = self.plan.roll.clone();
        for group in &held {
            self.patiently(async |rack| hooks::join(rack, group, &roll).await)
                .await?;
        }
        self.prove_letting_go(&held).await?;
        self.wait_for_others().await?;
        for group in &held {
            self.patiently(async |rack| hooks::take_off(rack, group).await)
                .await?;
        }
        self.hold_surplus().await?;
        self.finished(Effect::GuardRack).await?;
        let detail = match self.plan.options.strategy {
            Strategy::Surge => HELD,
            _ => "surplus instances are held",
        };
        self.done(Step::Guard, detail);
        Ok(())
    }

    /// Does the same before another update goes back, when the rack is as it was already. What
    /// cannot be changed then does not bar the way.
    pub(in crate::roll) async fn guard_the_way_back(&mut self) -> Result<(), Trouble> {
        match self.guard().await {
            Ok(()) => Ok(()),
            Err(_) if self.stop.is_requested() => {
                let trouble = Trouble::new("interrupted on the way back");
                Err(trouble.outcome(Outcome::Detached))
            }
            Err(trouble) => {
                let why = trouble.message;
                self.warn(format!("the way back goes without guard rails: {why}"));
                Ok(())
            }
        }
    }

    /// Looks whether heartbeats may be sent, and instances let go, by a word about an instance that
    /// no hook holds.
    async fn prove_letting_go(&mut self, groups: &[String]) -> Result<(), Trouble> {
        for group in groups {
            let found = self
                .patiently(async |rack| rack.fleet.hooks(group).await)
                .await?;
            let Some(hook) = found.into_iter().find(hooks::is_ours) else {
                continue;
            };
            let name = hook.name;
            let asked = [
                self.patiently(async |rack| rack.fleet.hold(group, &name, NOBODY).await)
                    .await,
                self.patiently(async |rack| rack.fleet.let_go(group, &name, NOBODY).await)
                    .await,
            ];
            // Whatever else it is refused for is about that instance.
            for refused in asked.into_iter().filter_map(Result::err) {
                if matches!(refused, PortError::Denied { .. }) {
                    return Err(refused.into());
                }
            }
        }
        Ok(())
    }

    /// Waits until nobody else changes the stack: their update may be taking instances. `true` when
    /// it is our own update that changes it, of which a roll that is resumed may know nothing: then
    /// the groups are ready.
    async fn wait_for_rest(&mut self) -> Result<bool, Trouble> {
        let id = self.plan.stack_id.clone();
        let began = self.clock.now();
        let mut wait = Duration::from_secs(2);
        loop {
            let stack = self
                .patiently(async |rack| rack.stacks.describe(&id).await)
                .await?;
            if !stack.status.is_busy() {
                return Ok(false);
            }
            let named = self.named_by(&stack) == Some(true);
            if named || (self.resumed && self.update_has_begun().await) {
                return Ok(true);
            }
            let status = stack.status.to_string();
            if self.passed_since(began) + wait > self.wait_busy.max(Duration::from_secs(60)) {
                let why = format!("the stack is {status}: another operation is under way");
                let trouble = Trouble::new(why).outcome(Outcome::Busy);
                return Err(trouble.hint("wait longer for other updates with `--wait-busy 30m`"));
            }
            let retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.emit(EventKind::Busy {
                status,
                retry_in_ms,
            });
            self.tend_meanwhile(true).await;
            if !self.pause(wait).await {
                self.check_stop()?;
            }
            wait = (wait * 2).min(Duration::from_secs(15));
        }
    }

    /// Looks whether everything may be done that holding instances takes, by calls that change
    /// nothing: what fails later leaves instances held, and their tasks on them.
    async fn prove_holding(&mut self, groups: &[String]) -> Result<(), Trouble> {
        let roll = self.plan.roll.clone();
        for group in groups {
            self.patiently(async |rack| hooks::prove(rack, group, &roll).await)
                .await?;
        }
        self.prove_draining().await?;
        Ok(())
    }

    /// Sets an instance to `ACTIVE` that is.
    pub(super) async fn prove_draining(&mut self) -> Result<(), PortError> {
        for cluster in self.plan.clusters.clone() {
            let name = cluster.name;
            let hosts = self
                .patiently(async |rack| rack.services.loads(&name).await)
                .await?;
            if let Some(host) = hosts.into_iter().find(|host| !host.is_draining) {
                let one = vec![host.instance];
                self.patiently(async |rack| rack.services.drain(&name, &one, false).await)
                    .await?;
            }
        }
        Ok(())
    }

    /// Waits until nobody is on the way out who began it before our hooks were there: the hook
    /// that holds them is about to be taken off, and they would go with all their tasks.
    async fn wait_for_others(&mut self) -> Result<(), Trouble> {
        if self.plan.touches.held.is_empty() {
            return Ok(());
        }
        let began = self.clock.now();
        let mut told = false;
        loop {
            let found = self.leaving().await;
            let found = found.and_then(|mut found| match found.trouble.take() {
                Some(error) => Err(error),
                None => Ok(found),
            });
            let first = match found {
                Ok(found) => match found.others.into_iter().chain(found.coming).next() {
                    Some(first) => first,
                    None => return Ok(()),
                },
                Err(error) if error.is_transient() => {
                    self.tell_of_retry(&error, BETWEEN_LOOKS);
                    "an instance".to_owned()
                }
                Err(error) => return Err(error.into()),
            };
            if self.passed_since(began) > LEAVING {
                let why = format!(
                    "{first} has been on its way out for {} minutes",
                    LEAVING.as_secs() / 60
                );
                return Err(Trouble::new(why).hint("roll again once it is gone"));
            }
            if !told {
                told = true;
                self.warn(format!("waiting for {first} to go: it is on its way out"));
            }
            self.tend_meanwhile(true).await;
            if !self.pause(BETWEEN_LOOKS).await {
                self.check_stop()?;
            }
        }
    }

    /// Empties what is still held, takes the surplus away, and puts back what was changed.
    pub(in crate::roll) async fn settle_rack(&mut self, goes_back: bool) -> Result<(), Trouble> {
        if self.plan.touches.is_empty() {
            return Ok(());
        }
        self.begin(Step::Restore);
        loop {
            self.wait_until_none_is_held(goes_back).await?;
            self.shrink().await?;
            if self.put_back().await? {
                break;
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
        self.done(Step::Restore, "the groups are as they were");
        Ok(())
    }

    /// Tells whether anything may have been changed that must be put back.
    pub(in crate::roll) fn is_guarded(&self) -> bool {
        !self.plan.touches.is_empty() && (self.tending.guarded || self.resumed)
    }

    /// Puts back what was changed; `false` when somebody began to leave meanwhile, whom our hooks
    /// still hold.
    async fn put_back(&mut self) -> Result<bool, Trouble> {
        self.started(Effect::PutBackRack).await?;
        let held = self.plan.touches.held.clone();
        for group in &held {
            self.patiently(async |rack| hooks::put_back(rack, group).await)
                .await?;
        }
        // From here on whoever begins to leave is held by the group's own hooks as well.
        if !held.is_empty() {
            match self.leaving().await {
                Ok(found) if found.trouble.is_none() && found.ours() == 0 => {}
                _ => return Ok(false),
            }
        }
        for group in &held {
            self.patiently(async |rack| hooks::leave(rack, group).await)
                .await?;
        }
        for group in self.plan.touches.protected.clone() {
            if let Err(error) = self.end_protection(&group).await {
                if error.is_transient() {
                    return Err(error.into());
                }
                self.warn(format!(
                    "group {group} may still protect instances: {error}"
                ));
            }
        }
        self.finished(Effect::PutBackRack).await?;
        Ok(true)
    }

    /// Holds on until everybody is let go, for as long as that takes: giving up would let them go
    /// with their tasks when nobody holds them any more.
    ///
    /// # Errors
    /// When they cannot be held, or somebody asks to stop.
    async fn wait_until_none_is_held(&mut self, goes_back: bool) -> Result<(), Trouble> {
        let began = self.clock.now();
        let mut refused = None;
        let mut unanswered = None;
        loop {
            let passed = self.passed_since(began);
            let wait = looks_after(passed);
            match self.tend(goes_back || passed > JOINING).await {
                Ok(found) => {
                    (refused, unanswered) = (None, None);
                    self.tell_of_trouble(None);
                    // A surplus is about to be taken, unless somebody keeps Auto Scaling from it.
                    let is_over = !found.has_surplus() || passed > TAKING;
                    if found.ours() == 0 && is_over {
                        return Ok(());
                    }
                }
                Err(error) if error.is_transient() => {
                    let since = *unanswered.get_or_insert(self.clock.now());
                    if self.passed_since(since) > UNANSWERED && !self.are_held() {
                        return Err(error.into());
                    }
                    self.tell_of_retry(&error, wait);
                }
                Err(error) => {
                    let since = *refused.get_or_insert(self.clock.now());
                    if self.passed_since(since) > PATIENCE && !self.are_held() {
                        return Err(error.into());
                    }
                    self.tell_of_trouble(Some(&error));
                }
            }
            self.wait(wait).await?;
        }
    }

    /// Tells whether Auto Scaling has taken a heartbeat of late: whatever else may not be done,
    /// somebody is held.
    fn are_held(&self) -> bool {
        let mut beats = self.tending.beats.iter();
        beats.any(|(id, at)| {
            !self.tending.released.contains(id) && self.passed_since(*at) < BETWEEN_BEATS * 2
        })
    }

    fn passed_since(&self, began: Timestamp) -> Duration {
        let passed = Duration::try_from(self.clock.now().duration_since(began));
        passed.unwrap_or_default()
    }

    /// Waits, unless somebody asks to stop.
    pub(super) async fn wait(&mut self, span: Duration) -> Result<(), Trouble> {
        if self.pause(span).await {
            return Ok(());
        }
        let trouble = Trouble::new("stopped before the groups were as they were");
        Err(trouble.outcome(Outcome::Detached))
    }
}

/// Returns how long to wait for the next look, after having looked for so long.
fn looks_after(passed: Duration) -> Duration {
    (passed / 60).clamp(BETWEEN_LOOKS, BETWEEN_LATE_LOOKS)
}
