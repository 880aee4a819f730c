//! How a fleet ended, rack by rack, and the exit code of that.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::plan::{FleetPlan, FleetRack};
use crate::ids::RollId;
use crate::roll::outcome::{Failure, Outcome, Report};
use crate::roll::preflight::Refusal;

/// How far a rack came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetState {
    /// Its turn did not come.
    Waiting,
    /// It came to an end, or was left.
    Ended,
}

/// How one rack of a fleet ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RackReport {
    /// The rack.
    pub rack: String,
    /// Its wave; 0 is that of the canaries.
    pub wave: u32,
    /// How far it came.
    pub state: FleetState,
    /// Its roll, if one was begun.
    pub roll: Option<RollId>,
    /// How that ended.
    pub outcome: Option<Outcome>,
    /// One line that says what happened.
    pub message: String,
    /// What to do next, each a line.
    pub hints: Vec<String>,
    /// The key pair that it had.
    pub old_key: Option<String>,
    /// The key pair that it has now, or that is left.
    pub new_key: Option<String>,
    /// What failed first, in a roll that failed.
    pub first_failure: Option<Failure>,
    /// When its turn came.
    pub began: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// How a fleet ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetReport {
    /// The fleet.
    pub fleet: RollId,
    /// The worst of its racks' outcomes.
    pub outcome: Outcome,
    /// The exit code that goes with it.
    pub exit_code: u8,
    /// One line that says what happened.
    pub message: String,
    /// What to do next, each a line.
    pub hints: Vec<String>,
    /// Why no more racks began before all had, if that is so.
    pub stopped: Option<String>,
    /// When it began, or was taken up again.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// The racks, in the order in which they begin.
    pub racks: Vec<RackReport>,
}

impl RackReport {
    /// Reports a rack whose turn has not come.
    pub(super) fn waiting(rack: &FleetRack) -> Self {
        Self {
            rack: rack.name.clone(),
            wave: rack.wave,
            state: FleetState::Waiting,
            roll: None,
            outcome: None,
            message: "not begun".to_owned(),
            hints: Vec::new(),
            old_key: None,
            new_key: None,
            first_failure: None,
            began: None,
            ended: None,
        }
    }

    /// Reports the end of a rack's roll.
    pub(super) fn ended(rack: &FleetRack, roll: RollId, report: Report) -> Self {
        Self {
            state: FleetState::Ended,
            roll: Some(roll),
            outcome: Some(report.outcome),
            message: report.message,
            hints: report.hints,
            old_key: report.old_key,
            new_key: report.new_key,
            first_failure: report.first_failure,
            ..Self::waiting(rack)
        }
    }

    /// Reports a rack that is not rolled.
    pub(super) fn refused(rack: &FleetRack, roll: Option<RollId>, refusal: &Refusal) -> Self {
        Self {
            state: FleetState::Ended,
            roll,
            outcome: Some(refusal.outcome),
            message: refusal.to_string(),
            hints: refusal.reasons.iter().map(|it| it.hint.clone()).collect(),
            ..Self::waiting(rack)
        }
    }

    /// Tells whether its roll has nothing left to do, however it ended.
    pub(super) fn is_over(&self) -> bool {
        match self.outcome {
            None | Some(Outcome::Done | Outcome::RolledBack) => true,
            Some(Outcome::NothingChanged | Outcome::Busy) => self.new_key.is_none(),
            Some(Outcome::Unproven | Outcome::Stuck | Outcome::Detached) => false,
        }
    }

    /// Tells whether its roll was begun and has ended with nothing changed and nothing left over.
    pub(super) fn left_nothing(&self) -> bool {
        let is_unchanged = self.outcome == Some(Outcome::NothingChanged);
        self.roll.is_some() && is_unchanged && self.new_key.is_none()
    }

    /// Tells whether the rack is done, and not to be rolled again.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome == Some(Outcome::Done)
    }
}

impl FleetReport {
    pub(super) fn of(
        plan: &FleetPlan,
        racks: Vec<RackReport>,
        stopped: Option<String>,
        (began, ended): (Timestamp, Timestamp),
    ) -> Self {
        let outcome = worst(&racks);
        let done = racks.iter().filter(|rack| rack.is_done()).count();
        let waiting = racks
            .iter()
            .filter(|rack| rack.state == FleetState::Waiting);
        let waiting = waiting.count();
        let failed = racks.len() - done - waiting;
        let mut message = format!("{done} of {} racks carry their new key", racks.len());
        if failed > 0 {
            message.push_str(&format!(", {failed} did not end well"));
        }
        if waiting > 0 {
            message.push_str(&format!(", {waiting} did not begin"));
        }
        let mut hints = Vec::new();
        if outcome != Outcome::Done {
            hints.push(format!(
                "go on with all that are not done with `convox rolls resume {}`",
                plan.fleet
            ));
        }
        Self {
            fleet: plan.fleet.clone(),
            outcome,
            exit_code: outcome.exit_code(),
            message,
            hints,
            stopped,
            began,
            ended,
            racks,
        }
    }
}

/// Returns the worst outcome of all racks: what needs a person most. One that has not begun
/// counts as one that goes on without us.
fn worst(racks: &[RackReport]) -> Outcome {
    let outcomes = racks.iter().map(|rack| rack.outcome);
    let outcomes = outcomes.map(|outcome| outcome.unwrap_or(Outcome::Detached));
    outcomes
        .max_by_key(|outcome| gravity(*outcome))
        .unwrap_or(Outcome::Done)
}

fn gravity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Done => 0,
        Outcome::Detached => 1,
        Outcome::Busy => 2,
        Outcome::NothingChanged => 3,
        Outcome::RolledBack => 4,
        Outcome::Unproven => 5,
        Outcome::Stuck => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_of_the_racks_is_what_needs_a_person_most() {
        let rack = |outcome: Option<Outcome>| RackReport {
            outcome,
            ..RackReport::waiting(&FleetRack {
                name: "prod".to_owned(),
                rack: None,
                wave: 1,
                canary: false,
                place: super::super::RackPlace::default(),
                home: None,
            })
        };
        let of = |outcomes: &[Option<Outcome>]| {
            let racks: Vec<_> = outcomes.iter().copied().map(rack).collect();
            worst(&racks).exit_code()
        };
        use Outcome::{Busy, Done, NothingChanged, RolledBack, Stuck, Unproven};
        assert_eq!(of(&[Some(Done), Some(Done)]), 0);
        assert_eq!(of(&[Some(Done), None]), 6);
        assert_eq!(of(&[Some(Busy), None]), 7);
        assert_eq!(of(&[Some(Busy), Some(NothingChanged)]), 1);
        assert_eq!(of(&[Some(RolledBack), Some(NothingChanged), None]), 3);
        assert_eq!(of(&[Some(RolledBack), Some(Unproven)]), 4);
        assert_eq!(of(&[Some(Stuck), Some(Unproven), Some(Busy)]), 5);
    }
}
