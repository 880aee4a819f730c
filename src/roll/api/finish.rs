//! The ends: the new key takes the old one's place, or is forgotten.

use super::restart::{Restarted, processes};
use crate::roll::base::{Base, Trouble};
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;
use crate::roll::run::Run;

impl Run<'_> {
    pub(super) async fn settle_api(&mut self, fresh: u32, asked: Option<bool>) -> Report {
        let proven = match asked {
            Some(old_refused) => proven_words(old_refused),
            None => format!(
                "{} of the rack API started with the new key, as ECS says",
                processes(fresh)
            ),
        };
        self.settle_value(proven).await
    }

    /// After a rollback: no process may be left with the new key, which is about to go.
    ///
    /// # Errors
    /// When one may be, and cannot be replaced.
    pub(in crate::roll) async fn restart_after_rollback(&mut self) -> Result<(), Trouble> {
        if !self.plan.is_api() || !self.may_hold_the_new_key().await? {
            return Ok(());
        }
        self.warn("processes of the rack API started meanwhile may have the new key");
        let trouble = match self.restart().await? {
            Restarted::Fresh(_) | Restarted::NoService => return Ok(()),
            Restarted::Never(why) => Trouble::new(why),
            Restarted::Stopped => Trouble::new("interrupted on the way back"),
        };
        Err(trouble.hint(self.resume_hint()))
    }
}

/// Says what the API itself has proven.
pub(in crate::roll) fn proven_words(old_refused: bool) -> String {
    let also = if old_refused {
        " and refuses the old one"
    } else {
        ""
    };
    format!("the rack API takes the new key{also}")
}

impl Base<'_> {
    /// Lets the new key take the old one's place, once it is `proven` in these words.
    pub(in crate::roll) async fn settle_value(&mut self, proven: String) -> Report {
        self.outage.stop(self.clock.now());
        if let Err(trouble) = self.promote_value().await {
            return self.unsettled_api(trouble);
        }
        if let Err(trouble) = self.retire_value().await {
            return self.unsettled_api(trouble);
        }
        self.settled(proven)
    }

    /// Reports a roll that is done, with how long nobody answered meanwhile.
    pub(in crate::roll) fn settled(&self, proven: String) -> Report {
        let mut report = self.report(Outcome::Done, proven);
        match report.unavailable_ms {
            Some(0) => report.message.push_str("; it answered all the time"),
            Some(ms) => {
                let seconds = ms.div_ceil(1000);
                let outage = format!("; it answered nobody for {seconds} s");
                report.message.push_str(&outage);
            }
            None => {}
        }
        report
    }

    /// Makes the new key the one that every holder gives out.
    async fn promote_value(&mut self) -> Result<(), Trouble> {
        let Some(new) = self.value().filter(|_| !self.api.holders.is_empty()) else {
            return Ok(());
        };
        self.begin(Step::Promote);
        self.started(Effect::PromoteKey).await?;
        let roll = self.plan.roll.clone();
        for holder in self.api.holders.clone() {
            holder.promote(&new, &roll).await?;
        }
        self.finished(Effect::PromoteKey).await?;
        let names = self.holder_names();
        self.done(Step::Promote, format!("{names} has the new key"));
        Ok(())
    }

    /// Forgets the copy that was kept for as long as the roll lasted.
    async fn retire_value(&mut self) -> Result<(), Trouble> {
        self.begin(Step::Retire);
        let name = self.plan.new_key.clone();
        self.started(Effect::ForgetStagedKey).await?;
        let keys = self.keys.clone();
        self.repeat(async || keys.delete(&name).await).await?;
        self.finished(Effect::ForgetStagedKey).await?;
        self.done(
            Step::Retire,
            format!("{name} and the old key are forgotten"),
        );
        Ok(())
    }

    /// The new key works, but the end of the roll is not reached.
    fn unsettled_api(&self, trouble: Trouble) -> Report {
        let mut report = self.report(
            Outcome::Unproven,
            format!("the rack API has the new key, but: {}", trouble.message),
        );
        report.hints = trouble.hints;
        report.hints.push(self.resume_hint());
        report
    }

    /// Forgets the new key everywhere; whoever keeps the key still has the old one.
    ///
    /// # Errors
    /// When a holder or the key store refuses. Then the roll can be resumed to try again.
    pub(in crate::roll) async fn discard_value(&mut self) -> Result<(), Trouble> {
        self.begin(Step::Discard);
        self.note(Entry::TurnedBack).await;
        let (name, roll) = (self.plan.new_key.clone(), self.plan.roll.clone());
        // First where another machine would find it: it must not go on with what nobody here
        // has any more.
        self.note(Entry::Started(Effect::ForgetNewKey)).await;
        let keys = self.keys.clone();
        self.repeat(async || keys.delete(&name).await).await?;
        self.note(Entry::Finished(Effect::ForgetNewKey)).await;
        self.note(Entry::Started(Effect::UnstageKey)).await;
        for holder in self.api.holders.clone() {
            holder.discard(&roll).await?;
        }
        self.note(Entry::Finished(Effect::UnstageKey)).await;
        self.done(Step::Discard, format!("{name} is forgotten"));
        Ok(())
    }
}
