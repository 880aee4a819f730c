//! The way back of instances that refreshes of ours have replaced.

use super::RefreshPlan;
use super::once::Went;
use crate::rack::{LaunchTemplateRef, PortError, RefreshWish};
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::Outcome;
use crate::roll::plan::GroupPlan;
use crate::roll::run::{Run, Trouble};

/// How many refreshes of a group may end and leave instances with the new key.
const MOST_TRIES: u32 = 5;

impl Run<'_> {
    /// Replaces whatever carries the new key by what the groups were made from before.
    ///
    /// That comes before the stack's parameter goes back, since only until then the old launch
    /// template version is known to be the one that the untouched instances have: what is not new
    /// is left alone.
    pub(in crate::roll) async fn refresh_back(&mut self) -> Result<(), Trouble> {
        let Some(refresh) = self.plan.refresh.clone() else {
            return Ok(());
        };
        for group in self.led_groups() {
            self.end_refresh(&group).await?;
            if let Some(before) = refresh.before.get(&group.name).cloned() {
                self.group_back(&group, &refresh, Some(before)).await?;
            }
        }
        Ok(())
    }

    /// Does the same for groups of which nobody here knows what they were made from: once the stack
    /// has its old parameter, they start instances with the old key. That replaces the untouched
    /// ones too, since they have another launch template version.
    pub(in crate::roll) async fn refresh_to_the_reverted(&mut self) -> Result<(), Trouble> {
        let Some(refresh) = self.plan.refresh.clone() else {
            return Ok(());
        };
        for group in self.led_groups() {
            if !refresh.before.contains_key(&group.name) {
                self.group_back(&group, &refresh, None).await?;
            }
        }
        Ok(())
    }

    /// Cancels a refresh that goes forward, and waits for its end: what it has begun comes to an end.
    async fn end_refresh(&mut self, group: &GroupPlan) -> Result<(), Trouble> {
        let refreshes = self.refreshes_of(&group.name).await?;
        let Some(active) = refreshes.into_iter().find(|it| it.status.is_active()) else {
            return Ok(());
        };
        // One that goes back already, since an earlier attempt was left, goes on. The group names
        // the old version again only when it has ended.
        let mut template = active.launch_template;
        if template.is_none() {
            template = self.members_of(&group.name).await?.template;
        }
        let goes_back = match template {
            Some(template) => self.names_another_key(template).await?,
            None => false,
        };
        if !goes_back {
            self.note(Entry::Started(Effect::CancelRefresh)).await;
            let name = group.name.clone();
            self.patiently(async |rack| rack.refreshes.cancel(&name).await)
                .await?;
            self.note(Entry::Finished(Effect::CancelRefresh)).await;
        }
        self.follow_to_the_end(group, &active.id).await
    }

    async fn names_another_key(&mut self, template: LaunchTemplateRef) -> Result<bool, PortError> {
        let templates = [template];
        let keys = self
            .patiently(async |rack| rack.fleet.launch_template_keys(&templates).await)
            .await?;
        let key = keys.into_values().next().flatten();
        Ok(key.as_deref() != Some(self.plan.new_key.as_str()))
    }

    async fn follow_to_the_end(&mut self, group: &GroupPlan, id: &str) -> Result<(), Trouble> {
        if self.follow_refresh(group, id, 0).await? {
            return Ok(());
        }
        Err(interrupted())
    }

    async fn group_back(
        &mut self,
        group: &GroupPlan,
        refresh: &RefreshPlan,
        before: Option<LaunchTemplateRef>,
    ) -> Result<(), Trouble> {
        let wish = RefreshWish {
            min_healthy_percent: refresh.settings.min_healthy_percent,
            max_healthy_percent: refresh.settings.max_healthy_percent,
            warmup_secs: refresh.settings.warmup_secs,
            bake_secs: 0,
            until_percent: None,
            // They may well be on: that is why it goes back.
            alarms: Vec::new(),
            launch_template: before,
        };
        let mut tries = 0;
        loop {
            let refreshes = self.refreshes_of(&group.name).await?;
            if let Some(active) = refreshes.iter().find(|it| it.status.is_active()) {
                let id = active.id.clone();
                self.follow_to_the_end(group, &id).await?;
                continue;
            }
            let seen = self.members_of(&group.name).await?;
            if seen.new.is_empty() && seen.coming.is_empty() {
                return Ok(());
            }
            if tries == MOST_TRIES {
                let left = [seen.new, seen.coming].concat().join(", ");
                return Err(
                    Trouble::new(format!("{left} cannot be replaced")).outcome(Outcome::Stuck)
                );
            }
            match self.refresh_once(group, &wish, &refreshes, 0).await? {
                Went::Ended => tries += 1,
                Went::Stopped => return Err(interrupted()),
                Went::Refused(why) => return Err(Trouble::new(why).outcome(Outcome::Stuck)),
            }
        }
    }
}

fn interrupted() -> Trouble {
    Trouble::new("interrupted on the way back").outcome(Outcome::Detached)
}
