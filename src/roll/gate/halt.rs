//! Takes a roll back that a gate, or somebody, has stopped.

use crate::rack::{PortError, StatusClass};
use crate::roll::event::EventKind;
use crate::roll::follow::Followed;
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::run::{Run, Trouble};
use crate::roll::tracker::End;

/// How the way back went on, as far as it got.
enum Back {
    /// The stack and the instances are as they were.
    Gone,
    /// It ends here, with this report.
    Ended(Box<Report>),
}

impl Run<'_> {
    /// Stops the roll and takes it back, wherever it is: the update that is under way, the
    /// instances that were replaced, and the stack that is complete. What was changed of the rack
    /// for the roll is put back then, as at the end of any other.
    ///
    /// It is written down first, so that whoever takes the roll up goes on with the way back.
    pub(in crate::roll) async fn halt(&mut self, why: String) -> Report {
        if self.gate.halted.is_none() {
            self.note(Entry::Halted { why: why.clone() }).await;
            let message = format!("{why}: the roll is taken back");
            self.emit(EventKind::Warning { message });
        }
        self.gate.halted = Some(why.clone());
        self.tracker.cancel_for(&why);
        match self.go_back().await {
            Ok(Back::Gone) => {}
            Ok(Back::Ended(report)) => return *report,
            Err(trouble) => return self.stuck_on_the_way_back(&why, trouble),
        }
        if let Err(trouble) = self.settle_rack(true).await {
            return self.stuck_on_the_way_back(&why, trouble);
        }
        if let Err(trouble) = self.discard().await {
            return self.stuck_on_the_way_back(&why, trouble);
        }
        self.taken_back(&why)
    }

    /// Reports a roll of which nothing is left but why it was taken back.
    pub(in crate::roll) fn taken_back(&self, why: &str) -> Report {
        let message = format!("{why}; the roll was taken back, and the old key still works");
        let mut report = self.report(Outcome::RolledBack, message);
        report.new_key = None;
        report.hints = vec![format!(
            "see what happened with `convox rolls show {}`, mend it, and roll again",
            self.plan.roll
        )];
        report
    }

    fn stuck_on_the_way_back(&self, why: &str, trouble: Trouble) -> Report {
        let message = format!("{why}; the way back is not done: {}", trouble.message);
        let mut report = self.report(trouble.outcome, message);
        if report.outcome == Outcome::NothingChanged {
            report.outcome = Outcome::Stuck;
        }
        report.exit_code = report.outcome.exit_code();
        report.hints = trouble.hints;
        report.hints.push("both key pairs are kept".to_owned());
        report.hints.push(self.resume_hint());
        report
    }

    async fn go_back(&mut self) -> Result<Back, Trouble> {
        if let Some(back) = self.end_the_update().await? {
            return Ok(back);
        }
        self.refresh_back().await?;
        self.revert().await?;
        self.refresh_to_the_reverted().await?;
        Ok(Back::Gone)
    }

    /// Cancels the update if it is under way, and follows it to its end.
    ///
    /// `None`: the stack is complete with the new key, and has to be taken back by an update.
    async fn end_the_update(&mut self) -> Result<Option<Back>, Trouble> {
        let mut end = self.tracker.end().cloned();
        if end.is_none() {
            let id = self.plan.stack_id.clone();
            let token = format!("{}-cancel", self.plan.roll);
            self.note(Entry::Started(Effect::CancelUpdate)).await;
            let asked = self
                .patiently(async |rack| rack.stacks.cancel_update(&id, &token).await)
                .await;
            match asked {
                Ok(()) => self.note(Entry::Finished(Effect::CancelUpdate)).await,
                // It is complete by now, or on its way back already.
                Err(PortError::Rejected { message, .. }) => {
                    let effect = Effect::CancelUpdate;
                    self.note(Entry::Failed { effect, message }).await;
                }
                Err(error) => return Err(Trouble::from(error).outcome(Outcome::Stuck)),
            }
            end = match self.follow().await {
                Followed::Ended(end) => Some(end),
                Followed::Complete => None,
                Followed::NeverBegan => return Ok(Some(Back::Gone)),
                Followed::Stopped | Followed::Halted(_) => {
                    return Ok(Some(Back::Ended(Box::new(
                        self.detached("stopped following"),
                    ))));
                }
                Followed::Lost(why) => {
                    let why = format!("cannot follow the stack any more: {why}");
                    return Ok(Some(Back::Ended(Box::new(self.detached(&why)))));
                }
            };
        }
        Ok(match end {
            Some(End {
                class: StatusClass::RolledBack,
                ..
            }) => Some(Back::Gone),
            Some(End {
                class: StatusClass::Good,
                ..
            })
            | None => None,
            // A rollback that failed, a stack that is deleted: told as without any gate.
            Some(end) => Some(Back::Ended(Box::new(Box::pin(self.after(end)).await))),
        })
    }
}
