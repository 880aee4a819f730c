//! Carries a fleet out: an engine for each rack, as many at once as the plan says.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;

use futures_util::stream::{FuturesUnordered, StreamExt as _};

use super::event::{FleetEvent, FleetEventKind, FleetSink};
use super::journal::{FleetEntry, FleetJournal, FleetJournals, FleetLine};
use super::plan::{FleetPlan, FleetRack};
use super::report::{FleetReport, RackReport};
use crate::clock::Clock;
use crate::ids::RollId;
use crate::roll::engine::Engine;
use crate::roll::event::EVENT_VERSION;
use crate::roll::journal::JournalError;
use crate::roll::lineup::{Next, Place, Turn};
use crate::roll::outcome::Outcome;
use crate::roll::plan::{Advice, Plan};
use crate::roll::preflight::Refusal;
use crate::roll::stop::Stop;

/// Whoever knows how the racks of a fleet are reached.
pub trait EngineSource {
    /// Makes the engine of one rack. It heeds the fleet's request to stop.
    ///
    /// # Errors
    /// Why the rack cannot be reached.
    fn engine(&self, rack: &FleetRack) -> impl Future<Output = Result<Engine, Refusal>>;
}

/// A fleet being rolled.
pub struct Fleet<'a, S> {
    source: &'a S,
    clock: Clock,
    stop: Stop,
    sink: &'a mut dyn FleetSink,
    plan: FleetPlan,
    journal: RefCell<FleetJournal>,
    /// How each rack stands, in the plan's order.
    stands: Vec<Standing>,
}

/// How a rack stands.
#[derive(Debug, Clone)]
struct Standing {
    turn: Turn,
    /// The roll that it got before, and that is not over.
    earlier: Option<RollId>,
    report: RackReport,
}

/// What came of a rack's turn.
enum Ended {
    /// It was not begun after all, since somebody asked to stop.
    NotBegun,
    /// The roll that it got before could not be taken up: that roll is still there to be resumed.
    NotTakenUp(Box<RackReport>),
    /// It has ended.
    With(Box<RackReport>),
}

/// A rack's turn.
type Turning<'f> = Pin<Box<dyn Future<Output = (usize, Ended)> + 'f>>;

impl<'a, S: EngineSource> Fleet<'a, S> {
    /// Begins a new fleet; its plan is kept before anything is done.
    ///
    /// # Errors
    /// When its journal cannot be made.
    pub fn begin(
        plan: FleetPlan,
        journals: &FleetJournals,
        source: &'a S,
        clock: Clock,
        sink: &'a mut dyn FleetSink,
        stop: Stop,
    ) -> Result<Self, JournalError> {
        let plan = plan.in_order();
        let mut journal = journals.begin(&plan.fleet)?;
        journal.record(clock.now(), FleetEntry::Opened(Box::new(plan.clone())))?;
        let stands = plan.racks.iter().map(Standing::fresh).collect();
        Ok(Self {
            source,
            clock,
            stop,
            sink,
            plan,
            journal: RefCell::new(journal),
            stands,
        })
    }

    /// Takes up a fleet that was left or killed. What is done stays done, what was under way is
    /// taken up, and all others get their turn, those that failed included.
    ///
    /// # Errors
    /// When this machine knows of no such fleet, or another process is at work on it.
    pub fn take_up(
        id: &RollId,
        journals: &FleetJournals,
        source: &'a S,
        clock: Clock,
        sink: &'a mut dyn FleetSink,
        stop: Stop,
    ) -> Result<Self, Refusal> {
        let journal = journals.go_on(id)?;
        // Read only now that nobody else writes it.
        let lines = journals.read(id)?.unwrap_or_default();
        let opened = lines.iter().find_map(|line| match &line.entry {
            FleetEntry::Opened(plan) => Some(plan.as_ref().clone()),
            _ => None,
        });
        let plan = opened.ok_or_else(|| nothing_kept(id))?;
        let stands = standings(&plan, &lines);
        let fleet = Self {
            source,
            clock,
            stop,
            sink,
            plan,
            journal: RefCell::new(journal),
            stands,
        };
        fleet.record(FleetEntry::TakenUp)?;
        Ok(fleet)
    }

    /// Rolls the racks and reports how that ended.
    pub async fn run(mut self) -> FleetReport {
        let began = self.clock.now();
        let done = self
            .stands
            .iter()
            .filter(|it| it.turn == Turn::Done)
            .count();
        let plan = Box::new(self.plan.clone());
        self.emit(FleetEventKind::FleetBegan { plan, done });
        let stopped = {
            let (source, journal) = (self.source, &self.journal);
            let turner = Turner {
                source,
                journal,
                clock: &self.clock,
                stop: &self.stop,
                plan: &self.plan,
            };
            let mut telling = Telling {
                clock: &self.clock,
                sink: &mut *self.sink,
                fleet: &self.plan.fleet,
            };
            all_turns(&turner, &mut telling, &mut self.stands).await
        };
        let racks = self.stands.iter().map(|it| it.report.clone()).collect();
        let span = (began, self.clock.now());
        let report = FleetReport::of(&self.plan, racks, stopped, span);
        self.emit(FleetEventKind::FleetFinished(Box::new(report.clone())));
        report
    }

