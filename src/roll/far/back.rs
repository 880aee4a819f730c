//! The way back: the new key is forgotten, once the rack takes only the old one.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::Far;
use super::install::is_unauthorized;
use super::watch::Watched;
use crate::rack::{PortError, Progress};
use crate::roll::api::{Proof, Question};
use crate::roll::base::Trouble;
use crate::roll::event::EventKind;
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;

impl Far<'_> {
    /// Somebody wants the old key back: has the rack set it again, and forgets the new one.
    ///
    /// That is safe whatever the rack's stack holds: if it went back already, nobody having
    /// seen it, CloudFormation says that there is nothing to change.
    pub(super) async fn cancel(&mut self) -> Report {
        let report = if !self.is_asked {
            let trouble = Trouble::new("the roll was taken back before the rack changed");
            self.turn_back(trouble).await
        } else if self.is_back {
            self.go_back().await
        } else {
            match self.set_old_key_again().await {
                Ok(()) => self.go_back().await,
                Err(report) => *report,
            }
        };
        self.base.close(report).await
    }

    /// Has the rack set the key that it had, with whichever of the two it takes just now.
    async fn set_old_key_again(&mut self) -> Result<(), Box<Report>> {
        let (Some(old), Some(new)) = (self.old.clone(), self.value()) else {
            return Err(Box::new(self.not_cancelled("a key is not known any more")));
        };
        let changes = BTreeMap::from([(
            self.plan.key_parameter.clone(),
            old.expose_secret().to_owned(),
        )]);
        self.note(Entry::Started(Effect::CancelUpdate)).await;
        let began = self.clock.now();
        let mut wait = Duration::from_secs(2);
        let (asked_at, is_unchanged) = loop {
            let asked_at = self.clock.now();
            let mut set = self.rack.api.set_with(&old, &changes).await;
            if matches!(&set, Err(error) if is_unauthorized(error)) {
                set = self.rack.api.set_with(&new, &changes).await;
            }
            let passed = Duration::try_from(asked_at.duration_since(began)).unwrap_or_default();
            let error = match set {
                Ok(()) => break (asked_at, false),
                Err(PortError::NoChanges) => break (asked_at, true),
                Err(error) => error,
            };
            if let PortError::Busy { status, .. } = &error
                && passed + wait <= self.wait_busy
            {
                self.emit(EventKind::Busy {
                    status: status.clone(),
                    retry_in_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                });
                if self.pause(wait).await {
                    wait = (wait * 2).min(Duration::from_secs(15));
                    continue;
                }
            }
            let message = error.to_string();
            // What may have been carried out is asked for again, by a resume as well.
            if !error.is_unanswered() {
                let effect = Effect::CancelUpdate;
                let message = message.clone();
                self.note(Entry::Failed { effect, message }).await;
            }
            return Err(Box::new(self.not_cancelled(&message)));
        };
        self.progress = Progress::of_update(asked_at);
        if is_unchanged {
            self.progress.see();
        }
        self.is_cancelled = true;
        self.is_back = true;
        self.note(Entry::Finished(Effect::CancelUpdate)).await;
        self.note(Entry::TurnedBack).await;
        if let Some(api) = self.plan.api().filter(|api| !api.also.is_empty()) {
            let others = api.also.join(", ");
            self.warn(format!("{others} stays as the roll has set it"));
        }
        Ok(())
    }

    /// Nothing is taken back: the roll stands as it stood.
    fn not_cancelled(&self, why: &str) -> Report {
        let mut report = self.report(Outcome::Stuck, format!("the roll is not taken back: {why}"));
        report.hints = vec![
            "`convox rack wait` waits while the rack is updating; then cancel once more".to_owned(),
            "both keys are kept until then".to_owned(),
        ];
        report
    }

    /// The rack goes back: waits for its rest.
    pub(super) async fn go_back(&mut self) -> Report {
        match self.watch().await {
            // What went back is the update that was to bring the old key back.
            Watched::RolledBack if self.is_cancelled => {
                self.is_back = false;
                self.not_back("its stack could not set the old key again")
            }
            Watched::Complete | Watched::RolledBack => self.gone_back().await,
            Watched::Stuck => self.stuck(),
            Watched::Stopped => self.not_back("stopped following the way back"),
            Watched::Lost(why) => self.not_back(&format!("cannot follow the way back: {why}")),
        }
    }

    /// The rack has gone back: asks its API, and forgets the new key.
    pub(super) async fn gone_back(&mut self) -> Report {
        self.begin(Step::Verify);
        if let (Some(old), Some(new)) = (self.old.clone(), self.value()) {
            // Processes that were started meanwhile may have the new key, which is about to go.
            match self.ask(&Question::backward(old, new)).await {
                Proof::Proven { .. } => {}
                Proof::Refuted(why) => return self.not_back(&why),
                Proof::NotAsked | Proof::Stopped => {
                    return self.not_back("interrupted on the way back");
                }
            }
        }
        let now = self.clock.now();
        self.outage.stop(now);
        if let Err(left) = self.discard_value().await {
            return self.not_back(&left.message);
        }
        let mut report = self.report(
            Outcome::RolledBack,
            if self.is_cancelled {
                "the roll was taken back; the old key works"
            } else {
                "the update was rolled back; the old key still works"
            },
        );
        if !self.is_cancelled {
            report.hints.push(format!(
                "see what failed in the events of the rack's stack, or with `convox rolls show \
                 {}`; mend it, and roll again",
                self.plan.roll
            ));
        }
        report.new_key = None;
        report
    }

    /// Both keys are kept for now: the new one may still open something.
    fn not_back(&self, why: &str) -> Report {
        let outcome = if self.stop.is_requested() {
            Outcome::Detached
        } else {
            Outcome::Stuck
        };
        let new = &self.plan.new_key;
        let mut report = self.report(
            outcome,
            format!("the rack goes back, but {new} cannot be discarded yet: {why}"),
        );
        report.hints = vec![
            "if its API goes on taking the new key, `convox instances keyroll` restarts it"
                .to_owned(),
            format!("{}; both keys are kept until then", self.resume_hint()),
        ];
        report
    }
}
