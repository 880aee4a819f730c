//! Leads the instance refreshes of a roll, step by step.
//!
//! What is done next follows from what is there: a refresh that is under way is followed, whoever
//! began it, and one is begun only where none is and instances lack the new key. So a lost answer
//! or a crash never makes two.

use super::RefreshPlan;
use super::once::Went;
use super::proof::Joined;
use super::steps::{first_stop, percent_for, steps};
use crate::rack::{Instance, InstanceRefresh, LaunchTemplateRef, PortError, RefreshWish};
use crate::roll::engine::since;
use crate::roll::gate::{GateStage, Passage};
use crate::roll::plan::{GroupPlan, RollPolicy, Step};
use crate::roll::run::Run;

/// The most alarms that a refresh takes (API reference, `AlarmSpecification`).
const MOST_ALARMS: usize = 10;

/// How leading a roll's refreshes ended.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::roll) enum Led {
    /// All instances are replaced.
    Done,
    /// Somebody asked to stop.
    Stopped,
    /// The roll must not go on, and why.
    Halted(String),
}

/// The instances of a group, by id.
pub(super) struct Seen {
    /// In service with the new key.
    pub(super) new: Vec<String>,
    /// With the new key, and not in service.
    pub(super) coming: Vec<String>,
    /// Live with another key, those that are leaving left aside.
    pub(super) old: Vec<String>,
    /// What new ones start from.
    pub(super) template: Option<LaunchTemplateRef>,
    /// How many the group wants.
    pub(super) desired: u32,
}

