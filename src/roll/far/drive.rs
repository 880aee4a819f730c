//! Strings the steps together, and decides what each end means.

use super::Far;
use super::watch::Watched;
use crate::roll::api::{ApiWay, Proof, Question, proven_words};
use crate::roll::base::Trouble;
use crate::roll::drive::Stage;
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;

impl Far<'_> {
    /// Carries the roll from `stage` to its end, and reports it.
    pub(super) async fn drive(&mut self, stage: Stage, detach: bool) -> Report {
        let report = self.advance(stage, detach).await;
        self.base.close(report).await
    }

    async fn advance(&mut self, stage: Stage, detach: bool) -> Report {
        match stage {
            Stage::Back if self.is_asked => return self.go_back().await,
            Stage::Back => {
                let trouble = Trouble::new("the roll was taken back before the rack changed");
                return self.turn_back(trouble).await;
            }
            Stage::Complete => return self.settle(true).await,
            _ => {}
        }
        if let Err(trouble) = self.before_the_stack(stage).await {
            return self.turn_back(trouble).await;
        }
        self.api.probe = Some(self.rack.api.clone());
        self.outage.start();
        if self.unchanged {
            return self.prove().await;
        }
        if detach && stage < Stage::Installed {
            return self.detached("the rack is updating its stack");
        }
        match self.watch().await {
            Watched::Complete => self.prove().await,
            Watched::RolledBack => self.gone_back().await,
            Watched::Stuck => self.stuck(),
            Watched::Stopped => self.detached("stopped following"),
            Watched::Lost(why) => self.lost(&why),
        }
    }

    async fn before_the_stack(&mut self, stage: Stage) -> Result<(), Trouble> {
        if stage < Stage::Installed {
            self.mint_value().await?;
        }
        if stage < Stage::Minted {
            self.store_value().await?;
        }
        if stage < Stage::Installed {
            self.install().await?;
        }
        Ok(())
    }

    pub(super) async fn turn_back(&mut self, trouble: Trouble) -> Report {
        let discarded = match trouble.outcome {
            Outcome::Detached => None,
            _ => Some(self.discard_value().await),
        };
        self.base.turned_back(trouble, discarded)
    }

    /// The rack is at rest: asks its API, and lets the old key go.
    async fn prove(&mut self) -> Report {
        self.begin(Step::Verify);
        let Some(new) = self.value() else {
            return self.unproven("the new key is not known here any more");
        };
        let question = Question::forward(new, self.old.clone());
        match self.ask(&question).await {
            Proof::Proven { old_refused } => self.settle(old_refused).await,
            Proof::Refuted(why) => self.unproven(&why),
            Proof::NotAsked => self.unproven("nobody could be asked"),
            Proof::Stopped => self.detached("stopped before the new key was proven"),
        }
    }

    pub(super) async fn ask(&mut self, question: &Question) -> Proof {
        let processes = match self.plan.api().map(|api| api.way) {
            Some(ApiWay::Api { processes }) => processes,
            _ => 0,
        };
        let api = self.rack.api.clone();
        self.base.ask_api(api.as_ref(), question, processes).await
    }

    async fn settle(&mut self, old_refused: bool) -> Report {
        let proven = proven_words(old_refused);
        if !self.is_only_copy() {
            return self.base.settle_value(proven).await;
        }
        self.base.outage.stop(self.base.clock.now());
        let mut report = self.base.settled(proven);
        // Whoever has begun the roll is shown the key now; who comes back to it later is not.
        if self.resumed {
            report.hints.push(format!(
                "nobody but {} keeps the new password, as {}: read it there, then delete it",
                self.plan.key_store, self.plan.new_key
            ));
        }
        report
    }

    /// Tells whether the key was made here, and is kept nowhere but for as long as the roll lasts.
    fn is_only_copy(&self) -> bool {
        self.api.holders.is_empty() && self.new.as_ref().is_some_and(|new| new.minted)
    }

    /// The rack is at rest, and nobody can say that the new key works.
    fn unproven(&self, why: &str) -> Report {
        let mut report = self.report(
            Outcome::Unproven,
            format!("the rack has the new key, but it is not proven: {why}"),
        );
        report.hints = vec![
            "the API of many racks takes it only once its processes are restarted: \
             `convox instances keyroll` does that, and so does a new deployment of the service \
             ServiceWebApi in ECS"
                .to_owned(),
            format!(
                "then {}; until then both keys are kept, and processes that start get the new one",
                self.resume_hint()
            ),
        ];
        report
    }

    pub(super) fn stuck(&self) -> Report {
        let message = "the rack has failed, and does not get out of that by itself";
        let mut report = self.report(Outcome::Stuck, message);
        report.hints = vec![
            "look at its stack in CloudFormation, and continue its rollback there".to_owned(),
            format!("then {}; both keys are kept until then", self.resume_hint()),
        ];
        report
    }

    fn lost(&self, why: &str) -> Report {
        let mut report = self.detached(&format!("cannot follow the rack any more: {why}"));
        let hint = "look at the network, and whether the rack is up".to_owned();
        report.hints.insert(0, hint);
        report
    }

    fn detached(&self, why: &str) -> Report {
        let mut report = self.report(
            Outcome::Detached,
            format!("{why}; the rack goes on by itself"),
        );
        report.hints = vec![
            self.resume_hint(),
            "both keys are kept here, and the old one is let go, only then".to_owned(),
        ];
        report
    }
}
