//! Takes back a stack that is complete: by another update, with the old key.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::rack::{PortError, StatusClass, UpdateRequest};
use crate::roll::engine::since;
use crate::roll::event::EventKind;
use crate::roll::follow::{SILENCE, gather, is_hopeless};
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::Outcome;
use crate::roll::run::{PATIENCE, Run, Trouble};
use crate::roll::tail::EventTail;
use crate::roll::tracker::Tracker;

impl Run<'_> {
    /// Tells whether somebody has begun to take the roll back by an update: a machine without its
    /// journal sees it in the stack's events.
    pub(in crate::roll) async fn is_taken_back(&mut self) -> Result<bool, PortError> {
        let complete = self.tracker.end().map(|end| end.class) == Some(StatusClass::Good);
        if !complete || self.plan.is_api() || self.plan.refresh.is_none() {
            return Ok(false);
        }
        let (id, token) = (self.plan.stack_id.clone(), self.back_token());
        let (from, now) = (since(&self.plan.roll), self.clock.now());
        self.patiently(async |rack| {
            let mut tracker = Tracker::new(&id, &token, []).strictly();
            let mut tail = EventTail::new(&id, from);
            gather(&mut tail, &mut tracker, rack.stacks.as_ref(), now).await?;
            Ok(tracker.has_started())
        })
        .await
    }

    fn back_token(&self) -> String {
        format!("{}-back", self.plan.roll)
    }

    /// Sets the stack's parameter to the old key again, and follows that to its end.
    ///
    /// Whether it has been done is read from the stack's events and never from DescribeStacks, which
    /// may be behind: a key pair that the stack still names must not go.
    pub(in crate::roll) async fn revert(&mut self) -> Result<(), Trouble> {
        let token = self.back_token();
        let from = self
            .tracker
            .ended_at()
            .unwrap_or_else(|| since(&self.plan.roll));
        let groups = self.plan.groups.iter();
        let groups = groups.map(|group| (group.logical_id.clone(), group.instances));
        let tracker = Tracker::new(&self.plan.stack_id, &token, groups).strictly();
        let forward = std::mem::replace(&mut self.tracker, tracker);
        self.tail = EventTail::new(&self.plan.stack_id, from);
        let reverted = self.update_back(&token).await;
        let ended = self.tracker.end().cloned();
        // What failed first is what the way forward says.
        self.tracker = forward;
        reverted?;
        match ended {
            None => Ok(()),
            Some(end) if end.class == StatusClass::Good => Ok(()),
            Some(end) => Err(Trouble::new(format!(
                "the update back to the old key ended in {}",
                end.status
            ))
            .outcome(Outcome::Stuck)),
        }
    }

    async fn update_back(&mut self, token: &str) -> Result<(), Trouble> {
        let id = self.plan.stack_id.clone();
        let old = self.plan.old_key.clone().unwrap_or_default();
        let set = BTreeMap::from([(self.plan.key_parameter.clone(), old)]);
        let began = self.clock.now();
        let mut is_guarded = false;
        loop {
            for news in self.gather_patiently().await? {
                self.emit(news);
            }
            if self.tracker.has_started() {
                break;
            }
            if !is_guarded {
                // It replaces instances as the one before did, and must not do more harm.
                self.guard_the_way_back().await?;
                self.note(Entry::Started(Effect::RevertStack)).await;
                is_guarded = true;
            }
            let stack = self
                .patiently(async |rack| rack.stacks.describe(&id).await)
                .await?;
            let request = UpdateRequest::keeping(&stack, token, set.clone());
            let error = match self.rack.stacks.update(&request).await {
                Ok(_) => break,
                Err(PortError::NoChanges) => {
                    self.note(Entry::Finished(Effect::RevertStack)).await;
                    return Ok(());
                }
                Err(error) => error,
            };
            let may_pass = error.is_transient()
                || (matches!(error, PortError::Rejected { .. }) && stack.status.is_busy());
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if !may_pass || passed.unwrap_or_default() > PATIENCE {
                let message = error.to_string();
                let effect = Effect::RevertStack;
                self.note(Entry::Failed { effect, message }).await;
                return Err(Trouble::from(error).outcome(Outcome::Stuck));
            }
            let wait = self.pacing.after_failure(self.clock.now());
            self.tell_of_retry(&error, wait);
            self.pause_on_the_way_back(wait).await?;
        }
        self.note(Entry::Finished(Effect::RevertStack)).await;
        self.follow_back().await
    }

    /// Follows the update back until the stack comes to rest.
    async fn follow_back(&mut self) -> Result<(), Trouble> {
        let began = self.clock.now();
        let mut refusals = 0;
        loop {
            let wait = match self.gather_events().await {
                Ok(news) => {
                    refusals = 0;
                    for kind in news {
                        // An update back that itself goes back is told by how it ends.
                        if !matches!(kind, EventKind::RollbackDetected { .. }) {
                            self.emit(kind);
                        }
                    }
                    if self.tracker.end().is_some() {
                        return Ok(());
                    }
                    if self.is_reverted_silently(began).await {
                        return Ok(());
                    }
                    let expected = self.tracker.expectation();
                    self.pacing.after_success(self.clock.now(), expected)
                }
                Err(error) if is_hopeless(&error, &mut refusals) => {
                    return Err(Trouble::from(error).outcome(Outcome::Stuck));
                }
                Err(error) => {
                    let wait = self.pacing.after_failure(self.clock.now());
                    self.tell_of_retry(&error, wait);
                    wait
                }
            };
            self.pause_on_the_way_back(wait).await?;
        }
    }

    /// Tells whether the stack is at rest with the old key, in an account whose events have no
    /// tokens: after a while of silence, in which DescribeStacks has long caught up.
    async fn is_reverted_silently(&mut self, began: jiff::Timestamp) -> bool {
        let passed = Duration::try_from(self.clock.now().duration_since(began));
        if self.tracker.has_started() || passed.unwrap_or_default() < SILENCE {
            return false;
        }
        match self.rack.stacks.describe(&self.plan.stack_id).await {
            Ok(stack) => !stack.status.is_busy() && self.named_by(&stack) == Some(false),
            Err(_) => false,
        }
    }

    /// Waits, unless somebody asks to stop: the way back goes on when the roll is resumed.
    pub(in crate::roll) async fn pause_on_the_way_back(
        &mut self,
        wait: Duration,
    ) -> Result<(), Trouble> {
        if self.pause(wait).await {
            return Ok(());
        }
        Err(Trouble::new("interrupted on the way back").outcome(Outcome::Detached))
    }
}
