//! Watches one operation of a rack's stack to its end, whoever began it.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::event::{EVENT_VERSION, Event, EventKind, EventSink};
use super::follow::{SILENCE, gather, is_hopeless, retry_words};
use super::outcome::{Outcome, Report};
use super::pacing::Pacing;
use super::run::PATIENCE;
use super::stop::Stop;
use super::tail::EventTail;
use super::tracker::{End, Tracker, begins_an_operation};
use crate::clock::Clock;
use crate::ids::RollId;
use crate::rack::{Change, PortError, Rack, Stack, StackEvent, Stacks, StatusClass, System};

/// How often a rack is looked at whose instances are not all in service.
const CONVERGING: Duration = Duration::from_secs(5);
/// How long instances may take to come into service before that is told: what the classic waits.
const LONGEST_CONVERGING: Duration = Duration::from_secs(35 * 60);

/// Follows an operation that changes no key: an update of parameters, or somebody else's.
///
/// What happens is told as the events of a roll. The way a stack is followed is that of
/// a roll too: by its events, and never by a status alone.
pub struct Watch {
    name: String,
    stack: String,
    stacks: Arc<dyn Stacks>,
    system: Arc<dyn System>,
    clock: Clock,
    stop: Stop,
    sink: Box<dyn EventSink>,
    seq: u64,
    id: RollId,
    pacing: Pacing,
    /// What follows the events that there were before an update, once they are marked.
    marked: Option<(String, EventTail)>,
}

/// Takes the status of a stack for its end, where none of its events tells.
fn end_of(stack: Stack) -> End {
    End {
        class: stack.status.class(),
        status: stack.status,
        reason: stack.status_reason,
        failed: Vec::new(),
    }
}

/// How following ended.
enum Followed {
    Ended(End),
    Stopped,
    Lost(String),
}

impl Watch {
    /// Watches `rack`. `id` names what is watched in every event: the token of an update.
    #[must_use]
    pub fn new(
        rack: &Rack,
        clock: Clock,
        stop: Stop,
        sink: Box<dyn EventSink>,
        id: RollId,
    ) -> Self {
        Self {
            name: rack.name.clone(),
            stack: rack.stack.clone(),
            stacks: Arc::clone(&rack.stacks),
            system: Arc::clone(&rack.system),
            pacing: Pacing::new(clock.now()),
            clock,
            stop,
            sink,
            seq: 0,
            id,
            marked: None,
        }
    }

    /// Marks what has happened so far, so that only what follows is taken for the update.
    ///
    /// # Errors
    /// As the port, for what asking again does not mend.
    pub async fn mark(&mut self, stack: &Stack) -> Result<(), PortError> {
        let began = self.clock.now();
        let mut tail = EventTail::new(&stack.id, Timestamp::UNIX_EPOCH);
        loop {
            let Err(error) = tail.skip_history(self.stacks.as_ref()).await else {
                break;
            };
            if !self.ask_again(&error, began).await {
                return Err(error);
            }
        }
        self.marked = Some((stack.id.clone(), tail));
        Ok(())
    }

