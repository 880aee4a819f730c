//! A roll that a console does in our place: asked for, and followed until its own report.

use std::time::Duration;

use super::app::Output;
use super::context::Context;
use super::follow::{Followed, Follower, report};
use crate::rack::remote::{ConsoleRoll, Remote, RemoteError};
use crate::rack::{PortError, Progress, Standing};
use crate::roll::{Outcome, Report};
use crate::ui::{CliError, Exit, Task, span};

/// How often it is asked again while something else is under way.
const BETWEEN: Duration = Duration::from_secs(5);

/// The status of an answer that says that a roll does not fit how things stand.
const CONFLICT: u16 = 409;

/// A rack whose keys a console rolls by itself.
pub(crate) struct Delegate<'a> {
    follower: Follower<'a>,
    remote: &'a Remote,
    task: Task,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// For other work on the rack to end.
    pub(crate) busy: Duration,
    /// For the roll to end; none to leave as soon as it has begun.
    pub(crate) roll: Option<Duration>,
}

/// Tells whether `remote` is a console that rolls the keys of the rack that is named.
///
/// # Errors
/// Whatever may happen on the way, a password that is refused included.
pub(crate) async fn rolls_by_itself(remote: &Remote) -> Result<bool, RemoteError> {
    // A console is asked about a rack by its name, and with no token of a rack.
    if remote.endpoint().rack().is_none() || remote.is_token() {
        return Ok(false);
    }
    Ok(remote.auth().await?.has_rolls)
}

impl<'a> Delegate<'a> {
    pub(crate) fn new(
        context: &'a Context,
        remote: &'a Remote,
        output: Output,
        task: Task,
    ) -> Self {
        Self {
            follower: Follower::new(context, remote, output),
            remote,
            task,
        }
    }

    /// Has `ask` ask for a roll, and follows it to its report; none if there is nothing to change.
    ///
    /// # Errors
    /// When the roll is refused, or the console cannot be asked.
    pub(crate) async fn carry_out(
        &self,
        patience: Patience,
        ask: impl AsyncFn(&Remote) -> Result<(), PortError>,
    ) -> Result<Option<Report>, CliError> {
        let before = self.last_roll().await?;
        let clock = self.remote.clock();
        let began = clock.now();
        loop {
            let error = match ask(self.remote).await {
                Ok(()) => break,
                Err(PortError::NoChanges) => return Ok(None),
                Err(error) => error,
            };
            let passed = clock.now().duration_since(began).unsigned_abs();
            if is_busy(&error) && passed + BETWEEN <= patience.busy {
                clock.sleep(BETWEEN).await;
            } else if is_busy(&error) {
                let hint = "wait longer with `--wait-busy 30m`, or try again when it is over";
                return Ok(Some(report(Outcome::Busy, error.to_string(), &[hint])));
            } else if error.is_unanswered() && self.last_roll().await? != before {
                // It has begun, although nobody has heard so.
                break;
            } else {
                return Err(self.follower.failed_with(&self.task, error.into()));
            }
        }
        let Some(roll) = self
            .last_roll()
            .await?
            .filter(|it| Some(it) != before.as_ref())
        else {
            let told = "the console has accepted the roll and shows nothing of it".to_owned();
            let hint = "`convox rack` tells how the rack stands";
            return Ok(Some(report(Outcome::Detached, told, &[hint])));
        };
        let Some(timeout) = patience.roll else {
            return Ok(Some(goes_on(format!("roll {roll} goes on in the console"))));
        };
        self.follow(&roll, timeout).await.map(Some)
    }

    /// Tells how it ended.
    pub(crate) fn finish(&self, report: &Report) -> Exit {
        self.follower.finish(&self.task, report)
    }

    async fn follow(&self, roll: &str, timeout: Duration) -> Result<Report, CliError> {
        let progress = Progress::of_update(self.remote.clock().now());
        let judge = |standing, told: Option<ConsoleRoll>| match (told, standing) {
            (Some(told), _) => ended(roll, told).map(Ok),
            (None, Standing::Lost(error)) => Some(Err(error)),
            (None, _) => None,
        };
        Ok(
            match self.follower.follow_until(progress, timeout, judge).await? {
                Followed::Ended(Ok(report)) => report,
                Followed::Ended(Err(error)) => {
                    goes_on(format!("the console does not answer any more: {error}"))
                }
                Followed::LetGo => goes_on(format!("roll {roll} goes on in the console")),
                Followed::TimedOut => {
                    goes_on(format!("roll {roll} is not over after {}", span(timeout)))
                }
            },
        )
    }

    /// Returns the id of the rack's last roll, if there was one.
    async fn last_roll(&self) -> Result<Option<String>, CliError> {
        let described = self.remote.system_and_roll().await;
        let described = described.map_err(|error| self.follower.failed(&self.task, error));
        Ok(described?.1.map(|roll| roll.id))
    }
}

/// Reads how a roll ended; none while it goes on.
fn ended(roll: &str, told: ConsoleRoll) -> Option<Report> {
    if told.id != roll {
        let message = format!(
            "roll {roll} has ended, and roll {} has begun since",
            told.id
        );
        let hint = "`convox console rolls list`, on the console's machine, tells how it ended";
        return Some(report(Outcome::Detached, message, &[hint]));
    }
    let read = told.report.map(serde_json::from_value);
    match read {
        Some(Ok(report)) => Some(report),
        None if !told.ended => None,
        _ => {
            let message = format!("roll {roll} was given up, and both keys are kept");
            let hint = "look at the rack's stack, then roll again";
            Some(report(Outcome::Stuck, message, &[hint]))
        }
    }
}

fn goes_on(message: String) -> Report {
    let hint = "`convox rack` tells how the rack stands";
    report(Outcome::Detached, message, &[hint])
}

/// Tells whether it is only a matter of time until the console does it.
fn is_busy(error: &PortError) -> bool {
    match error {
        PortError::Busy { .. } => true,
        PortError::Remote {
            status: Some(CONFLICT),
            message,
            ..
        } => ["is under way", "_IN_PROGRESS"]
            .iter()
            .any(|it| message.contains(it)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn told(id: &str, ended: bool, report: Option<Value>) -> ConsoleRoll {
        ConsoleRoll {
            id: id.to_owned(),
            ended,
            report,
        }
    }

    #[test]
    fn only_the_roll_s_own_report_ends_it_well() {
        let outcome = |it: ConsoleRoll| ended("a", it).map(|report| report.outcome);
        let report = |outcome| json!(report(outcome, String::new(), &[]));
        assert_eq!(outcome(told("a", false, None)), None);
        for end in [Outcome::Done, Outcome::RolledBack, Outcome::Unproven] {
            assert_eq!(outcome(told("a", false, Some(report(end)))), Some(end));
        }
        assert_eq!(outcome(told("a", true, None)), Some(Outcome::Stuck));
        let other = told("b", true, Some(report(Outcome::Done)));
        assert_eq!(outcome(other), Some(Outcome::Detached));
    }

    #[test]
    fn what_is_only_busy_is_told_from_what_is_refused() {
        let conflict = |message: &str| PortError::Remote {
            status: Some(CONFLICT),
            transient: false,
            unanswered: false,
            message: message.to_owned(),
            hint: None,
        };
        assert!(is_busy(&conflict("roll 01 of the rack is under way")));
        assert!(is_busy(&conflict(
            "the stack is UPDATE_IN_PROGRESS: another operation is under way"
        )));
        assert!(!is_busy(&conflict("`****` is how a masked value reads")));
        assert!(!is_busy(&PortError::NoChanges));
    }
}
