//! The door to the roll engine: plan a roll, run it, and come back to it.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::api::{self, ApiKeyRequest};
use super::care::{Care, not_detachable};
use super::desk::Desk;
use super::drive::Stage;
use super::event::{EventKind, EventSink};
use super::find::Found;
use super::gate::{GateRunner, GateState};
use super::journal::{Effect, Entry, JournalKeeper, JournalWriter, Line};
use super::observe::{Depth, observe};
use super::outcome::{Outcome, Report};
use super::pacing::Pacing;
use super::plan::{Advice, Plan, RollOptions};
use super::preflight::{self, Refusal};
use super::revoke::KeyTools;
use super::run::{PATIENCE, Run};
use super::stop::Stop;
use super::strategy::{self, Strategy, Tending};
use super::tail::EventTail;
use super::tracker::Tracker;
use crate::clock::Clock;
use crate::ids::{Entropy, RollId};
use crate::rack::{ApiKeyAccess, KeyStore, PortError, Rack, StackStatus, StatusClass};

/// How far a machine's clock may be from AWS's when events are searched for a roll.
const CLOCK_SLACK: SignedDuration = SignedDuration::from_mins(15);

/// Rolls the keys of one rack.
pub struct Engine {
    pub(super) rack: Rack,
    pub(super) api: ApiKeyAccess,
    pub(super) desk: Desk,
    pub(super) tools: Option<KeyTools>,
    gate_runner: Option<Arc<dyn GateRunner>>,
    is_one_of_many: bool,
}

/// A roll as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RollSummary {
    /// The roll.
    pub id: RollId,
    /// The rack.
    pub rack: String,
    /// Whether it is the rack API's key and not the instances' SSH key.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub api: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// An outcome in words, or how far it is known to be.
    pub state: String,
    /// How it ended, if it did.
    pub outcome: Option<Outcome>,
    /// The key pair that it replaces.
    pub old_key: Option<String>,
    /// The key pair that it made.
    pub new_key: String,
    /// Whether its journal is on this machine.
    pub local: bool,
}

impl Engine {
    /// Makes an engine for `rack` that tells `sink` what happens.
    #[must_use]
    pub fn new(
        rack: Rack,
        clock: Clock,
        entropy: Entropy,
        journals: impl JournalKeeper + 'static,
        sink: Box<dyn EventSink>,
        stop: Stop,
    ) -> Self {
        Self {
            rack,
            api: ApiKeyAccess::default(),
            tools: None,
            gate_runner: None,
            is_one_of_many: false,
            desk: Desk::new(clock, entropy, Box::new(journals), sink, stop),
        }
    }

    /// Lets the engine ask the rack API, and know who keeps its key.
    #[must_use]
    pub fn with_api(mut self, api: ApiKeyAccess) -> Self {
        self.api = api;
        self
    }

    /// Lets the engine run the commands of gates.
    pub fn set_gate_runner(&mut self, runner: Arc<dyn GateRunner>) {
        self.gate_runner = Some(runner);
    }

    /// Spares calls, as one of many racks that share what calls an account may make: the stack is
    /// looked at less often, and no change set is asked what its update would touch.
    pub(super) fn be_one_of_many(&mut self) {
        self.is_one_of_many = true;
    }

