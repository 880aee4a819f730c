//! The door to rolls over a rack's API: plan one, run it, and come back to it.

use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use secrecy::SecretString;

use super::observe::{Observed, observe};
use super::plan::plan;
use super::{Far, is_same};
use crate::clock::Clock;
use crate::ids::{Entropy, RollId};
use crate::rack::{ApiKeyAccess, FarRack, PortError, StackStatus};
use crate::roll::api::{ApiKeyEngine, ApiKeyRequest, NewKey};
use crate::roll::desk::Desk;
use crate::roll::drive::Stage;
use crate::roll::engine::ended;
use crate::roll::event::{EventKind, EventSink};
use crate::roll::find::journaled;
use crate::roll::journal::{Effect, Entry, JournalKeeper, JournalWriter, Line};
use crate::roll::outcome::Report;
use crate::roll::plan::Plan;
use crate::roll::preflight::{Refusal, advice};
use crate::roll::stop::Stop;

/// Statuses of a rack that takes no other update.
const UNDER_WAY: [&str; 4] = ["creating", "updating", "rollback", "deleting"];

/// Rolls the API key of a rack of which nothing but the API can be reached.
pub struct FarEngine {
    rack: FarRack,
    desk: Desk,
}

/// How far a roll had come when it was left.
struct Left {
    stage: Stage,
    /// Whether the rack was asked for the update, and when.
    asked: Option<Timestamp>,
    /// Whether its answer is known.
    answered: bool,
    /// Whether the rack was seen to go back, or was told to.
    turned_back: bool,
    /// When the rack was asked to set the old key again, if it was.
    cancelled: Option<Timestamp>,
    /// Whether the rack may have been asked for that, and nobody knows.
    cancelling: bool,
}

impl FarEngine {
    /// Makes an engine for `rack` that tells `sink` what happens.
    #[must_use]
    pub fn new(
        rack: FarRack,
        clock: Clock,
        entropy: Entropy,
        journals: impl JournalKeeper + 'static,
        sink: Box<dyn EventSink>,
        stop: Stop,
    ) -> Self {
        Self {
            rack,
            desk: Desk::new(clock, entropy, Box::new(journals), sink, stop),
        }
    }

    /// Takes up a roll that was left on this machine, and carries it to its end.
    ///
    /// # Errors
    /// When its journal is not here, it is another rack's, it goes another way, or another
    /// process is at work on it.
    pub async fn resume(&mut self, id: &RollId) -> Result<Report, Refusal> {
        let (plan, lines) = self.find(id).await?;
        if let Some(report) = ended(&lines) {
            self.desk.emit(id, EventKind::Finished(report.clone()));
            return Ok(report);
        }
        let current = self.rack.current().await?;
        let journal = self.desk.journals.go_on(id).await?;
        let mut run = self.prepare(plan, journal, Some(current));
        run.recall_value().await?;
        let left = Left::of(&lines, run.new.is_some());
        run.take_up(&left);
        run.emit(EventKind::Resumed {
            from_journal: true,
            step: left.stage.step(),
        });
        if left.cancelling {
            // It must not go forward any more: the rack may be setting the old key.
            return Ok(run.cancel().await);
        }
        Ok(run.drive(left.stage, false).await)
    }

    /// Takes a roll back that was left on this machine: the rack sets the old key again.
    ///
    /// # Errors
    /// As [`Self::resume`], and when the new key is proven already.
    pub async fn cancel(&mut self, id: &RollId) -> Result<Report, Refusal> {
        let (plan, lines) = self.find(id).await?;
        if let Some(report) = ended(&lines) {
            self.desk.emit(id, EventKind::Finished(report.clone()));
            return Ok(report);
        }
        let is_begun = |line: &Line| line.entry == Entry::Started(Effect::PromoteKey);
        if is_proven(&lines) || lines.iter().any(is_begun) {
            return Err(Refusal::nothing_changed(advice(
                "too-late",
                format!("roll {id} has proven its new key, and is letting the old one go"),
                format!("`convox rolls resume {id}` finishes it; then roll again"),
            )));
        }
        let current = self.rack.current().await?;
        let journal = self.desk.journals.go_on(id).await?;
        let mut run = self.prepare(plan, journal, Some(current));
        run.recall_value().await?;
        let left = Left::of(&lines, run.new.is_some());
        run.take_up(&left);
        run.emit(EventKind::Resumed {
            from_journal: true,
            step: left.stage.step(),
        });
        Ok(run.cancel().await)
    }

