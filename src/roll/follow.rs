//! Follows the stack from the update to its end, forward or back.

use std::time::Duration;

use jiff::Timestamp;

use super::event::EventKind;
use super::plan::Step;
use super::run::{PATIENCE, Run};
use super::tail::EventTail;
use super::tracker::{End, Tracker};
use crate::rack::{PortError, Stacks, StatusClass};

/// How long an update may show no event of its own before the stack itself is asked.
pub(super) const SILENCE: Duration = Duration::from_secs(60);
/// Reads refused in a row, for reasons that waiting does not mend, before we stop following.
const REFUSALS: u32 = 20;

/// How following a stack ended.
#[derive(Debug, PartialEq)]
pub(super) enum Followed {
    /// The stack came to an end, as its events tell it.
    Ended(End),
    /// The stack names the new key and is at rest, although no event said so.
    Complete,
    /// The stack is at rest without the new key, and no event of our update exists.
    NeverBegan,
    /// Somebody asked to stop following.
    Stopped,
    /// A gate is shut: the roll must not go on, and why.
    Halted(String),
    /// We cannot follow any more; the roll goes on without us.
    Lost(String),
}

impl Run<'_> {
    /// Follows the update until the stack comes to rest.
    pub(super) async fn follow(&mut self) -> Followed {
        self.begin(Step::Watch);
        let began = self.clock.now();
        let mut refusals = 0;
        loop {
            let wait = match self.read_events().await {
                Ok(()) => {
                    refusals = 0;
                    if let Some(end) = self.tracker.end() {
                        return Followed::Ended(end.clone());
                    }
                    if let Some(followed) = self.watch_gates().await {
                        return followed;
                    }
                    let passed = self.clock.now().duration_since(began);
                    if !self.tracker.has_started()
                        && Duration::try_from(passed).unwrap_or_default() >= SILENCE
                        && let Some(followed) = self.ask_the_stack().await
                    {
                        return followed;
                    }
                    let goes_back = self.tracker.is_rolling_back();
                    self.tend_meanwhile(goes_back).await;
                    self.pacing
                        .after_success(self.clock.now(), self.tracker.expectation())
                }
                Err(error) if is_hopeless(&error, &mut refusals) => {
                    return Followed::Lost(error.to_string());
                }
                Err(error) => {
                    let wait = self.pacing.after_failure(self.clock.now());
                    self.tell_of_retry(&error, wait);
                    wait
                }
            };
            if !self.pause(wait).await {
                return Followed::Stopped;
            }
        }
    }

    /// Reads what is new and passes it on.
    pub(super) async fn read_events(&mut self) -> Result<(), PortError> {
        for news in self.gather_events().await? {
            self.emit(news);
        }
        Ok(())
    }

    /// Reads what is new, asking again while it is throttled or not answered, and returns what
    /// there is to tell of it.
    pub(super) async fn gather_patiently(&mut self) -> Result<Vec<EventKind>, PortError> {
        let began = self.clock.now();
        loop {
            let error = match self.gather_events().await {
                Err(error) if error.is_transient() => error,
                answer => return answer,
            };
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            let wait = self.pacing.after_failure(self.clock.now());
            self.tell_of_retry(&error, wait);
            if passed.unwrap_or_default() > PATIENCE || !self.pause(wait).await {
                return Err(error);
            }
        }
    }

    /// Reads what is new, and returns what there is to tell of it.
    pub(super) async fn gather_events(&mut self) -> Result<Vec<EventKind>, PortError> {
        let stacks = self.rack.stacks.clone();
        let now = self.clock.now();
        gather(&mut self.tail, &mut self.tracker, stacks.as_ref(), now).await
    }

    /// Asks the stack itself, when its events are silent. `None`: it is too early to tell.
    ///
    /// DescribeStacks may be behind, so an end is believed only together with the parameter.
    async fn ask_the_stack(&mut self) -> Option<Followed> {
        let stack = match self.rack.stacks.describe(&self.plan.stack_id).await {
            Ok(stack) => stack,
            Err(PortError::NotFound { what }) => {
                return Some(Followed::Lost(format!("{what} does not exist any more")));
            }
            Err(_) => return None,
        };
        if stack.status.is_busy() {
            return None;
        }
        match (stack.status.class(), self.named_by(&stack)) {
            // An API key cannot be read back: its proof is still to come.
            (StatusClass::Good, None | Some(true)) => Some(Followed::Complete),
            (_, Some(true)) => None,
            (_, Some(false)) => Some(Followed::NeverBegan),
            (_, None) => Some(Followed::Lost(format!(
                "it is {}, and its events tell nothing of this update",
                stack.status
            ))),
        }
    }
}

/// Reads what is new in a stack, and returns what there is to tell of the update that is tracked.
///
/// # Errors
/// As the port; nothing is lost, the next call reads the same events.
pub(super) async fn gather(
    tail: &mut EventTail,
    tracker: &mut Tracker,
    stacks: &dyn Stacks,
    now: Timestamp,
) -> Result<Vec<EventKind>, PortError> {
    let mut news = Vec::new();
    for event in tail.poll(stacks).await?.events {
        let deleting = event.is_about_the_stack() && event.status == "DELETE_IN_PROGRESS";
        let noticed = tracker.observe(&event);
        if !noticed.ours {
            continue;
        }
        news.push(EventKind::Stack(event));
        if deleting {
            let message = "somebody is deleting the stack".to_owned();
            news.push(EventKind::Warning { message });
        }
        if noticed.rollback {
            let cause = tracker.first_failure().cloned();
            news.push(EventKind::RollbackDetected { cause });
        }
        if noticed.progress {
            news.push(EventKind::Progress(tracker.progress(now)));
        }
    }
    Ok(news)
}

/// Tells whether reading on is of no use: nobody is let in, or `refusals` in a row are too many.
pub(super) fn is_hopeless(error: &PortError, refusals: &mut u32) -> bool {
    if error.is_transient() {
        return false;
    }
    *refusals += 1;
    let shut_out = matches!(
        error,
        PortError::Credentials { .. } | PortError::Denied { .. }
    );
    shut_out || *refusals >= REFUSALS
}

/// Words a call that was throttled or not answered, and when it is made again.
pub(super) fn retry_words(error: &PortError, wait: Duration) -> EventKind {
    match error {
        PortError::Throttled { api } => EventKind::Throttled {
            api: (*api).to_owned(),
            retry_in_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
        },
        error => EventKind::Warning {
            message: format!("{error}; trying again in {} s", wait.as_secs()),
        },
    }
}
