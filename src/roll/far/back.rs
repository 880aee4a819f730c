//! The way back: the new key is forgotten, once the rack takes only the old one.

use super::Far;
use super::watch::Watched;
use crate::roll::api::{Proof, Question};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;

impl Far<'_> {
    /// The rack goes back: waits for its rest.
    pub(super) async fn go_back(&mut self) -> Report {
        match self.watch().await {
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
            "the update was rolled back; the old key still works",
        );
        report.hints.push(format!(
            "see what failed in the events of the rack's stack, or with `convox rolls show {}`; \
             mend it, and roll again",
            self.plan.roll
        ));
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