    /// Refuses what a rack's API has no request for; `what` says what that is.
    ///
    /// # Errors
    /// Always.
    pub fn cannot(&self, id: &RollId, what: &str) -> Result<Report, Refusal> {
        Err(Refusal::nothing_changed(advice(
            "not-over-api",
            format!("a rack's API has no request to {what}: nothing is changed for roll {id}"),
            "do it to the rack's stack in CloudFormation; `convox rolls resume` sees how it ends",
        )))
    }

    /// Finds a roll by its journal here, if it is one of this rack's API.
    async fn find(&self, id: &RollId) -> Result<(Plan, Vec<Line>), Refusal> {
        let found = journaled(self.desk.journals.as_ref(), id).await?;
        let (plan, lines) = found.ok_or_else(|| Refusal::no_journal(id))?;
        let host = self.rack.api.describe();
        let begun_at = plan.api().and_then(|api| api.probe.clone());
        if !plan.is_far() {
            return Err(Refusal::nothing_changed(advice(
                "another-way",
                format!("roll {id} is followed in AWS"),
                "`--via aws` goes there",
            )));
        }
        if begun_at.as_ref() != Some(&host) {
            let begun_at = begun_at.unwrap_or_default();
            return Err(Refusal::nothing_changed(advice(
                "another-rack",
                format!("roll {id} is one of {begun_at}, and this is {host}"),
                format!("log in there with `convox login {begun_at}`, or set CONVOX_HOST"),
            )));
        }
        Ok((plan, lines))
    }

    fn prepare(
        &mut self,
        plan: Plan,
        journal: Box<dyn JournalWriter>,
        old: Option<SecretString>,
    ) -> Far<'_> {
        let access = ApiKeyAccess {
            probe: None,
            holders: self.rack.holders.clone(),
        };
        let now = self.desk.clock.now();
        let keys = self.rack.keys.clone();
        let base = self.desk.base(plan, journal, keys, &access);
        Far::new(base, self.rack.clone(), old, now)
    }

    /// Looks at the rack, as soon as no update of it is under way.
    async fn at_rest(&mut self, roll: &RollId, new: &NewKey) -> Result<Observed, Refusal> {
        let began = self.desk.clock.now();
        let mut wait = Duration::from_secs(2);
        loop {
            let observed = observe(&self.rack, new).await?;
            let status = observed.system.status.as_str();
            if !UNDER_WAY.contains(&status) {
                return Ok(observed);
            }
            let passed = Duration::try_from(self.desk.clock.now().duration_since(began));
            let is_too_long = passed.unwrap_or_default() + wait > self.desk.wait_busy;
            if is_too_long || self.desk.stop.is_requested() {
                return Err(Refusal::busy(&StackStatus(status.to_owned())));
            }
            let kind = EventKind::Busy {
                status: status.to_owned(),
                retry_in_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
            };
            self.desk.emit(roll, kind);
            self.desk.pause(wait).await;
            wait = (wait * 2).min(Duration::from_secs(15));
        }
    }
}

