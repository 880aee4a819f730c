//! What the rolls of every kind share: the plan, the journal, the events, the time, the key.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use secrecy::SecretString;

use super::api::{BETWEEN_SAMPLES, NewKey, OutageMeter, SAMPLE_PATIENCE};
use super::event::{EVENT_VERSION, Event, EventKind, EventSink};
use super::follow::retry_words;
use super::journal::{Effect, Entry, JournalError, JournalWriter};
use super::outcome::{Outcome, Report};
use super::plan::{Plan, Step};
use super::stop::Stop;
use crate::clock::Clock;
use crate::rack::{ApiKeyAccess, KeyStore, PortError};

/// How long a call that is safe to repeat is repeated while nobody answers it.
pub(super) const PATIENCE: Duration = Duration::from_secs(600);

/// One roll being carried out, however its rack is reached.
pub(super) struct Base<'a> {
    pub(super) clock: &'a Clock,
    pub(super) stop: &'a Stop,
    pub(super) sink: &'a mut dyn EventSink,
    pub(super) seq: &'a mut u64,
    pub(super) journal: Box<dyn JournalWriter>,
    pub(super) plan: Plan,
    /// Where private keys are kept, and the new API key for as long as the roll lasts.
    pub(super) keys: Arc<dyn KeyStore>,
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

impl Base<'_> {
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

    /// Writes a line if it can be written: a full disk must not bar the way back.
    pub(super) async fn note(&mut self, entry: Entry) {
        if let Err(error) = self.record(entry).await {
            self.warn(error.to_string());
        }
    }

    /// Gives up while nothing has been changed yet, if somebody asks to stop.
    pub(super) fn check_stop(&self) -> Result<(), Trouble> {
        if self.stop.is_requested() {
            return Err(Trouble::new("interrupted before the stack was touched"));
        }
        Ok(())
    }

    /// Returns the new key, where it is known.
    pub(super) fn value(&self) -> Option<SecretString> {
        let stored = self.new.as_ref().map(|new| new.value.clone());
        stored.or_else(|| self.pending.clone())
    }

    /// Waits, unless somebody asks to stop: then returns `false` at once.
    pub(super) async fn pause(&mut self, span: Duration) -> bool {
        if self.outage.is_on() {
            return self.pause_and_sample(span).await;
        }
        self.sleep(span).await
    }

    /// Waits without looking at the rack API meanwhile; otherwise as [`Self::pause`].
    pub(super) async fn sleep(&self, span: Duration) -> bool {
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
    pub(super) async fn repeat<T>(
        &mut self,
        call: impl AsyncFn() -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let began = self.clock.now();
        let mut wait = Duration::from_secs(1);
        loop {
            let error = match call().await {
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
        Report {
            outcome,
            exit_code: outcome.exit_code(),
            message: message.into(),
            hints: Vec::new(),
            old_key: self.plan.old_key.clone(),
            new_key: Some(self.plan.new_key.clone()),
            first_failure: None,
            holdouts: Vec::new(),
            unavailable_ms: self.outage.total_ms(self.clock.now()),
        }
    }

    /// Reports a roll that ran into `trouble` before the stack was touched, and how it was
    /// `discarded`, if it was.
    pub(super) fn turned_back(
        &self,
        trouble: Trouble,
        discarded: Option<Result<(), Trouble>>,
    ) -> Report {
        let mut report = self.report(trouble.outcome, trouble.message);
        report.hints = trouble.hints;
        match discarded {
            None => {}
            Some(Ok(())) => report.new_key = None,
            Some(Err(left)) => {
                report.hints.push(format!(
                    "{} is left over: {}",
                    self.plan.new_key, left.message
                ));
                report.hints.push(self.resume_hint());
            }
        }
        report
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
