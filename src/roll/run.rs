//! One roll being carried out: what every step shares.

use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::api::{BETWEEN_SAMPLES, NewKey, OutageMeter, SAMPLE_PATIENCE};
use super::event::{EVENT_VERSION, Event, EventKind, EventSink};
use super::follow::retry_words;
use super::journal::{Effect, Entry, Journal, JournalError};
use super::outcome::{Outcome, Report};
use super::pacing::Pacing;
use super::plan::{Plan, Step};
use super::stop::Stop;
use super::tail::EventTail;
use super::tracker::Tracker;
use crate::clock::Clock;
use crate::rack::{ApiKeyAccess, PortError, Rack, Stack};

/// How long a call that is safe to repeat is repeated while nobody answers it.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// A roll in the making. Its steps are in the files beside this one.
pub(super) struct Run<'a> {
    pub(super) rack: Rack,
    pub(super) clock: &'a Clock,
    pub(super) stop: &'a Stop,
    pub(super) sink: &'a mut dyn EventSink,
    pub(super) seq: &'a mut u64,
    pub(super) journal: Journal,
    pub(super) plan: Plan,
    pub(super) tail: EventTail,
    pub(super) tracker: Tracker,
    pub(super) pacing: Pacing,
    /// Whether events may be read from before the update, so that none is marked as seen.
    pub(super) resumed: bool,
    /// How long to wait for somebody else's update when ours is refused for it.
    pub(super) wait_busy: Duration,
    /// The rack API, and who keeps its key.
    pub(super) api: ApiKeyAccess,
    /// The new API key, as the key store has it.
    pub(super) new: Option<NewKey>,
    /// The new API key as somebody has it who was handed it, where the key store has it no more.
    pub(super) pending: Option<SecretString>,
    /// The stack has the new API key already: there was nothing to update.
    pub(super) unchanged: bool,
    pub(super) outage: OutageMeter,
}

/// Why a roll does not go forward: it has changed nothing that stays.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) outcome: Outcome,
    pub(super) message: String,
    pub(super) hints: Vec<String>,
}

impl Trouble {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::NothingChanged,
            message: message.into(),
            hints: Vec::new(),
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    pub(super) fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }
}

impl From<PortError> for Trouble {
    fn from(error: PortError) -> Self {
        let trouble = Self::new(error.to_string());
        match error {
            PortError::Credentials { .. } => {
                trouble.hint("sign in again, for instance with `aws sso login`, and retry")
            }
            PortError::Denied { action, .. } => {
                trouble.hint(format!("ask for the IAM permission {action} and retry"))
            }
            _ => trouble,
        }
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        Self::new(error.to_string())
            .hint("a roll must be able to write its journal: make room or set XDG_STATE_HOME")
    }
}