#[async_trait(?Send)]
impl ApiKeyEngine for FarEngine {
    async fn plan_api_key(
        &mut self,
        request: ApiKeyRequest,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal> {
        self.desk.wait_busy = wait_busy;
        let roll = self.desk.name_roll();
        let new = self.desk.new_key(&request)?;
        let observed = self.at_rest(&roll, &new).await?;
        let plan = plan(&self.rack, roll, &request, &observed)?;
        self.desk.keep(&plan, new);
        Ok(plan)
    }

    fn new_api_key(&self, plan: &Plan) -> Option<&SecretString> {
        self.desk.kept(plan).map(|new| &new.value)
    }

    async fn run(&mut self, plan: Plan, detach: bool) -> Report {
        let current = match self.rack.current().await {
            Ok(current) => current,
            // It was read for the plan a moment ago; the roll itself says what is wrong now.
            Err(_) => self.rack.password.clone(),
        };
        let journal = match self.desk.journals.begin(&plan.roll).await {
            Ok(journal) => journal,
            Err(error) => return self.desk.not_begun(&plan, &error),
        };
        let mut run = self.prepare(plan.clone(), journal, Some(current));
        if let Err(error) = run.record(Entry::Opened(Box::new(plan.clone()))).await {
            drop(run);
            return self.desk.not_begun(&plan, &error);
        }
        run.emit(EventKind::Planned(Box::new(plan)));
        run.drive(Stage::Beginning, detach).await
    }

    async fn shown(&mut self, plan: &Plan) -> Result<(), PortError> {
        let is_kept = plan.api().is_some_and(|api| !api.holders.is_empty());
        if is_kept {
            return Ok(());
        }
        self.rack.keys.delete(&plan.new_key).await
    }
}

impl Left {
    /// Reads it out of a journal; `is_known` tells whether the new key is still here.
    fn of(lines: &[Line], is_known: bool) -> Self {
        let at = |wanted: &Entry| lines.iter().find(|line| line.entry == *wanted);
        let refused = lines.iter().any(|line| {
            let effect = Effect::UpdateStack;
            matches!(&line.entry, Entry::Failed { effect: it, .. } if *it == effect)
        });
        let asked = at(&Entry::Started(Effect::UpdateStack)).filter(|_| !refused);
        let answered = at(&Entry::Finished(Effect::UpdateStack)).is_some();
        let stage = if at(&Entry::TurnedBack).is_some() || refused {
            Stage::Back
        } else if is_proven(lines) {
            Stage::Complete
        } else if answered {
            Stage::Installed
        } else if is_known {
            Stage::Minted
        } else {
            Stage::Beginning
        };
        Self {
            stage,
            asked: asked.map(|line| line.at),
            answered,
            turned_back: at(&Entry::TurnedBack).is_some(),
            cancelling: is_cancelling(lines),
            cancelled: at(&Entry::Finished(Effect::CancelUpdate)).map(|line| line.at),
        }
    }
}

/// Tells whether the rack may have been asked to set the old key again, and nobody knows.
fn is_cancelling(lines: &[Line]) -> bool {
    let last = lines.iter().rev().find_map(|line| match &line.entry {
        Entry::Started(Effect::CancelUpdate) => Some(true),
        Entry::Finished(Effect::CancelUpdate) => Some(false),
        Entry::Failed { effect, .. } if *effect == Effect::CancelUpdate => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}

/// Tells whether the API had taken the new key, and the roll was about to let the old one go.
fn is_proven(lines: &[Line]) -> bool {
    let ends = [
        Entry::Finished(Effect::PromoteKey),
        Entry::Started(Effect::ForgetStagedKey),
    ];
    lines.iter().any(|line| ends.contains(&line.entry))
}

impl Far<'_> {
    /// Learns how far the roll had come.
    fn take_up(&mut self, left: &Left) {
        self.resumed = true;
        self.is_asked = left.asked.is_some();
        self.unsure = self.is_asked && !left.answered;
        self.is_back = left.turned_back;
        self.is_cancelled = left.cancelled.is_some();
        if let Some(asked) = left.cancelled.or(left.asked) {
            self.progress = crate::rack::Progress::of_update(asked);
            // Nobody has listened since: silence counts from now on.
            self.progress.listen(self.clock.now());
        }
        // Whoever keeps the key may have the new one in the old one's place by now.
        if is_same(&self.old, &self.value()) {
            self.old = None;
        }
    }
}