    fn record(&self, entry: FleetEntry) -> Result<(), JournalError> {
        self.journal.borrow_mut().record(self.clock.now(), entry)
    }

    fn emit(&mut self, kind: FleetEventKind) {
        let mut telling = Telling {
            clock: &self.clock,
            sink: &mut *self.sink,
            fleet: &self.plan.fleet,
        };
        telling.emit(kind);
    }
}

/// Gives racks their turns until there is nothing left to do; returns why no more began, if so.
async fn all_turns<S: EngineSource>(
    turner: &Turner<'_, S>,
    telling: &mut Telling<'_>,
    stands: &mut [Standing],
) -> Option<String> {
    let lineup = turner.plan.lineup();
    let mut stopped: Option<String> = None;
    let mut turns: FuturesUnordered<Turning<'_>> = FuturesUnordered::new();
    loop {
        if stopped.is_none() && turner.stop.is_requested() {
            stopped = Some("somebody asked to stop".to_owned());
        }
        let places: Vec<Place> = stands.iter().zip(&turner.plan.racks).map(place).collect();
        let next = match stopped {
            Some(_) => Next::Wait,
            None => lineup.next(&places),
        };
        match next {
            Next::Begin(begin) => {
                for at in begin {
                    let (rack, standing) = (&turner.plan.racks[at], &mut stands[at]);
                    standing.turn = Turn::Rolling;
                    standing.report.began = Some(turner.clock.now());
                    telling.emit(FleetEventKind::RackBegan {
                        rack: rack.name.clone(),
                        wave: rack.wave,
                    });
                    let earlier = standing.earlier.clone();
                    turns.push(Box::pin(
                        async move { (at, turner.turn(rack, earlier).await) },
                    ));
                }
            }
            Next::Stop => {
                let why = why_stopped(stands, &turner.plan.racks);
                turner.note(FleetEntry::Stopped { why: why.clone() });
                telling.emit(FleetEventKind::FleetStopped { why: why.clone() });
                stopped = Some(why);
            }
            Next::Wait | Next::Over => {
                let Some((at, ended)) = turns.next().await else {
                    return stopped;
                };
                let standing = &mut stands[at];
                // An end would make the next resumption forget the roll, and begin another.
                let is_kept = matches!(ended, Ended::With(_));
                match ended {
                    Ended::NotBegun => {
                        standing.turn = Turn::Waiting;
                        standing.report.began = None;
                    }
                    Ended::NotTakenUp(report) | Ended::With(report) => {
                        let report = RackReport {
                            began: standing.report.began,
                            ended: Some(turner.clock.now()),
                            ..*report
                        };
                        let is_done = report.is_done();
                        standing.turn = if is_done { Turn::Done } else { Turn::Failed };
                        standing.report = report.clone();
                        if is_kept {
                            turner.note(FleetEntry::Ended(Box::new(report.clone())));
                            if turner.stop.is_requested() && report.left_nothing() {
                                *standing = Standing::fresh(&turner.plan.racks[at]);
                            }
                        }
                        telling.emit(FleetEventKind::RackEnded(Box::new(report)));
                    }
                }
            }
        }
    }
}

/// What a rack's turn takes.
struct Turner<'f, S> {
    source: &'f S,
    journal: &'f RefCell<FleetJournal>,
    clock: &'f Clock,
    stop: &'f Stop,
    plan: &'f FleetPlan,
}

impl<S: EngineSource> Turner<'_, S> {
    /// Rolls a rack, or goes on with the roll that it got `earlier`.
    async fn turn(&self, rack: &FleetRack, earlier: Option<RollId>) -> Ended {
        let report = match self.roll(rack, earlier).await {
            Ok(Some(report)) => report,
            Ok(None) => return Ended::NotBegun,
            Err((Some(roll), refusal)) => {
                let report = RackReport::refused(rack, Some(roll), &refusal);
                return Ended::NotTakenUp(Box::new(report));
            }
            Err((None, refusal)) => RackReport::refused(rack, None, &refusal),
        };
        Ended::With(Box::new(report))
    }

    async fn roll(
        &self,
        rack: &FleetRack,
        earlier: Option<RollId>,
    ) -> Result<Option<RackReport>, (Option<RollId>, Refusal)> {
        let bare = |refusal| (None, refusal);
        let engine = self.source.engine(rack).await;
        let mut engine = engine.map_err(|refusal| (earlier.clone(), refusal))?;
        engine.be_one_of_many();
        if let Some(roll) = earlier {
            match engine.resume(&roll).await {
                Ok(report) => return Ok(Some(RackReport::ended(rack, roll, report))),
                // It was announced, and killed before it did anything.
                Err(refusal) if refusal.is_unknown() => {}
                Err(refusal) => return Err((Some(roll), refusal)),
            }
        }
        let (options, wait_busy) = (self.plan.options, self.plan.wait_busy());
        let planned = engine.plan(options, wait_busy).await;
        if self.stop.is_requested() {
            return Ok(None);
        }
        let plan = planned.map_err(bare)?;
        let roll = plan.roll.clone();
        let begun = FleetEntry::Begun {
            rack: rack.name.clone(),
            roll: roll.clone(),
        };
        let kept = self.journal.borrow_mut().record(self.clock.now(), begun);
        kept.map_err(|error| bare(error.into()))?;
        let report = engine.run(plan, false).await;
        Ok(Some(RackReport::ended(rack, roll, report)))
    }

    /// Writes a line that only spares work on the way back: the rolls' own journals know it too.
    fn note(&self, entry: FleetEntry) {
        drop(self.journal.borrow_mut().record(self.clock.now(), entry));
    }
}

