//! The proof: the API itself is asked, several times, for each process behind its balancer.

use std::time::Duration;

use super::observe::current_of;
use super::restart::{Restarted, processes};
use crate::rack::PortError;
use crate::roll::outcome::{Outcome, Report};
use crate::roll::plan::Step;
use crate::roll::run::{Run, Trouble};
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

/// What the API says.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// It takes the new key and, where that is known, refuses the old one.
    Proven { old_refused: bool },
    /// It cannot be asked.
    NotAsked,
    /// It does not take the new key, or still the old one.
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
        let needed = (fresh * ANSWERS_FOR_EACH).clamp(FEWEST_ANSWERS, MOST_ANSWERS);
        let began = self.clock.now();
        let (mut row, mut told) = (0, None);
        loop {
            let takes_new = probe.accepts(&new).await;
            let takes_old = match &old {
                Some(old) => probe.accepts(old).await,
                None => Ok(false),
            };
            let wrong = match (takes_new, takes_old) {
                (Ok(true), Ok(false)) => None,
                (Ok(false), _) => Some("the rack API refuses the new key".to_owned()),
                (Ok(true), Ok(true)) => Some("the rack API still takes the old key".to_owned()),
                (Err(error), _) | (_, Err(error)) => {
                    Some(format!("the rack API does not answer: {error}"))
                }
            };
            row = if wrong.is_none() { row + 1 } else { 0 };
            if row >= needed {
                let old_refused = old.is_some();
                let also = if old_refused {
                    ", and refuses the old one"
                } else {
                    ""
                };
                self.done(
                    Step::Verify,
                    format!("the rack API takes the new key, {row} times in a row{also}"),
                );
                return Ok(Proof::Proven { old_refused });
            }
            if let Some(wrong) = wrong {
                let passed = self.clock.now().duration_since(began);
                if Duration::try_from(passed).unwrap_or_default() > PATIENCE {
                    return Ok(Proof::Refuted(wrong));
                }
                if told.as_ref() != Some(&wrong) {
                    self.warn(format!("{wrong}; asking again"));
                    told = Some(wrong);
                }
            }
            if !self.pause(BETWEEN_QUESTIONS).await {
                return Ok(Proof::Stopped);
            }
        }
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
