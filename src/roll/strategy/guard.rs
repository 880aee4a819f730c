//! Gets a rack ready for a roll, and puts back what was changed for it.

use std::time::Duration;

use super::{Strategy, hooks};
use crate::roll::journal::Effect;
use crate::roll::outcome::Outcome;
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};

/// How long instances that are held at the end may take to be emptied.
const EMPTYING: Duration = Duration::from_secs(2 * 3600);
/// After this long at rest, no new instance is waited for any more.
const JOINING: Duration = Duration::from_secs(900);
/// Between two looks at them.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

impl Run<'_> {
    /// Changes what the strategy needs to be otherwise, before the stack is touched.
    pub(in crate::roll) async fn guard(&mut self) -> Result<(), Trouble> {
        if self.plan.touches.is_empty() {
            return Ok(());
        }
        self.check_stop()?;
        self.begin(Step::Guard);
        self.started(Effect::GuardRack).await?;
        for group in self.plan.touches.held.clone() {
            self.patiently(async |rack| hooks::take(rack, &group).await)
                .await?;
        }
        for group in self.plan.touches.protected.clone() {
            let asked = self
                .patiently(async |rack| rack.fleet.protect_new(&group, true).await)
                .await;
            if let Err(error) = asked {
                // The roll is what it would be without: nobody is worse off than before.
                self.warn(format!(
                    "the surplus of {group} cannot be held at the end: {error}"
                ));
            }
        }
        self.finished(Effect::GuardRack).await?;
        let detail = match self.plan.options.strategy {
            Strategy::Surge => "instances on their way out are held",
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

    /// Empties what is still held, takes the surplus away, and puts back what was changed.
    pub(in crate::roll) async fn settle_rack(&mut self, goes_back: bool) -> Result<(), Trouble> {
        if self.plan.touches.is_empty() {
            return Ok(());
        }
        self.begin(Step::Restore);
        self.wait_until_none_is_held(goes_back).await?;
        self.shrink().await?;
        self.put_back().await?;
        self.done(Step::Restore, "the groups are as they were");
        Ok(())
    }

    /// Puts back what was changed, which nothing can need any more.
    pub(in crate::roll) async fn put_back(&mut self) -> Result<(), Trouble> {
        if self.plan.touches.is_empty() {
            return Ok(());
        }
        self.started(Effect::PutBackRack).await?;
        for group in self.plan.touches.held.clone() {
            self.patiently(async |rack| hooks::put_back(rack, &group).await)
                .await?;
        }
        for group in self.plan.touches.protected.clone() {
            if let Err(error) = self.unprotect(&group).await {
                if error.is_transient() {
                    return Err(error.into());
                }
                self.warn(format!(
                    "group {group} may still protect instances: {error}"
                ));
            }
        }
        self.finished(Effect::PutBackRack).await?;
        Ok(())
    }

    async fn wait_until_none_is_held(&mut self, goes_back: bool) -> Result<(), Trouble> {
        let began = self.clock.now();
        loop {
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            let passed = passed.unwrap_or_default();
            match self.tend(goes_back || passed > JOINING).await {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.is_transient() => self.tell_of_retry(&error, BETWEEN_LOOKS),
                Err(error) => return Err(error.into()),
            }
            if passed > EMPTYING {
                let why = "the tasks of instances on their way out do not come up elsewhere";
                return Err(Trouble::new(why).hint("make room for them in the cluster"));
            }
            self.wait(BETWEEN_LOOKS).await?;
        }
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
