//! Rehearsals: what a roll will do to a rack, found out by rolling a copy of it.
//!
//! [`Rehearsal::of`] builds the copy from a [`Survey`], which is read by list
//! and describe calls only, in the sandbox; the real roll engine then rolls it in virtual time,
//! many times, each with chance of its own. [`Rehearsal::forecast`] says what happened how often,
//! and [`Rehearsal::advice`] what would happen if the rack were changed, by the same simulation.

mod advice;
mod assumed;
mod direct;
mod forecast;
mod measure;
mod memory;
mod replica;
mod run;
mod series;
mod template;
mod tweak;

use jiff::Timestamp;

use crate::roll::{RollOptions, Survey, SurveyedGroup};

pub use advice::{Advised, Effects};
pub use forecast::{
    Band, Forecast, InService, Lack, Quantiles, RolledBack, ServiceForecast, Surge,
};
pub use measure::{Measured, Samples};
pub use run::{RunResult, lacks};
pub use tweak::Tweak;

use replica::Replica;

/// The version of what a rehearsal tells as data.
pub const FORECAST_VERSION: u32 = 1;

/// How often a roll is rehearsed, and from what chance.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How often; at least once.
    pub runs: u32,
    /// What chance is made of: the same gives the same forecast.
    pub seed: u64,
    /// What is asked of the roll.
    pub options: RollOptions,
}

/// Why a roll cannot be rehearsed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RehearseError {
    /// A group rolls in a way that nobody can foretell.
    #[error("group {group} {why}: that cannot be rehearsed")]
    UnknownPolicy {
        /// The group's name in the template.
        group: String,
        /// In which way.
        why: &'static str,
    },
    /// The copy does not come up.
    #[error("the copy of the rack does not come up: {0}")]
    Replica(String),
    /// A run did not get as far as the roll.
    #[error("the rehearsal broke off: {0}")]
    Run(String),
}

impl RehearseError {
    fn unknown_policy(group: &SurveyedGroup, why: &'static str) -> Self {
        Self::UnknownPolicy {
            group: group.plan.logical_id.clone(),
            why,
        }
    }
}

/// A rack that can be rolled again and again without anybody noticing.
#[derive(Debug, Clone)]
pub struct Rehearsal {
    rack: String,
    parameter: String,
    survey: Survey,
    now: Timestamp,
    settings: Settings,
    measured: Measured,
}

impl Rehearsal {
    /// Takes what was surveyed of the rack `name` at `now`; `parameter` names its key pair.
    #[must_use]
    pub fn of(
        name: &str,
        parameter: &str,
        survey: Survey,
        now: Timestamp,
        settings: Settings,
    ) -> Self {
        Self {
            rack: name.to_owned(),
            parameter: parameter.to_owned(),
            measured: Measured::of(&survey),
            survey,
            now,
            settings,
        }
    }

    /// Rolls the copy as often as asked, and says what happened how often.
    ///
    /// # Errors
    /// When the rack cannot be copied, or a run does not get as far as the roll.
    pub fn forecast(&self) -> Result<Forecast, RehearseError> {
        let runs = self.run_all(&Tweak::default(), self.settings.runs)?;
        Ok(self.told(&Tweak::default(), &runs))
    }

    /// Rolls a copy that is changed as `tweak` says, `runs` times.
    ///
    /// # Errors
    /// As of [`Self::forecast`].
    pub fn run_all(&self, tweak: &Tweak, runs: u32) -> Result<Vec<RunResult>, RehearseError> {
        let replica = Replica::build(&self.survey, &self.rack, &self.parameter, self.now, tweak)?;
        run::run_all(&replica, &self.rack, &self.parameter, self.settings, runs)
    }
}