/// Tells those who listen.
struct Telling<'f> {
    clock: &'f Clock,
    sink: &'f mut dyn FleetSink,
    fleet: &'f RollId,
}

impl Telling<'_> {
    fn emit(&mut self, kind: FleetEventKind) {
        self.sink.event(&FleetEvent {
            v: EVENT_VERSION,
            at: self.clock.now(),
            fleet: self.fleet.clone(),
            kind,
        });
    }
}

impl Standing {
    fn fresh(rack: &FleetRack) -> Self {
        Self {
            turn: Turn::Waiting,
            earlier: None,
            report: RackReport::waiting(rack),
        }
    }

    /// Tells whether its roll goes on and is not followed any more, though nobody asked for that.
    fn is_unseen(&self) -> bool {
        self.turn == Turn::Failed && self.report.outcome == Some(Outcome::Detached)
    }
}

fn place((standing, rack): (&Standing, &FleetRack)) -> Place {
    // What is under way already does not wait for those that are not.
    let wave = standing.earlier.as_ref().map_or(rack.wave, |_| 0);
    Place {
        wave,
        // Of one that rolls on unseen nobody knows when it ends, which later waves wait for.
        is_canary: rack.canary || standing.is_unseen(),
        turn: standing.turn,
    }
}

/// Finds out from a journal how each rack stands.
fn standings(plan: &FleetPlan, lines: &[FleetLine]) -> Vec<Standing> {
    let mut rolls: BTreeMap<&str, &RollId> = BTreeMap::new();
    let mut ended: BTreeMap<&str, &RackReport> = BTreeMap::new();
    for line in lines {
        match &line.entry {
            FleetEntry::Begun { rack, roll } => {
                rolls.insert(rack, roll);
                ended.remove(rack.as_str());
            }
            FleetEntry::Ended(report) => {
                ended.insert(&report.rack, report);
                if report.is_over() {
                    rolls.remove(report.rack.as_str());
                }
            }
            FleetEntry::Opened(_) | FleetEntry::Stopped { .. } | FleetEntry::TakenUp => {}
        }
    }
    let stand = |rack: &FleetRack| {
        let name = rack.name.as_str();
        match ended.get(name).filter(|report| report.is_done()) {
            Some(report) => Standing {
                turn: Turn::Done,
                earlier: None,
                report: (*report).clone(),
            },
            None => Standing {
                earlier: rolls.get(name).copied().cloned(),
                ..Standing::fresh(rack)
            },
        }
    };
    plan.racks.iter().map(stand).collect()
}

fn why_stopped(stands: &[Standing], racks: &[FleetRack]) -> String {
    let mut unseen = stands.iter().filter(|standing| standing.is_unseen());
    if let Some(Standing { report, .. }) = unseen.next() {
        return format!("the roll of {} goes on unseen", report.rack);
    }
    let failed = |(standing, _): &(&Standing, &FleetRack)| standing.turn == Turn::Failed;
    let mut failed = stands.iter().zip(racks).filter(failed);
    if let Some((_, canary)) = failed.clone().find(|(_, rack)| rack.canary) {
        return format!("the canary {} did not end well", canary.name);
    }
    match (failed.next(), failed.count()) {
        (Some((_, rack)), 0) => format!("{} did not end well", rack.name),
        (_, others) => format!("{} racks did not end well", others + 1),
    }
}

fn nothing_kept(fleet: &RollId) -> Refusal {
    Refusal::nothing_changed(Advice {
        code: "no-such-fleet".to_owned(),
        message: format!("the journal of fleet {fleet} does not say which racks are in it"),
        hint: "nothing of it has begun: begin it anew".to_owned(),
    })
}

/// Plans the rolls of all racks, so many at once, and changes nothing that stays.
pub async fn plans_of<S: EngineSource>(
    plan: &FleetPlan,
    source: &S,
) -> Vec<(FleetRack, Result<Plan, Refusal>)> {
    let ordered = plan.clone().in_order();
    let planned = ordered.racks.iter().map(async |rack| {
        let planned = match source.engine(rack).await {
            Ok(mut engine) => engine.plan(ordered.options, ordered.wait_busy()).await,
            Err(refusal) => Err(refusal),
        };
        (rack.clone(), planned)
    });
    let planned = futures_util::stream::iter(planned);
    planned.buffered(ordered.lineup().at_once).collect().await
}
