//! The proof: the API itself is asked, several times, for each process behind its balancer.

use std::time::Duration;

use super::observe::current_of;
use super::restart::{Restarted, processes};
use crate::rack::{ApiProbe, PortError};
use crate::roll::base::{Base, Trouble};
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;
use crate::roll::run::Run;
use secrecy::{ExposeSecret as _, SecretString};

/// How long the API may answer otherwise, or not at all, once its processes are restarted.
const PATIENCE: Duration = Duration::from_secs(10 * 60);
/// Between two questions.
const BETWEEN_QUESTIONS: Duration = Duration::from_secs(1);
/// The fewest right answers in a row.
const FEWEST_ANSWERS: u32 = 6;
/// Right answers in a row for every process, so that none is missed behind the balancer.
const ANSWERS_FOR_EACH: u32 = 4;
/// The most right answers in a row.
const MOST_ANSWERS: u32 = 60;

/// What the API is to say.
pub(in crate::roll) struct Question {
    /// The key that it is to take.
    taken: SecretString,
    /// The key that it is to refuse, where that is known.
    refused: Option<SecretString>,
    /// What the two are called.
    names: [&'static str; 2],
}

impl Question {
    /// Has the roll gone through?
    pub(in crate::roll) fn forward(new: SecretString, old: Option<SecretString>) -> Self {
        Self {
            taken: new,
            refused: old,
            names: ["new", "old"],
        }
    }

    /// Is it undone?
    pub(in crate::roll) fn backward(old: SecretString, new: SecretString) -> Self {
        Self {
            taken: old,
            refused: Some(new),
            names: ["old", "new"],
        }
    }
}

/// What the API says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::roll) enum Proof {
    /// It takes the one key and, where that is known, refuses the other.
    Proven { old_refused: bool },
    /// It cannot be asked.
    NotAsked,
    /// It does not take the one key, or still the other.
    Refuted(String),
    /// Somebody asked to stop.
    Stopped,
}

impl Run<'_> {
    /// The stack is complete: restarts the API, asks it, and lets the old key go.
    pub(in crate::roll) async fn prove_api(&mut self) -> Report {
        let fresh = match self.restart().await {
            Ok(Restarted::Fresh(fresh)) => fresh,
            Ok(Restarted::NoService) => 0,
            Ok(Restarted::Never(why)) => return self.unproven(&why),
            Ok(Restarted::Stopped) => {
                return self.detached("stopped before the rack API was restarted");
            }
            Err(trouble) => return self.not_restarted(trouble),
        };
        match self.ask(fresh).await {
            Ok(Proof::Proven { old_refused }) => self.settle_api(fresh, Some(old_refused)).await,
            Ok(Proof::NotAsked) if fresh > 0 => self.settle_api(fresh, None).await,
            Ok(Proof::NotAsked) => {
                self.unproven("nobody could be asked whether the rack API takes the new key")
            }
            Ok(Proof::Refuted(why)) => self.unproven(&why),
            Ok(Proof::Stopped) => self.detached("stopped before the new key was proven"),
            Err(error) => self.unproven(&error.to_string()),
        }
    }

    async fn ask(&mut self, fresh: u32) -> Result<Proof, PortError> {
        self.begin(Step::Verify);
        let probe = self.api.probe.clone().filter(|_| self.can_probe());
        let (Some(probe), Some(new)) = (probe, self.value()) else {
            if fresh > 0 {
                self.done(
                    Step::Verify,
                    format!(
                        "{} started after the change, as ECS says; the API was not asked",
                        processes(fresh)
                    ),
                );
            }
            return Ok(Proof::NotAsked);
        };
        let old = self.old_value(&new).await?;
        Ok(self
            .base
            .ask_api(probe.as_ref(), &Question::forward(new, old), fresh)
            .await)
    }

    /// Tells whether the API answers from here, as far as was seen before the roll.
    pub(in crate::roll) fn can_probe(&self) -> bool {
        self.api.probe.is_some() && self.plan.api().is_some_and(|api| api.probe.is_some())
    }

    /// Returns the key that worked before, if somebody here still has it.
    async fn old_value(&self, new: &SecretString) -> Result<Option<SecretString>, PortError> {
        if !self.plan.api().is_some_and(|api| api.old_known) {
            return Ok(None);
        }
        let current = current_of(&self.api).await?;
        Ok(current.filter(|current| current.expose_secret() != new.expose_secret()))
    }

    /// The stack is complete, and nobody can say that the new key works.
    fn unproven(&self, why: &str) -> Report {
        let mut report = self.report(
            Outcome::Unproven,
            format!("the stack has the new key, but it is not proven: {why}"),
        );
        report.hints = vec![
            "look at the rack API's processes with `convox rack ps` or in the ECS console"
                .to_owned(),
            format!(
                "then {}; until then both keys are kept, and processes that start get the new one",
                self.resume_hint()
            ),
        ];
        report
    }

    fn not_restarted(&self, trouble: Trouble) -> Report {
        let mut report = self.unproven(&format!(
            "the rack API could not be restarted: {}",
            trouble.message
        ));
        report.hints.splice(0..0, trouble.hints);
        report
    }
}

impl Base<'_> {
    /// Asks the API again and again, until all of its processes (of which there are about
    /// `processes`) must have answered as they should.
    pub(in crate::roll) async fn ask_api(
        &mut self,
        probe: &dyn ApiProbe,
        question: &Question,
        processes: u32,
    ) -> Proof {
        let [taken, refused] = question.names;
        let needed = processes.saturating_mul(ANSWERS_FOR_EACH);
        let needed = needed.clamp(FEWEST_ANSWERS, MOST_ANSWERS);
        let began = self.clock.now();
        let (mut row, mut told) = (0, None);
        loop {
            let takes_one = probe.accepts(&question.taken).await;
            let takes_other = match &question.refused {
                Some(other) => probe.accepts(other).await,
                None => Ok(false),
            };
            let now = self.clock.now();
            self.outage.sample(now, takes_one.is_ok());
            let wrong = match (takes_one, takes_other) {
                (Ok(true), Ok(false)) => None,
                (Ok(false), _) => Some(format!("the rack API refuses the {taken} key")),
                (Ok(true), Ok(true)) => Some(format!("the rack API still takes the {refused} key")),
                (Err(error), _) | (_, Err(error)) => {
                    Some(format!("the rack API does not answer: {error}"))
                }
            };
            row = if wrong.is_none() { row + 1 } else { 0 };
            if row >= needed {
                let old_refused = question.refused.is_some();
                let also = if old_refused {
                    format!(", and refuses the {refused} one")
                } else {
                    String::new()
                };
                self.done(
                    Step::Verify,
                    format!("the rack API takes the {taken} key, {row} times in a row{also}"),
                );
                return Proof::Proven { old_refused };
            }
            if let Some(wrong) = wrong {
                let passed = self.clock.now().duration_since(began);
                if Duration::try_from(passed).unwrap_or_default() > PATIENCE {
                    return Proof::Refuted(wrong);
                }
                if told.as_ref() != Some(&wrong) {
                    self.warn(format!("{wrong}; asking again"));
                    told = Some(wrong);
                }
            }
            // Nobody else asks in between: a balancer that takes its processes in turn would have
            // some of them meet only that question.
            if !self.sleep(BETWEEN_QUESTIONS).await {
                return Proof::Stopped;
            }
        }
    }
}