impl Run<'_> {
    /// Tells the stream, and keeps the event for the timeline.
    pub(super) fn emit(&mut self, kind: EventKind) {
        *self.seq += 1;
        let event = Event {
            v: EVENT_VERSION,
            seq: *self.seq,
            at: self.clock.now(),
            roll: self.plan.roll.clone(),
            kind,
        };
        self.journal.keep_event(&event);
        self.sink.event(&event);
    }

    pub(super) fn begin(&mut self, step: Step) {
        self.emit(EventKind::StepStarted { step });
    }

    pub(super) fn done(&mut self, step: Step, detail: impl Into<String>) {
        self.emit(EventKind::StepDone {
            step,
            detail: detail.into(),
        });
    }

    pub(super) fn warn(&mut self, message: impl Into<String>) {
        self.emit(EventKind::Warning {
            message: message.into(),
        });
    }

    pub(super) async fn record(&mut self, entry: Entry) -> Result<(), JournalError> {
        self.journal.record(self.clock.now(), entry).await
    }

    pub(super) async fn started(&mut self, effect: Effect) -> Result<(), JournalError> {
        self.record(Entry::Started(effect)).await
    }

    pub(super) async fn finished(&mut self, effect: Effect) -> Result<(), JournalError> {
        self.record(Entry::Finished(effect)).await
    }

    /// Waits, unless somebody asks to stop: then returns `false` at once.
    pub(super) async fn pause(&mut self, span: Duration) -> bool {
        if self.outage.is_on() {
            return self.pause_and_sample(span).await;
        }
        self.sleep(span).await
    }

    async fn sleep(&self, span: Duration) -> bool {
        tokio::select! {
            () = self.clock.sleep(span) => true,
            () = self.stop.requested() => false,
        }
    }

    /// Waits, and looks now and then whether anybody answers for the rack API.
    async fn pause_and_sample(&mut self, span: Duration) -> bool {
        let until = self.clock.now().saturating_add(span);
        let until = until.unwrap_or(Timestamp::MAX);
        loop {
            let left = until.duration_since(self.clock.now());
            let left = Duration::try_from(left).unwrap_or_default();
            if left.is_zero() {
                return true;
            }
            if !self.sleep(left.min(BETWEEN_SAMPLES)).await {
                return false;
            }
            self.sample().await;
        }
    }

    async fn sample(&mut self) {
        let (Some(probe), Some(key)) = (self.api.probe.clone(), self.value()) else {
            return;
        };
        let answered = tokio::select! {
            answer = probe.accepts(&key) => answer.is_ok(),
            () = self.clock.sleep(SAMPLE_PATIENCE) => false,
        };
        let now = self.clock.now();
        self.outage.sample(now, answered);
    }

    /// Tells whether the stack has the new key; an API key cannot be read back.
    pub(super) fn named_by(&self, stack: &Stack) -> Option<bool> {
        let named = stack.parameter(&self.plan.key_parameter);
        (!self.plan.is_api()).then(|| named == Some(self.plan.new_key.as_str()))
    }

    /// Says in words what is not given up in a roll that is not at its end.
    pub(super) fn both_kept(&self) -> &'static str {
        if self.plan.is_api() {
            "both keys are kept"
        } else {
            "both key pairs are kept"
        }
    }

    /// Says that a call was throttled or not answered, and when it is made again.
    pub(super) fn tell_of_retry(&mut self, error: &PortError, wait: Duration) {
        self.emit(retry_words(error, wait));
    }

    /// Repeats a call that is safe to repeat while it is throttled or not answered.
    ///
    /// # Errors
    /// The call's own, at once for one that repeating does not help.
    pub(super) async fn patiently<T>(
        &mut self,
        call: impl AsyncFn(&Rack) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let rack = self.rack.clone();
        let began = self.clock.now();
        let mut wait = Duration::from_secs(1);
        loop {
            let error = match call(&rack).await {
                Err(error) if error.is_transient() => error,
                answer => return answer,
            };
            let waited = self.clock.now().duration_since(began);
            if Duration::try_from(waited).unwrap_or_default() > PATIENCE {
                return Err(error);
            }
            self.tell_of_retry(&error, wait);
            self.clock.sleep(wait).await;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    /// Makes a report with what this roll knows.
    pub(super) fn report(&self, outcome: Outcome, message: impl Into<String>) -> Report {
        let failed = matches!(outcome, Outcome::RolledBack | Outcome::Stuck);
        Report {
            outcome,
            exit_code: outcome.exit_code(),
            message: message.into(),
            hints: Vec::new(),
            old_key: self.plan.old_key.clone(),
            new_key: Some(self.plan.new_key.clone()),
            first_failure: self.tracker.first_failure().filter(|_| failed).cloned(),
            holdouts: Vec::new(),
            unavailable_ms: self.outage.total_ms(self.clock.now()),
        }
    }

    /// Closes the journal and tells the stream how it ended.
    pub(super) async fn close(&mut self, report: Report) -> Report {
        if let Err(error) = self.record(Entry::Closed(Box::new(report.clone()))).await {
            self.warn(error.to_string());
        }
        self.emit(EventKind::Finished(report.clone()));
        report
    }

    /// The command that comes back to this roll.
    pub(super) fn resume_hint(&self) -> String {
        format!("come back with `convox rolls resume {}`", self.plan.roll)
    }
}
