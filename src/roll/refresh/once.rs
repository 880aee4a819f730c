//! One instance refresh: begun, found in the list, and followed to its end.

use std::time::Duration;

use super::RefreshReport;
use crate::rack::{InstanceRefresh, PortError, RefreshWish};
use crate::roll::event::{EventKind, Progress};
use crate::roll::journal::{Effect, Entry};
use crate::roll::plan::GroupPlan;
use crate::roll::run::{PATIENCE, Run};

/// Between two looks at a refresh: instances take minutes.
const BETWEEN_LOOKS: Duration = Duration::from_secs(10);
/// How many looks in a row may not show a refresh that was there.
const MOST_MISSED: u32 = 30;

/// How a refresh of ours went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// It was begun, and has ended in whatever way.
    Ended,
    /// Somebody asked to stop.
    Stopped,
    /// It was refused, and why.
    Refused(String),
}

/// What is known of a refresh once it was asked for.
enum Asked {
    /// It has this id.
    Begun(String),
    /// It may be there or not: the answer was lost, there were too many calls, or there is one
    /// already, which may be the one whose answer was lost.
    Unsure(PortError),
    /// It is not there, and why.
    Refused(String),
}

impl Run<'_> {
    /// Starts a refresh where the group had those of `known`, and follows it to its end.
    ///
    /// Whether one whose answer was lost was begun is seen in the list, which may be behind; to
    /// ask again is safe, since no group has two at a time. So it has come to its end only when a
    /// refresh that was not there before is seen to have ended.
    ///
    /// # Errors
    /// When it can neither be started nor found for a while, or the caller is not let in.
    pub(super) async fn refresh_once(
        &mut self,
        group: &GroupPlan,
        wish: &RefreshWish,
        known: &[InstanceRefresh],
        replaced_before: u32,
    ) -> Result<Went, PortError> {
        let asked_at = self.clock.now();
        let mut begun = None;
        loop {
            let mut unsure = None;
            if begun.is_none() {
                match self.ask_for_refresh(&group.name, wish).await? {
                    Asked::Begun(id) => begun = Some(id),
                    Asked::Unsure(error) => unsure = Some(error),
                    Asked::Refused(why) => return Ok(Went::Refused(why)),
                }
            }
            let mut listed = self.listed(group, begun.as_deref(), known).await?;
            if listed.is_none() {
                let wait = match &unsure {
                    Some(error) => {
                        let wait = self.pacing.after_failure(self.clock.now());
                        self.tell_of_retry(error, wait);
                        wait
                    }
                    None => BETWEEN_LOOKS,
                };
                if !self.pause(wait).await {
                    return Ok(Went::Stopped);
                }
                listed = self.listed(group, begun.as_deref(), known).await?;
            }
            if let Some(id) = listed {
                if begun.is_none() {
                    self.note(Entry::Finished(Effect::StartRefresh)).await;
                }
                let is_over = self.follow_refresh(group, &id, replaced_before).await?;
                return Ok(if is_over { Went::Ended } else { Went::Stopped });
            }
            let passed = Duration::try_from(self.clock.now().duration_since(asked_at));
            if passed.unwrap_or_default() > PATIENCE {
                let what = format!("the instance refresh of group {}", group.name);
                return Err(unsure.unwrap_or(PortError::NotFound { what }));
            }
        }
    }

    /// Returns the id of the refresh that was begun, as soon as the list has it.
    async fn listed(
        &mut self,
        group: &GroupPlan,
        begun: Option<&str>,
        known: &[InstanceRefresh],
    ) -> Result<Option<String>, PortError> {
        let refreshes = self.refreshes_of(&group.name).await?;
        let is_ours = |refresh: &InstanceRefresh| match begun {
            Some(id) => refresh.id == id,
            None => known.iter().all(|it| it.id != refresh.id),
        };
        let ours = refreshes.into_iter().find(is_ours);
        Ok(ours.map(|refresh| refresh.id))
    }

    async fn ask_for_refresh(
        &mut self,
        group: &str,
        wish: &RefreshWish,
    ) -> Result<Asked, PortError> {
        let effect = Effect::StartRefresh;
        self.note(Entry::Started(effect)).await;
        let error = match self.rack.refreshes.start(group, wish).await {
            Ok(id) => {
                self.note(Entry::Finished(effect)).await;
                return Ok(Asked::Begun(id));
            }
            // It may have happened: nothing is written until that is known.
            Err(error) if error.is_unanswered() => return Ok(Asked::Unsure(error)),
            Err(error) => error,
        };
        let message = error.to_string();
        self.note(Entry::Failed { effect, message }).await;
        match error {
            PortError::Credentials { .. } | PortError::NoRegion => Err(error),
            PortError::Busy { .. } => Ok(Asked::Unsure(error)),
            error if error.is_transient() => Ok(Asked::Unsure(error)),
            error => Ok(Asked::Refused(error.to_string())),
        }
    }

    pub(super) async fn refreshes_of(
        &mut self,
        group: &str,
    ) -> Result<Vec<InstanceRefresh>, PortError> {
        self.patiently(async |rack| rack.refreshes.list(group).await)
            .await
    }

    /// Follows a refresh to its end; `false` when somebody asks to stop. A list that leaves it
    /// out once is behind; one that leaves it out for minutes has forgotten it.
    pub(super) async fn follow_refresh(
        &mut self,
        group: &GroupPlan,
        id: &str,
        replaced_before: u32,
    ) -> Result<bool, PortError> {
        let mut told = None;
        let mut missed = 0;
        loop {
            let refreshes = self.refreshes_of(&group.name).await?;
            let Some(refresh) = refreshes.iter().find(|it| it.id == id) else {
                missed += 1;
                if missed > MOST_MISSED {
                    return Ok(true);
                }
                if !self.pause(BETWEEN_LOOKS).await {
                    return Ok(false);
                }
                continue;
            };
            missed = 0;
            let report = RefreshReport::of(&group.logical_id, refresh);
            if told.as_ref() != Some(&report) {
                self.emit(EventKind::Refresh(report.clone()));
                self.tell_progress(group, refresh, replaced_before);
                told = Some(report);
            }
            if !refresh.status.is_active() {
                return Ok(true);
            }
            if !self.pause(BETWEEN_LOOKS).await {
                return Ok(false);
            }
        }
    }

    fn tell_progress(&mut self, group: &GroupPlan, refresh: &InstanceRefresh, before: u32) {
        let Some(left) = refresh.to_update else {
            return;
        };
        let replaced = before + group.instances.saturating_sub(left);
        let progress = Progress {
            total: self.plan.groups.iter().map(|group| group.instances).sum(),
            replaced,
            arrived: replaced,
            group: Some(group.logical_id.clone()),
            rolling_back: self.gate.halted.is_some(),
            ..Progress::default()
        };
        self.emit(EventKind::Progress(progress));
    }
}
