//! What an engine works with, however its rack is reached: time, chance, journals, listeners.

use std::sync::Arc;
use std::time::Duration;

use super::api::{self, ApiKeyRequest, NewKey, OutageMeter};
use super::base::Base;
use super::event::{EVENT_VERSION, Event, EventKind, EventSink};
use super::journal::{JournalError, JournalKeeper, JournalWriter};
use super::outcome::{Outcome, Report};
use super::plan::{Advice, Plan};
use super::preflight::Refusal;
use super::stop::Stop;
use crate::clock::Clock;
use crate::ids::{Entropy, RollId};
use crate::rack::{ApiKeyAccess, KeyFile, KeyStore};

/// How long an update that is sent again on a resume waits for somebody else's.
const RESUME_WAIT_BUSY: Duration = Duration::from_secs(600);

/// What rolls are made with.
pub(super) struct Desk {
    pub(super) clock: Clock,
    entropy: Entropy,
    pub(super) journals: Box<dyn JournalKeeper>,
    sink: Box<dyn EventSink>,
    pub(super) stop: Stop,
    seq: u64,
    pub(super) wait_busy: Duration,
    /// The new API key of the plan that was made last.
    new: Option<(RollId, NewKey)>,
}

impl Desk {
    pub(super) fn new(
        clock: Clock,
        entropy: Entropy,
        journals: Box<dyn JournalKeeper>,
        sink: Box<dyn EventSink>,
        stop: Stop,
    ) -> Self {
        Self {
            clock,
            entropy,
            journals,
            sink,
            stop,
            seq: 0,
            wait_busy: RESUME_WAIT_BUSY,
            new: None,
        }
    }

    /// Names a new roll.
    pub(super) fn name_roll(&self) -> RollId {
        RollId::generate(self.clock.now(), &self.entropy)
    }

    /// Makes the new API key that is asked for, of a stack that is not known yet.
    ///
    /// # Errors
    /// When the file that is to get it cannot be made.
    pub(super) fn new_key(&self, request: &ApiKeyRequest) -> Result<NewKey, Refusal> {
        if let Some(path) = &request.password_out {
            KeyFile::new(path.clone()).check()?;
        }
        let value = request.value.clone();
        Ok(NewKey {
            minted: value.is_none(),
            value: value.unwrap_or_else(|| api::mint(&self.entropy)),
            set: request.set.clone(),
            stack: String::new(),
        })
    }

    /// Keeps the new API key of a plan.
    pub(super) fn keep(&mut self, plan: &Plan, mut new: NewKey) {
        new.stack.clone_from(&plan.stack_id);
        self.new = Some((plan.roll.clone(), new));
    }

    /// Returns the new API key of a plan that was made here.
    pub(super) fn kept(&self, plan: &Plan) -> Option<&NewKey> {
        let (roll, new) = self.new.as_ref()?;
        (*roll == plan.roll).then_some(new)
    }

    /// Tells those who listen.
    pub(super) fn emit(&mut self, roll: &RollId, kind: EventKind) {
        self.seq += 1;
        let at = self.clock.now();
        let event = Event {
            v: EVENT_VERSION,
            seq: self.seq,
            at,
            roll: roll.clone(),
            kind,
        };
        self.sink.event(&event);
    }

    /// Waits, or until somebody asks to stop.
    pub(super) async fn pause(&self, span: Duration) {
        tokio::select! {
            () = self.clock.sleep(span) => {}
            () = self.stop.requested() => {}
        }
    }

    /// Makes what the rolls of every kind share.
    pub(super) fn base(
        &mut self,
        plan: Plan,
        journal: Box<dyn JournalWriter>,
        keys: Arc<dyn KeyStore>,
        api: &ApiKeyAccess,
    ) -> Base<'_> {
        let new = self.kept(&plan).cloned();
        Base {
            clock: &self.clock,
            stop: &self.stop,
            sink: self.sink.as_mut(),
            seq: &mut self.seq,
            journal,
            keys,
            wait_busy: self.wait_busy,
            api: api::with_file(api, &plan),
            new,
            pending: None,
            unchanged: false,
            outage: OutageMeter::default(),
            plan,
        }
    }

    /// Reports a roll that cannot begin, because it could not say afterwards how far it came.
    pub(super) fn not_begun(&mut self, plan: &Plan, error: &JournalError) -> Report {
        let hint = "a roll must be able to write its journal: make room or set XDG_STATE_HOME";
        self.nothing_done(plan, error.to_string(), hint.to_owned())
    }

    /// Reports a roll that cannot be carried out as it is asked for.
    pub(super) fn refused(&mut self, plan: &Plan, reason: Advice) -> Report {
        self.nothing_done(plan, reason.message, reason.hint)
    }

    fn nothing_done(&mut self, plan: &Plan, message: String, hint: String) -> Report {
        let report = Report {
            outcome: Outcome::NothingChanged,
            exit_code: Outcome::NothingChanged.exit_code(),
            message,
            hints: vec![hint],
            old_key: plan.old_key.clone(),
            new_key: None,
            first_failure: None,
            holdouts: Vec::new(),
            unavailable_ms: None,
        };
        self.emit(&plan.roll, EventKind::Finished(report.clone()));
        report
    }
}