    /// Looks at the rack and says what a roll of its API key would do. Changes nothing that
    /// stays. The new key is known to the engine from then on, and to nobody else.
    ///
    /// # Errors
    /// Why a roll is refused, with the way out.
    pub async fn plan_api_key(
        &mut self,
        request: ApiKeyRequest,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal> {
        self.desk.wait_busy = wait_busy;
        let roll = self.desk.name_roll();
        let new = self.desk.new_key(&request)?;
        self.wait_until_at_rest(&roll, wait_busy).await?;
        let access = self.api.clone();
        let observed = self
            .patiently(&roll, async |rack| {
                api::observe(rack, &roll, &access, &new).await
            })
            .await?;
        let plan = api::plan(&self.rack, roll, &request, &observed)?;
        self.desk.keep(&plan, new);
        Ok(plan)
    }

    /// Returns the new API key of a plan that was made here.
    #[must_use]
    pub fn new_api_key(&self, plan: &Plan) -> Option<&secrecy::SecretString> {
        self.desk.kept(plan).map(|new| &new.value)
    }

    /// Returns where the rack's keys are kept.
    #[must_use]
    pub fn keys(&self) -> Arc<dyn KeyStore> {
        Arc::clone(&self.rack.keys)
    }

    /// Looks at the rack and says what a roll would do. Changes nothing that stays.
    ///
    /// A stack that is busy is waited for, up to `wait_busy`.
    ///
    /// # Errors
    /// Why a roll is refused, with the way out.
    pub async fn plan(
        &mut self,
        options: RollOptions,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal> {
        self.plan_with(options, &Care::default(), wait_busy).await
    }

    /// As [`Self::plan`], of a roll that heeds what `care` says.
    ///
    /// # Errors
    /// Why a roll is refused, with the way out.
    pub async fn plan_with(
        &mut self,
        options: RollOptions,
        care: &Care,
        wait_busy: Duration,
    ) -> Result<Plan, Refusal> {
        self.desk.wait_busy = wait_busy;
        let roll = self.desk.name_roll();
        self.wait_until_at_rest(&roll, wait_busy).await?;
        let depth = match self.is_one_of_many {
            true => Depth::WithoutPreview,
            false => Depth::Whole,
        };
        let mut observed = self
            .patiently(&roll, async |rack| observe(rack, &roll, depth).await)
            .await?;
        if options.strategy == Strategy::Surge {
            let room = self
                .patiently(&roll, async |rack| strategy::room(rack, &observed).await)
                .await?;
            observed.room = Some(room);
        }
        let plan = preflight::plan(&self.rack, roll.clone(), options, care, &observed)?;
        self.patiently(&roll, async |rack| care.gates.check(rack).await)
            .await?;
        Ok(plan)
    }

    /// Carries out a plan and reports how it ended.
    ///
    /// With `detach` it stops following as soon as the update is accepted, where that leaves
    /// nobody in need of us.
    pub async fn run(&mut self, plan: Plan, detach: bool) -> Report {
        let conflict = not_detachable(plan.options.strategy).filter(|_| detach);
        if let Some(conflict) = conflict {
            return self.desk.refused(&plan, conflict);
        }
        let now = self.desk.clock.now();
        let journal = match self.desk.journals.begin(&plan.roll).await {
            Ok(journal) => journal,
            Err(error) => return self.desk.not_begun(&plan, &error),
        };
        let mut run = self.prepare(plan.clone(), journal, now, false);
        if let Err(error) = run.record(Entry::Opened(Box::new(plan.clone()))).await {
            drop(run);
            return self.desk.not_begun(&plan, &error);
        }
        run.emit(EventKind::Planned(Box::new(plan)));
        run.drive(Stage::Beginning, detach).await
    }

    /// Takes up a roll that was left, on this machine or any other, and carries it to its end.
    ///
    /// # Errors
    /// When no such roll is known, or another process is at work on it.
    pub async fn resume(&mut self, id: &RollId) -> Result<Report, Refusal> {
        let found = self.find(id).await?;
        if found.plan.revocation().is_some() {
            return self.resume_revocation(&found).await;
        }
        if let Some(report) = ended(&found.lines) {
            self.desk.emit(id, EventKind::Finished(report.clone()));
            return Ok(report);
        }
        found.plan.gates.check_known(&found.plan)?;
        let mut run = self.take_up(&found).await?;
        run.recall_value().await?;
        // Best effort: with no evidence in the events the stack itself is asked.
        let news = run.gather_patiently().await;
        let stage = run.stage(&found.lines, news.as_ref().err()).await?;
        run.emit(EventKind::Resumed {
            from_journal: found.from_journal,
            step: stage.step(),
        });
        for event in news.unwrap_or_default() {
            run.emit(event);
        }
        Ok(run.drive(stage, false).await)
    }

    /// Cancels the update of a roll and follows the rollback.
    ///
    /// # Errors
    /// When no such roll is known, or its update is not under way.
    pub async fn cancel(&mut self, id: &RollId) -> Result<Report, Refusal> {
        let found = self.find(id).await?;
        found.refuse_revocation()?;
        let status = self.stack_status(&found.plan).await?;
        let can_be_reverted = found.plan.refresh.is_some() || !found.plan.gates.is_none();
        if can_be_reverted && status.0 != "UPDATE_IN_PROGRESS" {
            return self.take_back(&found, &status).await;
        }
        if status.0 != "UPDATE_IN_PROGRESS" {
            let message = format!("the stack is {status}: there is no update to cancel");
            return Err(untimely(id, "not-under-way", message));
        }
        match self.take_up(&found).await {
            Ok(mut run) => {
                run.recall_value().await?;
                Ok(run.cancel().await)
            }
            Err(refusal) if refusal.is_held() => self.cancel_for_another(&found.plan).await,
            Err(refusal) => Err(refusal),
        }
    }

    /// Takes a roll back whose update is over: one that replaces instances by refreshes of its own,
    /// or that stands at its last gate.
    async fn take_back(&mut self, found: &Found, status: &StackStatus) -> Result<Report, Refusal> {
        let id = &found.plan.roll;
        let promoted = found.lines.iter().any(is_promoting);
        if promoted || ended(&found.lines).is_some() || status.is_busy() {
            let message = format!("the stack is {status}: there is no roll to take back");
            return Err(untimely(id, "not-under-way", message));
        }
        if let Some(old) = &found.plan.old_key {
            let pair = self
                .patiently(id, async |rack| Ok(rack.key_pairs.find(old).await?))
                .await?;
            if pair.is_none() {
                let message = format!("{old} is deleted: there is nothing to go back to");
                return Err(untimely(id, "not-under-way", message));
            }
        }
        let mut run = self.take_up(found).await?;
        for news in run.gather_patiently().await? {
            run.emit(news);
        }
        Ok(run.cancel_led().await)
    }

    /// Goes on with a rollback that failed, leaving the resources of `skip` as they are, or
    /// rolls back an update that failed with rollback disabled.
    ///
    /// # Errors
    /// When no such roll is known, or its stack is in no such state.
    pub async fn continue_rollback(
        &mut self,
        id: &RollId,
        skip: &[String],
    ) -> Result<Report, Refusal> {
        let found = self.find(id).await?;
        found.refuse_revocation()?;
        let status = self.stack_status(&found.plan).await?;
        let class = status.class();
        if !matches!(class, StatusClass::RollbackFailed | StatusClass::Failed) {
            let message = format!("the stack is {status}: there is no rollback to go on with");
            return Err(untimely(id, "not-stuck", message));
        }
        let mut run = self.take_up(&found).await?;
        run.recall_value().await?;
        // What has happened so far, so that an old end is not taken for the new one.
        for news in run.gather_patiently().await? {
            run.emit(news);
        }
        Ok(run.continue_back(class, skip).await)
    }

    async fn wait_until_at_rest(
        &mut self,
        roll: &RollId,
        wait_busy: Duration,
    ) -> Result<(), Refusal> {
        let began = self.desk.clock.now();
        let mut wait = Duration::from_secs(2);
        loop {
            let described = self
                .patiently(roll, async |rack| {
                    match rack.stacks.describe(&rack.stack).await {
                        Err(PortError::NotFound { .. }) => Ok(None),
                        answer => Ok(Some(answer?)),
                    }
                })
                .await?;
            let Some(stack) = described else {
                return Err(self.no_such_stack().await);
            };
            if !stack.status.is_busy() {
                return Ok(());
            }
            let passed = Duration::try_from(self.desk.clock.now().duration_since(began));
            if passed.unwrap_or_default() + wait > wait_busy || self.desk.stop.is_requested() {
                return Err(Refusal::busy(&stack.status));
            }
            let retry_in_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
            self.desk.emit(
                roll,
                EventKind::Busy {
                    status: stack.status.to_string(),
                    retry_in_ms,
                },
            );
            self.desk.pause(wait).await;
            wait = (wait * 2).min(Duration::from_secs(15));
        }
    }

    async fn no_such_stack(&self) -> Refusal {
        let known = self.rack.stacks.racks().await.unwrap_or_default();
        preflight::no_such_stack(&self.rack.stack, &known)
    }

    fn prepare(
        &mut self,
        plan: Plan,
        journal: Box<dyn JournalWriter>,
        since: Timestamp,
        resumed: bool,
    ) -> Run<'_> {
        let groups = plan
            .groups
            .iter()
            .map(|group| (group.logical_id.clone(), group.instances));
        let tracker = Tracker::new(&plan.stack_id, plan.roll.as_str(), groups);
        let mut rack = self.rack.clone();
        // The name does not find a stack that is deleted under way, and keys must be forgotten.
        if let Some(keys) = rack.keys.of_stack(&plan.stack_id) {
            rack.keys = keys;
        }
        let keys = Arc::clone(&rack.keys);
        // Instances that are held, gates and refreshes are looked after with every look.
        let is_watched = !plan.touches.is_empty() || !plan.gates.is_none();
        let is_calm = self.is_one_of_many && !is_watched && plan.refresh.is_none();
        let base = self.desk.base(plan, journal, keys, &self.api);
        Run {
            rack,
            tail: EventTail::new(&base.plan.stack_id, since),
            tracker: if resumed { tracker.strictly() } else { tracker },
            pacing: Pacing::new(base.clock.now()).calm(is_calm),
            resumed,
            tools: self.tools.clone(),
            gate: GateState {
                runner: self.gate_runner.clone(),
                ..GateState::default()
            },
            tending: Tending::default(),
            base,
        }
    }

    async fn stack_status(&mut self, plan: &Plan) -> Result<StackStatus, Refusal> {
        let id = plan.stack_id.as_str();
        let stack = self.patiently(&plan.roll, async |rack| {
            Ok(rack.stacks.describe(id).await?)
        });
        Ok(stack.await?.status)
    }

    /// Repeats what only reads while it is throttled or not answered.
    pub(super) async fn patiently<T>(
        &mut self,
        roll: &RollId,
        read: impl AsyncFn(&Rack) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let rack = self.rack.clone();
        let began = self.desk.clock.now();
        let mut wait = Duration::from_secs(2);
        loop {
            let refusal = match read(&rack).await {
                Err(refusal) if refusal.is_transient() => refusal,
                answer => return answer,
            };
            let passed = Duration::try_from(self.desk.clock.now().duration_since(began));
            if passed.unwrap_or_default() > PATIENCE || self.desk.stop.is_requested() {
                return Err(refusal);
            }
            let message = format!("{refusal}; trying again in {} s", wait.as_secs());
            self.desk.emit(roll, EventKind::Warning { message });
            self.desk.pause(wait).await;
            wait = (wait * 2).min(Duration::from_secs(30));
        }
    }

    pub(super) async fn take_up(&mut self, found: &Found) -> Result<Run<'_>, Refusal> {
        let id = &found.plan.roll;
        let journal = self.desk.journals.go_on(id).await?;
        let mut run = self.prepare(found.plan.clone(), journal, since(id), true);
        run.tending = Tending::recalled(&found.lines);
        run.gate.is_past = found.lines.iter().any(is_promoting);
        run.gate.halted = halted(&found.lines);
        if let Some(why) = run.gate.halted.clone() {
            run.tracker.cancel_for(&why);
        }
        if !found.from_journal {
            run.record(Entry::Opened(Box::new(found.plan.clone())))
                .await?;
        }
        Ok(run)
    }

