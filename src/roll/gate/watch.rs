//! Gates of a roll that CloudFormation leads: asked while the stack is followed.

use super::GateStage;
use super::ask::Passage;
use crate::roll::event::EventKind;
use crate::roll::follow::Followed;
use crate::roll::plan::RollPolicy;
use crate::roll::refresh::RefreshReport;
use crate::roll::run::Run;

impl Run<'_> {
    /// Looks how far the stack's own instance refreshes are, and asks the gate when more instances
    /// have come. `None`: nothing keeps anybody from following on.
    pub(in crate::roll) async fn watch_gates(&mut self) -> Option<Followed> {
        let goes_on = self.tracker.has_started() && !self.tracker.is_rolling_back();
        if !goes_on || self.plan.is_api() || self.gate.is_past || self.gate.halted.is_some() {
            return None;
        }
        self.look_at_stack_refreshes().await;
        if !self.plan.gates.asks() {
            return None;
        }
        let progress = self.tracker.progress(self.clock.now());
        let arrived = progress.arrived.saturating_add(self.gate.at_checkpoint);
        let total: u32 = self.plan.groups.iter().map(|group| group.instances).sum();
        // When all are there, the last gate is asked, once they are proven.
        if arrived <= self.gate.asked_at || arrived >= total {
            return None;
        }
        // Whoever takes a roll up again finds it at its canary only if no other batch has come.
        let first = progress.batch.unwrap_or(1).max(self.gate.first_checkpoint);
        let is_first = self.gate.asked_at == 0 && (!self.resumed || arrived <= first);
        let stage = if is_first {
            GateStage::Canary
        } else {
            GateStage::Batch
        };
        self.gate.asked_at = arrived;
        let instances = self.instances_with_new_key().await.unwrap_or_default();
        match self.ask_gate(stage, arrived, instances).await {
            Passage::Open => None,
            Passage::Stopped => Some(Followed::Stopped),
            Passage::Shut(why) => Some(Followed::Halted(why)),
        }
    }

    /// Tells how far the refreshes are that CloudFormation has begun. That they cannot be read
    /// harms nothing: the stack's events tell the end.
    async fn look_at_stack_refreshes(&mut self) {
        let led = self.plan.groups.iter();
        let led = led.filter(|it| matches!(it.policy, RollPolicy::InstanceRefresh { .. }));
        let led: Vec<_> = led.cloned().collect();
        let began = self.tracker.began_at();
        let (mut at_checkpoint, mut first_checkpoint) = (0, 0);
        for group in led {
            let Ok(refreshes) = self.rack.refreshes.list(&group.name).await else {
                continue;
            };
            let ours = refreshes.into_iter().next();
            let Some(refresh) = ours.filter(|it| it.started_at >= began) else {
                continue;
            };
            let now = (refresh.status.0.clone(), refresh.percent);
            if self.gate.told.get(&group.name) != Some(&now) {
                self.gate.told.insert(group.name.clone(), now);
                self.emit(EventKind::Refresh(RefreshReport::of(
                    &group.logical_id,
                    &refresh,
                )));
            }
            let reached = refresh
                .checkpoints
                .iter()
                .filter(|at| **at <= refresh.percent)
                .max();
            let percent = reached.copied().unwrap_or(0);
            at_checkpoint += group.instances * percent / 100;
            let percent = refresh.checkpoints.first().copied().unwrap_or(100);
            first_checkpoint += group.instances * percent / 100;
        }
        self.gate.first_checkpoint = first_checkpoint;
        self.gate.at_checkpoint = self.gate.at_checkpoint.max(at_checkpoint);
    }
}