impl Run<'_> {
    /// Replaces the instances of all groups that are left to us.
    pub(in crate::roll) async fn lead(&mut self) -> Result<Led, PortError> {
        let Some(refresh) = self.plan.refresh.clone() else {
            return Ok(Led::Done);
        };
        self.begin(Step::Refresh);
        let mut canary = self.plan.gates.canary;
        let mut before = 0;
        for group in self.led_groups() {
            match self
                .lead_group(&group, &refresh, canary.take(), before)
                .await?
            {
                Led::Done => before += group.instances,
                other => return Ok(other),
            }
        }
        self.done(Step::Refresh, "every instance is replaced");
        Ok(Led::Done)
    }

    pub(super) fn led_groups(&self) -> Vec<GroupPlan> {
        let groups = self.plan.groups.iter();
        let led = groups.filter(|group| group.policy == RollPolicy::OwnRefresh);
        led.cloned().collect()
    }

    async fn lead_group(
        &mut self,
        group: &GroupPlan,
        refresh: &RefreshPlan,
        canary: Option<u32>,
        replaced_before: u32,
    ) -> Result<Led, PortError> {
        // How many were new when the last step that has ended began.
        let mut stepped_at = None;
        loop {
            let refreshes = self.refreshes_of(&group.name).await?;
            if let Some(active) = refreshes.iter().find(|it| it.status.is_active()) {
                let followed = self.follow_refresh(group, &active.id, replaced_before);
                if !followed.await? {
                    return Ok(Led::Stopped);
                }
                continue;
            }
            if let Some(why) = self.failure_of(group, refreshes.first()) {
                return Ok(Led::Halted(why));
            }
            let seen = self.members_of(&group.name).await?;
            if seen.old.is_empty() {
                return Ok(Led::Done);
            }
            let new = count(&seen.new);
            if stepped_at.is_some_and(|before| new <= before) {
                let id = &group.logical_id;
                return Ok(Led::Halted(format!(
                    "a refresh of {id} ended and replaced nothing"
                )));
            }
            let total = seen.desired.max(new + 1);
            let all = steps(total, &refresh.settings, &self.plan.gates, canary);
            if new > 0 {
                let is_first = replaced_before == 0 && new <= first_stop(&all, total);
                let stage = match is_first {
                    true => GateStage::Canary,
                    false => GateStage::Batch,
                };
                match self.pass(stage, replaced_before + new, &seen).await? {
                    Passage::Open => {}
                    Passage::Stopped => return Ok(Led::Stopped),
                    Passage::Shut(why) => return Ok(Led::Halted(why)),
                }
            }
            if self.stop.is_requested() {
                return Ok(Led::Stopped);
            }
            if let Some(why) = self.starts_with_another_key(group, &seen).await? {
                return Ok(Led::Halted(why));
            }
            let target = all.into_iter().find(|step| *step > new).unwrap_or(total);
            let wish = RefreshWish {
                until_percent: percent_for(target, new, total),
                ..self.wish(refresh)
            };
            match self
                .refresh_once(group, &wish, &refreshes, replaced_before)
                .await?
            {
                Went::Ended => stepped_at = Some(new),
                Went::Stopped => return Ok(Led::Stopped),
                Went::Refused(why) => return Ok(Led::Halted(why)),
            }
        }
    }

    fn wish(&self, refresh: &RefreshPlan) -> RefreshWish {
        let settings = &refresh.settings;
        let alarms = self.plan.gates.alarms.iter();
        RefreshWish {
            min_healthy_percent: settings.min_healthy_percent,
            max_healthy_percent: settings.max_healthy_percent,
            warmup_secs: settings.warmup_secs,
            bake_secs: settings.bake_secs,
            until_percent: None,
            // Auto Scaling looks at them within a step; we do between steps, at all of them.
            alarms: alarms.take(MOST_ALARMS).cloned().collect(),
            launch_template: None,
        }
    }

    /// Has the new instances prove themselves where the roll is to pause, and asks the gate.
    async fn pass(
        &mut self,
        stage: GateStage,
        replaced: u32,
        seen: &Seen,
    ) -> Result<Passage, PortError> {
        let pauses = self.plan.refresh.as_ref();
        let pauses = pauses.is_some_and(|refresh| !refresh.settings.checkpoints.is_empty());
        if self.plan.gates.is_none() && !pauses {
            return Ok(Passage::Open);
        }
        match self.wait_until_joined(&seen.new, &seen.old).await? {
            Joined::All => Ok(self.ask_gate(stage, replaced, seen.new.clone()).await),
            Joined::Not(why) => Ok(Passage::Shut(why)),
            Joined::Stopped => Ok(Passage::Stopped),
        }
    }

    /// Says why the newest refresh failed, if it did and belongs to this roll.
    fn failure_of(&self, group: &GroupPlan, newest: Option<&InstanceRefresh>) -> Option<String> {
        let began = self.tracker.began_at();
        let began = began.unwrap_or_else(|| since(&self.plan.roll));
        let ours = newest.filter(|it| it.started_at.is_some_and(|at| at >= began))?;
        if ours.status.is_successful() {
            return None;
        }
        let (id, status) = (&group.logical_id, &ours.status.0);
        let why = ours.reason.as_deref().unwrap_or_default();
        let told = format!("the instance refresh of {id} ended as {status}. {why}");
        Some(told.trim_end_matches([' ', '.']).to_owned())
    }

    /// Lists the instances of a group that are not leaving it.
    pub(super) async fn members_of(&mut self, group: &str) -> Result<Seen, PortError> {
        let names = [group.to_owned()];
        let described = self
            .patiently(async |rack| rack.fleet.groups(&names).await)
            .await?;
        let instances = self
            .patiently(async |rack| rack.fleet.instances(&names, &[]).await)
            .await?;
        let staying = instances
            .iter()
            .filter(|instance| instance.is_live() && !instance.is_leaving());
        let ours = Some(self.plan.new_key.as_str());
        let (new, old): (Vec<_>, Vec<_>) =
            staying.partition(|instance| instance.key_name.as_deref() == ours);
        let (new, coming): (Vec<_>, Vec<_>) = new
            .into_iter()
            .partition(|instance| instance.lifecycle.as_deref() == Some("InService"));
        let ids = |list: Vec<&Instance>| list.into_iter().map(|it| it.id.clone()).collect();
        let described = described.into_iter().next();
        Ok(Seen {
            new: ids(new),
            coming: ids(coming),
            old: ids(old),
            desired: described.as_ref().map_or(0, |group| group.desired),
            template: described.and_then(|group| group.launch_template),
        })
    }

    /// Says what a group starts instances with, if it is not the new key: somebody has changed it.
    async fn starts_with_another_key(
        &mut self,
        group: &GroupPlan,
        seen: &Seen,
    ) -> Result<Option<String>, PortError> {
        let templates: Vec<_> = seen.template.iter().cloned().collect();
        let keys = self
            .patiently(async |rack| rack.fleet.launch_template_keys(&templates).await)
            .await?;
        let key = keys.into_values().next().flatten();
        if key.as_deref() == Some(self.plan.new_key.as_str()) {
            return Ok(None);
        }
        let key = key.unwrap_or_else(|| "no key pair".to_owned());
        Ok(Some(format!(
            "{} starts instances with {key}",
            group.logical_id
        )))
    }
}

fn count(ids: &[String]) -> u32 {
    u32::try_from(ids.len()).unwrap_or(u32::MAX)
}