    /// Another convox holds the journal: it will see the rollback; we only ask for it.
    async fn cancel_for_another(&self, plan: &Plan) -> Result<Report, Refusal> {
        let token = format!("{}-cancel", plan.roll);
        self.rack
            .stacks
            .cancel_update(&plan.stack_id, &token)
            .await?;
        Ok(Report {
            outcome: Outcome::Detached,
            exit_code: Outcome::Detached.exit_code(),
            message: "the update is cancelled; the convox that follows it sees the rollback"
                .to_owned(),
            hints: vec![format!("see it with `convox rolls show {}`", plan.roll)],
            old_key: plan.old_key.clone(),
            new_key: Some(plan.new_key.clone()),
            first_failure: None,
            holdouts: Vec::new(),
            unavailable_ms: None,
        })
    }
}

impl Run<'_> {
    /// Finds out where a roll that was left goes on: by what its journal says, and where the
    /// journal cannot know, by what the account shows.
    /// `unread` is why its events could not be read, if they could not.
    async fn stage(
        &mut self,
        lines: &[Line],
        unread: Option<&PortError>,
    ) -> Result<Stage, Refusal> {
        let said = |wanted: &Entry| lines.iter().any(|line| line.entry == *wanted);
        if said(&Entry::TurnedBack) {
            return Ok(Stage::Back);
        }
        if self.gate.halted.is_some() {
            return Ok(Stage::Halted);
        }
        if said(&Entry::Finished(Effect::UpdateStack)) || self.tracker.has_started() {
            if self.is_taken_back().await? {
                let why = "the roll was being taken back".to_owned();
                self.gate.halted = Some(why);
                return Ok(Stage::Halted);
            }
            return Ok(Stage::Installed);
        }
        if let Some(error) = unread {
            return Err(error.clone().into());
        }
        let id = self.plan.stack_id.clone();
        let stack = self
            .patiently(async |rack| rack.stacks.describe(&id).await)
            .await?;
        if self.plan.is_api() {
            // The key store alone keeps all that the update takes.
            let stored = self.new.is_some();
            return Ok(if stored {
                Stage::Minted
            } else {
                Stage::Beginning
            });
        }
        if self.named_by(&stack) == Some(true) {
            let complete = stack.status.class() == StatusClass::Good;
            return Ok(if complete {
                Stage::Complete
            } else {
                Stage::Installed
            });
        }
        self.stage_of_new_key().await
    }

    /// Tells whether the new key pair is there, and its private half kept.
    async fn stage_of_new_key(&mut self) -> Result<Stage, Refusal> {
        let name = self.plan.new_key.clone();
        let stored = self
            .patiently(async |rack| rack.keys.get(&name).await)
            .await?;
        let pair = self
            .patiently(async |rack| rack.key_pairs.find(&name).await)
            .await?;
        Ok(if stored.is_some() && pair.is_some() {
            Stage::Minted
        } else {
            Stage::Beginning
        })
    }
}

/// Tells whether a line says that the new key is being made the default one.
fn is_promoting(line: &Line) -> bool {
    line.entry == Entry::Started(Effect::PromoteKey)
}

/// Returns why a roll is being taken back, if its journal says that it is.
fn halted(lines: &[Line]) -> Option<String> {
    lines.iter().find_map(|line| match &line.entry {
        Entry::Halted { why } => Some(why.clone()),
        _ => None,
    })
}

/// Returns the time from which on events may belong to a roll.
pub(super) fn since(id: &RollId) -> Timestamp {
    let made_at = id.made_at();
    made_at.saturating_sub(CLOCK_SLACK).unwrap_or(made_at)
}

/// Returns the report of a roll that has ended and left nothing to do.
pub(super) fn ended(lines: &[Line]) -> Option<Report> {
    let Entry::Closed(report) = &lines.last()?.entry else {
        return None;
    };
    report.is_over().then(|| report.as_ref().clone())
}

fn untimely(id: &RollId, code: &str, message: String) -> Refusal {
    Refusal::nothing_changed(Advice {
        code: code.to_owned(),
        message,
        hint: format!("see where the roll is with `convox rolls show {id}`"),
    })
}