    /// Starts the update of a change, asking again while nobody answers: its token makes that safe.
    ///
    /// # Errors
    /// As [`Change::submit`].
    pub async fn begin(&mut self, change: &Change) -> Result<(), PortError> {
        let began = self.clock.now();
        loop {
            let error = match change.submit(self.stacks.as_ref()).await {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            if !self.ask_again(&error, began).await {
                return Err(error);
            }
        }
    }

    /// Follows the update that was begun since the events were marked, under the watch's id.
    pub async fn update(&mut self) -> Report {
        let report = match self.marked.take() {
            Some((stack, mut tail)) => {
                let mut tracker = Tracker::new(&stack, self.id.as_str(), []);
                let followed = self.follow(&stack, &mut tail, &mut tracker).await;
                self.concluded(followed, &tracker)
            }
            None => self.report(Outcome::Detached, "nobody marked where the update begins"),
        };
        self.close(report).await
    }

    /// Waits until the rack is at rest, and tells how what it did last ended.
    ///
    /// # Errors
    /// As the port, when the stack cannot be described.
    pub async fn rack(&mut self) -> Result<Report, PortError> {
        let began = self.clock.now();
        let stack = loop {
            let error = match self.stacks.describe(&self.stack).await {
                Ok(stack) => break stack,
                Err(error) => error,
            };
            if !self.ask_again(&error, began).await {
                return Err(error);
            }
        };
        let good = stack.status.class() == StatusClass::Good;
        let first = if good {
            None
        } else {
            self.last_beginning(&stack.id).await?
        };
        let report = match first {
            Some(first) => {
                let token = first.token.unwrap_or_default();
                let mut tail = EventTail::new(&stack.id, first.at);
                let mut tracker = Tracker::new(&stack.id, &token, []).of_any_operation();
                let followed = self.follow(&stack.id, &mut tail, &mut tracker).await;
                self.concluded(followed, &tracker)
            }
            None => {
                let mut tracker = Tracker::new(&stack.id, "", []);
                let followed = if stack.status.is_busy() {
                    // Its history is gone: only the status is left to tell.
                    let mut tail = EventTail::new(&stack.id, self.clock.now());
                    self.follow(&stack.id, &mut tail, &mut tracker).await
                } else {
                    Followed::Ended(end_of(stack))
                };
                self.concluded(followed, &tracker)
            }
        };
        Ok(self.close(report).await)
    }

    /// Finds the event that the stack's last operation began with, in its history.
    async fn last_beginning(&mut self, stack: &str) -> Result<Option<StackEvent>, PortError> {
        let began = self.clock.now();
        let mut page = None;
        loop {
            let read = match self.stacks.events(stack, page.clone()).await {
                Ok(read) => read,
                Err(error) if self.ask_again(&error, began).await => continue,
                Err(error) => return Err(error),
            };
            let found = read.events.into_iter().find(|event| {
                // Nested stacks have histories of their own.
                event.stack_id == stack && begins_an_operation(event)
            });
            if found.is_some() || read.next.is_none() {
                return Ok(found);
            }
            page = read.next;
        }
    }

    async fn follow(
        &mut self,
        stack: &str,
        tail: &mut EventTail,
        tracker: &mut Tracker,
    ) -> Followed {
        let stacks = Arc::clone(&self.stacks);
        let began = self.clock.now();
        let mut refusals = 0;
        loop {
            let now = self.clock.now();
            let wait = match gather(tail, tracker, stacks.as_ref(), now).await {
                Ok(news) => {
                    refusals = 0;
                    news.into_iter().for_each(|kind| self.emit(kind));
                    if let Some(end) = tracker.end() {
                        return Followed::Ended(end.clone());
                    }
                    let passed = Duration::try_from(self.clock.now().duration_since(began));
                    // DescribeStacks may be behind, but not for as long as that.
                    if !tracker.has_started()
                        && passed.unwrap_or_default() >= SILENCE
                        && let Ok(stack) = stacks.describe(stack).await
                        && !stack.status.is_busy()
                    {
                        return Followed::Ended(end_of(stack));
                    }
                    let expected = tracker.expectation();
                    self.pacing.after_success(self.clock.now(), expected)
                }
                Err(error) if is_hopeless(&error, &mut refusals) => {
                    return Followed::Lost(error.to_string());
                }
                Err(error) => {
                    let wait = self.pacing.after_failure(self.clock.now());
                    self.emit(retry_words(&error, wait));
                    wait
                }
            };
            if !self.pause(wait).await {
                return Followed::Stopped;
            }
        }
    }

    fn concluded(&self, followed: Followed, tracker: &Tracker) -> Report {
        let end = match followed {
            Followed::Ended(end) => end,
            Followed::Stopped => return self.detached("stopped looking".to_owned()),
            Followed::Lost(why) => return self.detached(why),
        };
        let mut report = self.ended(&end);
        if report.outcome != Outcome::Done {
            report.first_failure = tracker.first_failure().cloned();
        }
        if end.class == StatusClass::RollbackFailed {
            report.hints.push(self.way_back(&end.failed));
        }
        report
    }

    fn ended(&self, end: &End) -> Report {
        let (name, status) = (&self.name, &end.status);
        let (outcome, message, hint) = match end.class {
            StatusClass::Good => {
                return self.report(Outcome::Done, format!("{name} is {status}"));
            }
            StatusClass::RolledBack => (
                Outcome::RolledBack,
                format!("the update of {name} was rolled back ({status})"),
                "mend what failed first, then try again; everything is as it was before",
            ),
            StatusClass::RollbackFailed => (
                Outcome::Stuck,
                format!("the rollback of {name} failed ({status})"),
                "mend the cause, and the rollback can go on",
            ),
            StatusClass::Failed => (
                Outcome::Stuck,
                format!("the update of {name} failed ({status}), and the stack does not roll back"),
                "roll it back with CloudFormation's RollbackStack, or mend it by another update",
            ),
            StatusClass::Deleting | StatusClass::Deleted => (
                Outcome::Stuck,
                format!("{name} is deleted ({status})"),
                "nothing is left to wait for",
            ),
            _ => (
                Outcome::Stuck,
                format!(
                    "{name} ended in {status} {}",
                    end.reason.as_deref().unwrap_or_default()
                )
                .trim_end()
                .to_owned(),
                "no update starts from there: look at the stack's events",
            ),
        };
        let mut report = self.report(outcome, message);
        report.hints.push(hint.to_owned());
        report
    }

    /// The command that goes on with a rollback; there is no roll that ours could go on with.
    fn way_back(&self, failed: &[String]) -> String {
        let mut way = format!(
            "`aws cloudformation continue-update-rollback --stack-name {}` goes on with it",
            self.stack
        );
        if !failed.is_empty() {
            way.push_str(&format!(
                "; `--resources-to-skip {}` leaves what fails as it is",
                failed.join(" ")
            ));
        }
        way
    }

    fn detached(&self, why: String) -> Report {
        let mut report = self.report(
            Outcome::Detached,
            format!("{why}; the update goes on in AWS"),
        );
        report.hints = vec!["come back with `convox rack wait`".to_owned()];
        report
    }

    /// Waits until all instances of the main group are in service, and ends the stream.
    async fn close(&mut self, mut report: Report) -> Report {
        if report.outcome == Outcome::Done {
            report = self.settled(report).await;
        }
        self.emit(EventKind::Finished(report.clone()));
        report
    }

    /// A classic rack is not `running` before: instances may be on their way after the stack.
    async fn settled(&mut self, done: Report) -> Report {
        let began = self.clock.now();
        let (mut refusals, mut told) = (0, false);
        loop {
            let wait = match self.system.describe().await {
                Ok(system) if system.status == "converging" => {
                    refusals = 0;
                    if !std::mem::replace(&mut told, true) {
                        self.emit(EventKind::Busy {
                            status: system.status,
                            retry_in_ms: u64::try_from(CONVERGING.as_millis()).unwrap_or(u64::MAX),
                        });
                    }
                    CONVERGING
                }
                Ok(_) => return done,
                Err(error) if is_hopeless(&error, &mut refusals) => {
                    let message = format!("nobody knows whether its instances serve: {error}");
                    self.emit(EventKind::Warning { message });
                    return done;
                }
                Err(error) => {
                    let wait = self.pacing.after_failure(self.clock.now());
                    self.emit(retry_words(&error, wait));
                    wait
                }
            };
            let passed = Duration::try_from(self.clock.now().duration_since(began));
            if passed.unwrap_or_default() >= LONGEST_CONVERGING {
                let message = format!("instances of {} do not come into service", self.name);
                let mut report = self.report(Outcome::Stuck, message);
                let hint = "look at the activities of its Auto Scaling group";
                report.hints.push(hint.to_owned());
                return report;
            }
            if !self.pause(wait).await {
                return self.detached("stopped before all instances are in service".to_owned());
            }
        }
    }

    /// Waits before a call is made again. `false`: it is not to be made again.
    async fn ask_again(&mut self, error: &PortError, began: Timestamp) -> bool {
        let passed = Duration::try_from(self.clock.now().duration_since(began));
        if !error.is_transient() || passed.unwrap_or_default() > PATIENCE {
            return false;
        }
        let wait = self.pacing.after_failure(self.clock.now());
        self.emit(retry_words(error, wait));
        self.pause(wait).await
    }

    async fn pause(&self, span: Duration) -> bool {
        tokio::select! {
            () = self.clock.sleep(span) => true,
            () = self.stop.requested() => false,
        }
    }

    fn emit(&mut self, kind: EventKind) {
        self.seq += 1;
        let event = Event {
            v: EVENT_VERSION,
            seq: self.seq,
            at: self.clock.now(),
            roll: self.id.clone(),
            kind,
        };
        self.sink.event(&event);
    }

    fn report(&self, outcome: Outcome, message: impl Into<String>) -> Report {
        Report {
            unavailable_ms: None,
            outcome,
            exit_code: outcome.exit_code(),
            message: message.into(),
            hints: Vec::new(),
            old_key: None,
            new_key: None,
            first_failure: None,
            holdouts: Vec::new(),
        }
    }
}
