//! Strings the steps together, and decides what each end means.

use std::collections::BTreeSet;

use super::follow::Followed;
use super::journal::{Effect, Entry};
use super::outcome::{Outcome, Report};
use super::plan::Step;
use super::refresh::Led;
use super::run::{Run, Trouble};
use super::tracker::End;
use super::verify::Proof;
use crate::rack::{PortError, StatusClass};

/// Where a roll starts, or goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Nothing is known to be done.
    Beginning,
    /// The new private key is kept; the stack has not been touched.
    Minted,
    /// The update has been accepted.
    Installed,
    /// The roll has been stopped, and is to be taken back.
    Halted,
    /// The stack is complete.
    Complete,
    /// The roll is on its way back.
    Back,
}

impl Stage {
    /// Returns the step that comes next.
    pub(super) fn step(self) -> Step {
        match self {
            Self::Beginning => Step::Mint,
            Self::Minted => Step::Install,
            Self::Installed | Self::Halted => Step::Watch,
            Self::Complete => Step::Verify,
            Self::Back => Step::Discard,
        }
    }
}

impl Run<'_> {
    /// Carries the roll from `stage` to its end, and reports it.
    pub(super) async fn drive(&mut self, stage: Stage, detach: bool) -> Report {
        let report = self.advance(stage, detach).await;
        self.close(report).await
    }

    async fn advance(&mut self, stage: Stage, detach: bool) -> Report {
        if self.plan.revocation().is_some() {
            return self.revoke(stage).await;
        }
        if stage == Stage::Back {
            if let Err(trouble) = self.settle_rack(true).await {
                return self.not_settled(trouble, false);
            }
            return self.turned_back().await;
        }
        if stage == Stage::Halted {
            let why = self.gate.halted.clone().unwrap_or_default();
            return self.halt(why).await;
        }
        if let Err(trouble) = self.before_the_stack(stage).await {
            return self.turn_back(trouble).await;
        }
        if self.can_probe() {
            self.outage.start();
        }
        if self.unchanged {
            return self.prove().await;
        }
        if detach && stage < Stage::Installed {
            return self.detached("the stack is being updated");
        }
        if stage == Stage::Complete {
            return self.settle_and_prove().await;
        }
        match self.follow().await {
            Followed::Ended(end) => self.after(end).await,
            Followed::Complete => self.settle_and_prove().await,
            Followed::NeverBegan => {
                self.turn_back(Trouble::new("CloudFormation never began the update"))
                    .await
            }
            Followed::Halted(why) => self.halt(why).await,
            Followed::Stopped => self.detached("stopped following"),
            Followed::Lost(why) => {
                let mut report = self.detached(&format!("cannot follow the stack any more: {why}"));
                report
                    .hints
                    .insert(0, "check the AWS credentials and the network".to_owned());
                report
            }
        }
    }

    async fn before_the_stack(&mut self, stage: Stage) -> Result<(), Trouble> {
        match (stage, self.plan.is_api()) {
            (Stage::Beginning, false) => {
                self.preserve().await?;
                self.mint().await?;
            }
            (Stage::Beginning, true) => {
                self.mint_value().await?;
                self.store_value().await?;
            }
            // Whoever takes the roll up elsewhere may keep the key too.
            (Stage::Minted, true) => self.mint_value().await?,
            _ => {}
        }
        if stage < Stage::Installed {
            self.guard().await?;
            self.install().await?;
        }
        Ok(())
    }

    /// Takes back what was made before the stack was touched.
    async fn turn_back(&mut self, trouble: Trouble) -> Report {
        if trouble.outcome == Outcome::Detached {
            return self.base.turned_back(trouble, None);
        }
        // Somebody else's update may have taken instances meanwhile, which only we hold.
        if self.is_guarded() {
            self.note(Entry::TurnedBack).await;
            if let Err(left) = self.settle_rack(true).await {
                return self.left_guarded(trouble, left);
            }
        }
        let discarded = self.discard().await;
        self.base.turned_back(trouble, Some(discarded))
    }

    /// The roll is turned back, but what was changed for it cannot be put back yet.
    fn left_guarded(&self, trouble: Trouble, left: Trouble) -> Report {
        let outcome = match left.outcome {
            Outcome::Detached => Outcome::Detached,
            _ => Outcome::Stuck,
        };
        let mut report = self.report(outcome, format!("{}; {}", trouble.message, left.message));
        report.hints = trouble.hints;
        report.hints.extend(left.hints);
        report.hints.push(self.resume_hint());
        report.hints.extend(self.held_hint());
        report
    }

    fn held_hint(&self) -> Option<String> {
        let is_holding = !self.plan.touches.held.is_empty();
        is_holding.then(|| {
            "instances on their way out are held for an hour at the most until then".to_owned()
        })
    }

    /// The stack is complete: puts back what was changed for the roll, then asks the instances.
    async fn settle_and_prove(&mut self) -> Report {
        match self.settle_rack(false).await {
            Ok(()) => self.prove().await,
            Err(trouble) => self.not_settled(trouble, true),
        }
    }

    /// The stack is at rest, but what was changed for the roll cannot be put back yet.
    fn not_settled(&self, trouble: Trouble, complete: bool) -> Report {
        if trouble.outcome == Outcome::Detached {
            return self.detached(&trouble.message);
        }
        let outcome = match complete {
            true => Outcome::Unproven,
            false => Outcome::Stuck,
        };
        let message = format!("the stack is at rest, but: {}", trouble.message);
        let mut report = self.report(outcome, message);
        report.hints = trouble.hints;
        report.hints.push(self.resume_hint());
        report.hints.extend(self.held_hint());
        report
    }

    /// Decides what the stack's end means.
    pub(super) async fn after(&mut self, end: End) -> Report {
        self.done(Step::Watch, format!("the stack is {}", end.status));
        let good = end.class == StatusClass::Good;
        if end.class != StatusClass::Deleted
            && let Err(trouble) = self.settle_rack(!good).await
        {
            return self.not_settled(trouble, good);
        }
        match end.class {
            StatusClass::Good => self.prove().await,
            StatusClass::RolledBack => self.turned_back().await,
            StatusClass::RollbackFailed => {
                let skip: BTreeSet<&str> = end.failed.iter().map(String::as_str).collect();
                let skip: Vec<&str> = skip.into_iter().collect();
                let mut report = self.report(
                    Outcome::Stuck,
                    format!("the rollback failed ({})", end.status),
                );
                let roll = &self.plan.roll;
                if !skip.is_empty() {
                    report.message = format!(
                        "the rollback failed ({}): {} could not go back",
                        end.status,
                        skip.join(", ")
                    );
                }
                report.hints = vec![
                    format!("mend the cause, then `convox rolls continue {roll}`"),
                    format!(
                        "or leave what fails as it is: `convox rolls continue {roll} --skip {}`",
                        if skip.is_empty() {
                            "RESOURCE,...".to_owned()
                        } else {
                            skip.join(",")
                        }
                    ),
                    format!("{} until then", self.both_kept()),
                ];
                report
            }
            StatusClass::Failed => {
                let mut report = self.report(
                    Outcome::Stuck,
                    format!(
                        "the update failed ({}), and the stack does not roll back",
                        end.status
                    ),
                );
                report.hints = vec![
                    format!(
                        "roll it back with `convox rolls continue {}`",
                        self.plan.roll
                    ),
                    format!("{} until then", self.both_kept()),
                ];
                report
            }
            StatusClass::Deleted => self.stack_deleted().await,
            _ => {
                let reason = end.reason.unwrap_or_default();
                let mut report = self.report(
                    Outcome::Stuck,
                    format!("the stack ended in {} {reason}", end.status)
                        .trim_end()
                        .to_owned(),
                );
                report.hints = vec![
                    self.both_kept().to_owned(),
                    format!("once the stack is at rest, {}", self.resume_hint()),
                ];
                report
            }
        }
    }

    /// After a rollback: the new key goes, the old one has never been touched.
    async fn turned_back(&mut self) -> Report {
        let mut ready = Ok(());
        if self.tracker.is_rolling_back() {
            ready = self.restart_after_rollback().await;
        }
        if let Err(left) = match ready {
            Ok(()) => self.discard().await,
            left => left,
        } {
            let mut report = self.report(
                Outcome::Stuck,
                format!(
                    "rolled back, but {} cannot be discarded yet: {}",
                    self.plan.new_key, left.message
                ),
            );
            report.hints = left.hints;
            return report;
        }
        if let Some(why) = &self.gate.halted {
            return self.taken_back(why);
        }
        let roll = &self.plan.roll;
        // A roll that is resumed on its way back need not know of any rollback.
        let mut report = if self.tracker.is_rolling_back() {
            let mut report = self.report(
                Outcome::RolledBack,
                "the update was rolled back; the old key still works",
            );
            report.hints.push(format!(
                "see what happened with `convox rolls show {roll}`, mend it, and roll again"
            ));
            report
        } else {
            self.report(
                Outcome::NothingChanged,
                "the roll was taken back before the stack changed",
            )
        };
        report.new_key = None;
        report
    }

    async fn stack_deleted(&mut self) -> Report {
        let mut report = self.report(Outcome::Stuck, "the stack was deleted during the roll");
        if !self.plan.is_api() {
            let left = "the old key pair is left as it is".to_owned();
            report.hints.push(left);
        }
        match self.discard().await {
            Ok(()) => report.new_key = None,
            Err(left) => report
                .hints
                .push(format!("{}; {}", left.message, self.resume_hint())),
        }
        report
    }

    /// The stack is complete: asks the instances, then lets the old key go.
    async fn prove(&mut self) -> Report {
        if self.plan.is_api() {
            return self.prove_api().await;
        }
        match self.lead().await {
            Ok(Led::Done) => {}
            Ok(Led::Stopped) => return self.detached("stopped between two steps"),
            Ok(Led::Halted(why)) => return self.halt(why).await,
            Err(error) => return self.unproven_for(&error),
        }
        match self.verify().await {
            Ok(Proof::Proven(count)) => match self.last_gate(count).await {
                None => self.settle(count).await,
                Some(report) => report,
            },
            Ok(Proof::Unproven(holdouts)) => {
                let mut report = self.report(
                    Outcome::Unproven,
                    format!(
                        "the stack is complete, but {} do not carry the new key",
                        count_of(holdouts.len(), "live instance")
                    ),
                );
                report.holdouts = holdouts;
                report.hints = vec![
                    "replace them, for instance with `convox instances terminate ID`".to_owned(),
                    format!(
                        "then {}; until then both key pairs are kept",
                        self.resume_hint()
                    ),
                ];
                report
            }
            Ok(Proof::NoInstances) => {
                let mut report = self.report(
                    Outcome::Unproven,
                    "the stack is complete, but it has no instance that could prove the new key",
                );
                report.hints = vec![
                    format!("once it has instances, {}", self.resume_hint()),
                    "both key pairs are kept".to_owned(),
                ];
                report
            }
            Ok(Proof::Stopped) => self.detached("stopped before the new key was proven"),
            Err(error) => self.unproven_for(&error),
        }
    }

    async fn settle(&mut self, proven: usize) -> Report {
        if let Err(trouble) = self.promote().await {
            return self.unsettled(trouble);
        }
        if let Err(trouble) = self.retire().await {
            return self.unsettled(trouble);
        }
        if let Err(trouble) = self.retire_stand_ins().await {
            return self.unsettled(trouble);
        }
        self.report(
            Outcome::Done,
            format!(
                "{} carry {}",
                count_of(proven, "instance"),
                self.plan.new_key
            ),
        )
    }

    /// The new key is proven, but the end of the roll is not reached.
    fn unsettled(&self, trouble: Trouble) -> Report {
        let mut report = self.report(
            Outcome::Unproven,
            format!(
                "every instance carries the new key, but: {}",
                trouble.message
            ),
        );
        report.hints = trouble.hints;
        report.hints.push(self.resume_hint());
        report
    }

    /// The new key is not proven, since something could not be asked.
    pub(super) fn unproven_for(&self, error: &PortError) -> Report {
        self.unfinished(Outcome::Unproven, error)
    }

    fn unfinished(&self, outcome: Outcome, error: &PortError) -> Report {
        let mut report = self.report(outcome, error.to_string());
        report.hints.push(self.resume_hint());
        report
    }

    pub(super) fn detached(&self, why: &str) -> Report {
        let mut report = self.report(Outcome::Detached, format!("{why}; the roll goes on in AWS"));
        report.hints = vec![self.resume_hint()];
        report.hints.extend(self.held_hint());
        report.hints.push(if self.plan.is_api() {
            "the rack API is restarted, and the old key let go, only then".to_owned()
        } else {
            "the old key stays until the roll is finished that way".to_owned()
        });
        report
    }

    /// Cancels the update that is under way, and follows the rollback.
    pub(super) async fn cancel(&mut self) -> Report {
        let id = self.plan.stack_id.clone();
        let token = format!("{}-cancel", self.plan.roll);
        let asked = self.act(Effect::CancelUpdate, async |rack| {
            rack.stacks.cancel_update(&id, &token).await
        });
        let report = match asked.await {
            Ok(()) => self.advance(Stage::Installed, false).await,
            // A refusal may mean that an earlier request, whose answer was lost, is at work.
            Err(_) if self.goes_back().await => self.advance(Stage::Installed, false).await,
            Err(trouble) => self.not_acted(trouble),
        };
        self.close(gone_back_as_asked(report)).await
    }

    /// Takes back a roll whose stack is complete and whose instances are being replaced.
    pub(super) async fn cancel_led(&mut self) -> Report {
        let report = self.halt("somebody cancelled the roll".to_owned()).await;
        self.close(gone_back_as_asked(report)).await
    }

    async fn goes_back(&mut self) -> bool {
        let id = self.plan.stack_id.clone();
        let stack = self
            .patiently(async |rack| rack.stacks.describe(&id).await)
            .await;
        stack.is_ok_and(|stack| stack.status.class() == StatusClass::RollingBack)
    }

    /// Goes on with a rollback that failed, or rolls back an update that was left failed.
    pub(super) async fn continue_back(&mut self, class: StatusClass, skip: &[String]) -> Report {
        if let Err(trouble) = self.guard_the_way_back().await {
            let report = self.not_acted(trouble);
            return self.close(report).await;
        }
        let id = self.plan.stack_id.clone();
        // A new token each time: the same one would be taken for the same call.
        let token = format!(
            "{}-back-{}",
            self.plan.roll,
            self.clock.now().as_millisecond()
        );
        let asked = self.act(Effect::ContinueRollback, async |rack| match class {
            StatusClass::Failed => rack.stacks.rollback(&id, &token).await,
            _ => rack.stacks.continue_rollback(&id, skip, &token).await,
        });
        let report = match asked.await {
            Ok(()) => {
                self.tracker.expect_more();
                self.advance(Stage::Installed, false).await
            }
            // The answer was lost, and the call was not.
            Err(_) if self.goes_back().await => {
                self.tracker.expect_more();
                self.advance(Stage::Installed, false).await
            }
            // The stack is at rest still: the rack must not stay as it is only for a roll.
            Err(trouble) => match self.settle_rack(true).await {
                Ok(()) => self.not_acted(trouble),
                Err(left) => self.not_acted(trouble.hint(left.message)),
            },
        };
        self.close(gone_back_as_asked(report)).await
    }

    async fn act(
        &mut self,
        effect: Effect,
        call: impl AsyncFn(&crate::rack::Rack) -> Result<(), PortError>,
    ) -> Result<(), Trouble> {
        self.started(effect).await?;
        self.patiently(call).await?;
        self.finished(effect).await?;
        Ok(())
    }

    fn not_acted(&self, trouble: Trouble) -> Report {
        let mut report = self.report(Outcome::Stuck, trouble.message);
        report.hints = trouble.hints;
        report.hints.push(self.resume_hint());
        report
    }
}

/// Going back is success for somebody who asked for it.
fn gone_back_as_asked(mut report: Report) -> Report {
    if report.outcome == Outcome::RolledBack {
        report.exit_code = 0;
        report.hints.clear();
    }
    report
}

fn count_of(count: usize, thing: &str) -> String {
    if count == 1 {
        format!("1 {thing}")
    } else {
        format!("{count} {thing}s")
    }
}
