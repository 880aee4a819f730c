//! Follows the rack's own word until it is at rest, with whichever key it takes just now.

use std::time::Duration;

use super::Far;
use crate::rack::{PortError, Standing};
use crate::roll::event::EventKind;
use crate::roll::journal::Entry;
use crate::roll::plan::Step;

/// Between two questions.
const BETWEEN_LOOKS: Duration = Duration::from_secs(5);

/// How following the rack ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// It is at rest, and has not said that it went back.
    Complete,
    /// It is at rest, and has gone back.
    RolledBack,
    /// It has failed: a person must act.
    Stuck,
    /// Somebody asked to stop following.
    Stopped,
    /// It gives no good answer any more.
    Lost(String),
}

/// What became of an update whose answer was lost.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Looked {
    /// The rack carries it out, or has done so.
    Seen,
    /// The rack is at rest, and for minutes nothing was seen of it.
    Nothing,
    /// Nobody can say.
    Unknown,
}

impl Far<'_> {
    /// Follows the rack until it is at rest.
    pub(super) async fn watch(&mut self) -> Watched {
        self.begin(Step::Watch);
        loop {
            match self.look().await {
                Standing::Going => {}
                Standing::Done | Standing::Unseen => {
                    let seen = if self.progress.is_seen() {
                        "the rack is running"
                    } else {
                        "the rack is running, and has shown nothing of its update"
                    };
                    self.done(Step::Watch, seen);
                    return Watched::Complete;
                }
                Standing::RolledBack => {
                    self.done(Step::Watch, "the rack is running, and has gone back");
                    return Watched::RolledBack;
                }
                Standing::Stuck => return Watched::Stuck,
                Standing::Lost(error) => return Watched::Lost(error.to_string()),
            }
            if !self.pause(BETWEEN_LOOKS).await {
                return Watched::Stopped;
            }
        }
    }

    /// Looks for an update that may have been accepted, until something of it is seen.
    pub(super) async fn look_for_update(&mut self) -> Looked {
        loop {
            if let Some(new) = self.value()
                && self.rack.api.accepts(&new).await.unwrap_or(false)
            {
                self.progress.see();
            }
            let standing = self.look().await;
            if self.progress.is_seen() {
                return Looked::Seen;
            }
            match standing {
                Standing::Unseen => return Looked::Nothing,
                Standing::Lost(_) => return Looked::Unknown,
                // Whatever has made it fail was under way.
                Standing::Stuck => return Looked::Seen,
                _ => {}
            }
            if !self.pause(BETWEEN_LOOKS).await {
                return Looked::Unknown;
            }
        }
    }

    /// Asks the rack how it is, once, and tells what is new.
    async fn look(&mut self) -> Standing<PortError> {
        let described = self.describe().await;
        let now = self.clock.now();
        let system = match described {
            Ok(system) => system,
            Err(error) => {
                if self.said.take().is_some() {
                    self.warn(format!(
                        "the rack does not answer as it should, which is usual while its own \
                         processes are replaced: {error}"
                    ));
                }
                return self.progress.miss(error, false, now);
            }
        };
        let standing = self.progress.hear(&system, now);
        if self.said.as_ref() != Some(&system.status) {
            self.said = Some(system.status.clone());
            let status = system.status;
            self.emit(EventKind::System { status });
        }
        self.notice_rollback().await;
        standing
    }

    /// Remembers that the rack goes back: it does not say so any more once it is at rest.
    async fn notice_rollback(&mut self) {
        if self.is_back || !self.progress.is_rolling_back() {
            return;
        }
        self.is_back = true;
        self.note(Entry::TurnedBack).await;
        self.emit(EventKind::RollbackDetected { cause: None });
    }
}
