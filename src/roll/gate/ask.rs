//! Asks a gate whether the roll may go on.

use std::time::Duration;

use super::{GateCall, GateReport, GateStage};
use crate::rack::{Alarm, PortError};
use crate::roll::event::EventKind;
use crate::roll::outcome::Report;
use crate::roll::run::Run;

/// What a gate says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::roll) enum Passage {
    /// The roll may go on.
    Open,
    /// It may not, and why.
    Shut(String),
    /// Somebody asked to stop meanwhile.
    Stopped,
}

impl Run<'_> {
    /// Asks the alarms, then the command, and the alarms again: one may have gone off meanwhile.
    /// What cannot be asked is shut.
    pub(in crate::roll) async fn ask_gate(
        &mut self,
        stage: GateStage,
        replaced: u32,
        instances: Vec<String>,
    ) -> Passage {
        if !self.plan.gates.asks() || self.gate.is_past {
            return Passage::Open;
        }
        let total = self.plan.groups.iter().map(|group| group.instances).sum();
        let report = GateReport {
            stage,
            replaced,
            total,
            open: None,
            why: None,
        };
        self.emit(EventKind::Gate(report.clone()));
        let passage = self.answer_of_gate(stage, replaced, total, instances).await;
        let why = match &passage {
            Passage::Open => None,
            Passage::Shut(why) => Some(why.clone()),
            Passage::Stopped => return passage,
        };
        let open = Some(passage == Passage::Open);
        self.emit(EventKind::Gate(GateReport {
            open,
            why,
            ..report
        }));
        passage
    }

    async fn answer_of_gate(
        &mut self,
        stage: GateStage,
        replaced: u32,
        total: u32,
        instances: Vec<String>,
    ) -> Passage {
        if let Some(why) = self.alarm_in_the_way().await {
            return Passage::Shut(why);
        }
        let Some(command) = self.plan.gates.command.clone() else {
            return Passage::Open;
        };
        let Some(runner) = self.gate.runner.clone() else {
            return Passage::Shut("nobody runs commands here".to_owned());
        };
        let call = GateCall {
            command,
            timeout: Duration::from_secs(self.plan.gates.timeout_secs),
            roll: self.plan.roll.clone(),
            rack: self.plan.rack.clone(),
            stage,
            new_key: self.plan.new_key.clone(),
            replaced,
            total,
            instances,
        };
        let stop = self.stop.clone();
        let answer = tokio::select! {
            answer = runner.run(&call) => answer,
            () = stop.requested() => return Passage::Stopped,
        };
        if let Err(why) = answer {
            return Passage::Shut(why);
        }
        match self.alarm_in_the_way().await {
            Some(why) => Passage::Shut(why),
            None => Passage::Open,
        }
    }

    /// Says which alarm is on, or is not there any more.
    async fn alarm_in_the_way(&mut self) -> Option<String> {
        let names = self.plan.gates.alarms.clone();
        if names.is_empty() {
            return None;
        }
        let found = self.patiently(async |rack| rack.alarms.alarms(&names).await);
        match found.await {
            Ok(found) => wrong_with(&names, &found).into_iter().next(),
            Err(error) => Some(PortError::to_string(&error)),
        }
    }

    /// Asks the gate once more when all instances are proven, before the old key goes. Returns how
    /// the roll ends if that is not to be.
    pub(in crate::roll) async fn last_gate(&mut self, proven: usize) -> Option<Report> {
        if !self.plan.gates.asks() || self.gate.is_past {
            return None;
        }
        let replaced = u32::try_from(proven).unwrap_or(u32::MAX);
        let instances = match self.instances_with_new_key().await {
            Ok(instances) => instances,
            Err(error) => return Some(self.unproven_for(&error)),
        };
        match self.ask_gate(GateStage::Last, replaced, instances).await {
            Passage::Open => None,
            Passage::Stopped => Some(self.detached("stopped before the last gate was passed")),
            Passage::Shut(why) => Some(self.halt(why).await),
        }
    }

    /// Lists the live instances that carry the new key.
    pub(in crate::roll) async fn instances_with_new_key(
        &mut self,
    ) -> Result<Vec<String>, PortError> {
        let key = self.plan.new_key.clone();
        let found = self
            .patiently(async |rack| rack.fleet.instances_with_key(&key).await)
            .await?;
        let live = found.into_iter().filter(|instance| instance.is_live());
        let mut ids: Vec<String> = live.map(|instance| instance.id).collect();
        ids.sort();
        Ok(ids)
    }
}

/// Says what is wrong with alarms that are asked for by name: each that is missing, or on.
pub(super) fn wrong_with(names: &[String], found: &[Alarm]) -> Vec<String> {
    let wrong = |name: &String| match found.iter().find(|alarm| alarm.name == *name) {
        None => Some(format!("there is no alarm {name}")),
        Some(alarm) if alarm.is_on() => Some(match &alarm.reason {
            Some(reason) => format!("alarm {name} is on: {reason}"),
            None => format!("alarm {name} is on"),
        }),
        Some(_) => None,
    };
    names.iter().filter_map(wrong).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_that_is_missing_or_on_is_in_the_way_and_one_without_data_is_not() {
        let alarm = |name: &str, state: &str, reason: Option<&str>| Alarm {
            name: name.to_owned(),
            state: state.to_owned(),
            reason: reason.map(str::to_owned),
        };
        let found = [
            alarm("calm", "OK", None),
            alarm("new", "INSUFFICIENT_DATA", None),
            alarm("loud", "ALARM", Some("5 of 5")),
        ];
        let names = ["calm", "new", "loud", "gone"].map(str::to_owned);
        assert_eq!(
            wrong_with(&names, &found),
            ["alarm loud is on: 5 of 5", "there is no alarm gone"]
        );
    }
}
