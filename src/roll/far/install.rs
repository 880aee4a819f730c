//! The one step that changes the rack: it is asked to set its own parameter.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::ExposeSecret as _;

use super::Far;
use super::watch::Looked;
use crate::rack::{PortError, Progress};
use crate::roll::base::{PATIENCE, Trouble};
use crate::roll::event::EventKind;
use crate::roll::journal::{Effect, Entry};
use crate::roll::outcome::Outcome;
use crate::roll::plan::Step;

/// Requests whose answer is lost before nobody is asked any more.
const MOST_LOST: u32 = 3;

/// What to do about a request that was not accepted.
enum Verdict {
    /// It was refused, and nothing is changed.
    Refused,
    /// Another update is under way; this is the stack's status.
    Busy(String),
    /// Nothing was sent, and it can be sent later.
    NotSent,
    /// It may have been carried out.
    Lost,
}

impl Far<'_> {
    /// Has the rack set its parameters, in one update that it carries out by itself.
    ///
    /// A request whose answer is lost is looked for in what the rack does. Only when nothing of
    /// it is seen for minutes, in a rack that answers, is the same asked again: if it had been
    /// carried out after all, CloudFormation says that there is nothing to change.
    pub(super) async fn install(&mut self) -> Result<(), Trouble> {
        if !self.unsure {
            self.check_stop()?;
        }
        self.begin(Step::Install);
        if !self.is_asked {
            self.started(Effect::UpdateStack).await?;
            self.is_asked = true;
        }
        let began = self.clock.now();
        let mut lost = 0;
        let mut wait = Duration::from_secs(2);
        loop {
            if self.unsure {
                match self.look_for_update().await {
                    Looked::Seen => break,
                    Looked::Nothing => {}
                    Looked::Unknown => return Err(self.left_unsure()),
                }
            }
            let asked_at = self.clock.now();
            let error = match self.ask_for_update().await? {
                Ok(()) => {
                    self.progress = Progress::of_update(asked_at);
                    break;
                }
                Err(PortError::NoChanges) => {
                    self.unchanged = true;
                    break;
                }
                Err(error) => error,
            };
            let passed = Duration::try_from(asked_at.duration_since(began)).unwrap_or_default();
            match verdict(&error) {
                // The lost request was carried out, and this is its update, or its key.
                Verdict::Busy(_) if self.unsure => break,
                Verdict::Refused if self.unsure && is_unauthorized(&error) => break,
                // A rack that answers twice that it fails, and shows nothing, has failed.
                Verdict::Lost if self.unsure && is_definite(&error) => {
                    return self.refuse(error).await;
                }
                Verdict::Refused => return self.refuse(error).await,
                Verdict::Lost => {
                    lost += 1;
                    self.warn(format!("{error}; looking whether the rack has begun"));
                    if lost == MOST_LOST {
                        return Err(self.left_unsure());
                    }
                    self.unsure = true;
                    self.progress = Progress::of_update(asked_at);
                }
                Verdict::Busy(status) if passed + wait <= self.wait_busy => {
                    self.emit(EventKind::Busy {
                        status,
                        retry_in_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                    });
                    self.wait(&mut wait).await?;
                }
                Verdict::Busy(_) => {
                    return self.refuse(error).await.map_err(|trouble| {
                        let hint = "wait longer for other updates with `--wait-busy 30m`";
                        trouble.outcome(Outcome::Busy).hint(hint)
                    });
                }
                Verdict::NotSent if passed <= PATIENCE => {
                    self.tell_of_retry(&error, wait);
                    self.wait(&mut wait).await?;
                }
                Verdict::NotSent if self.unsure => return Err(self.left_unsure()),
                Verdict::NotSent => return self.refuse(error).await,
            }
        }
        // The rack has the new key from here on: not even a full disk may turn the roll back.
        if let Err(error) = self.finished(Effect::UpdateStack).await {
            self.warn(error.to_string());
        }
        let detail = if self.unchanged {
            "the rack has that key already".to_owned()
        } else {
            format!("the rack is setting {}", self.plan.key_parameter)
        };
        self.done(Step::Install, detail);
        Ok(())
    }

    async fn ask_for_update(&self) -> Result<Result<(), PortError>, Trouble> {
        let (Some(new), Some(old)) = (&self.new, &self.old) else {
            return Err(Trouble::new("a key of the roll is not known here any more"));
        };
        let mut changes: BTreeMap<String, String> = new.set.clone();
        let value = new.value.expose_secret().to_owned();
        changes.insert(self.plan.key_parameter.clone(), value);
        Ok(self.rack.api.set_with(old, &changes).await)
    }

    async fn wait(&mut self, wait: &mut Duration) -> Result<(), Trouble> {
        if !self.pause(*wait).await {
            if self.unsure {
                return Err(self.left_unsure());
            }
            self.check_stop()?;
        }
        *wait = (*wait * 2).min(Duration::from_secs(15));
        Ok(())
    }

    /// Nobody knows whether the update was accepted: nothing may be taken back.
    fn left_unsure(&self) -> Trouble {
        Trouble::new("the rack did not say whether it accepted the update; both keys are kept")
            .outcome(Outcome::Detached)
            .hint(self.resume_hint())
    }

    async fn refuse(&mut self, error: PortError) -> Result<(), Trouble> {
        let message = error.to_string();
        self.record(Entry::Failed {
            effect: Effect::UpdateStack,
            message,
        })
        .await?;
        Err(error.into())
    }
}

fn verdict(error: &PortError) -> Verdict {
    match error {
        PortError::Busy { status, .. } => Verdict::Busy(status.clone()),
        error if error.is_unanswered() => Verdict::Lost,
        // The rack passes on whatever went wrong, after its update was accepted too.
        error if is_definite(error) => Verdict::Lost,
        error if error.is_transient() => Verdict::NotSent,
        _ => Verdict::Refused,
    }
}

/// Tells whether the rack itself says that something went wrong in it.
fn is_definite(error: &PortError) -> bool {
    matches!(
        error,
        PortError::Remote {
            status: Some(500..),
            transient: true,
            unanswered: false,
            ..
        }
    )
}

/// Tells whether whoever answered refuses the key.
pub(super) fn is_unauthorized(error: &PortError) -> bool {
    matches!(
        error,
        PortError::Remote {
            status: Some(401),
            ..
        }
    )
}
