//! One rack in a sandbox, and everything that it takes to roll it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::Rack;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::roll::{
    Engine, Event, EventSink, Journals, Outcome, Refusal, Report, RollOptions, Stop,
};
use convox::sandbox::{Sandbox, Scenario};
use jiff::Timestamp;

use crate::invariants::Watcher;
pub(crate) use crate::virtual_time::in_virtual_time;

pub(crate) const OPTIONS: RollOptions = RollOptions::DEFAULT;
pub(crate) const WAIT_BUSY: Duration = Duration::from_secs(600);

/// Keeps what an engine tells.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Vec<Event>>>);

impl EventSink for Tape {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Tape {
    pub(crate) fn events(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn json(&self) -> String {
        let lines = self.events();
        let lines = lines
            .iter()
            .map(|event| serde_json::to_string(event).unwrap() + "\n");
        lines.collect()
    }
}

/// A rack in a sandbox of its own.
pub(crate) struct Rehearsal {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) tape: Tape,
    pub(crate) stop: Stop,
    pub(crate) watcher: Watcher,
    home: tempfile::TempDir,
}

pub(crate) fn scenarios() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let entries = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries
        .filter(|path| path.extension().is_some_and(|it| it == "yaml"))
        .collect();
    paths.sort();
    paths
}

pub(crate) fn scenario(name: &str) -> Scenario {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    Scenario::load(&dir.join(format!("{name}.yaml"))).unwrap()
}

impl Rehearsal {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        Self::watched_by(scenario, Watcher::start)
    }

    /// One that nobody looks at: for days, of which every second would be too much.
    pub(crate) fn unwatched(scenario: &Scenario) -> Self {
        Self::watched_by(scenario, |_, _| Watcher::default())
    }

    fn watched_by(scenario: &Scenario, watch: fn(&Sandbox, &Clock) -> Watcher) -> Self {
        let start: Timestamp = "2026-11-22T02:00:00Z".parse().unwrap();
        let clock = Clock::starting_at(start, 1.0);
        let sandbox = Sandbox::new(scenario, clock.clone()).unwrap();
        Self {
            watcher: watch(&sandbox, &clock),
            sandbox,
            clock,
            tape: Tape::default(),
            stop: Stop::new(),
            home: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn journals(&self) -> Journals {
        Journals::new(self.home.path().join("rolls"))
    }

    /// Journals of another machine, which has none of ours.
    pub(crate) fn elsewhere(&self) -> Journals {
        Journals::new(self.home.path().join("elsewhere"))
    }

    /// Everything that was left on this machine, as text.
    pub(crate) fn left_behind(&self) -> String {
        let mut text = String::new();
        let mut dirs = vec![self.home.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    dirs.push(entry.path());
                } else {
                    text += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
                }
            }
        }
        text
    }

    pub(crate) async fn rack(&self) -> Rack {
        let transport = Transport::InProcess(self.sandbox.in_process());
        let access = Access::new(transport, self.clock.clone());
        let account = Account::connect(&access).await.unwrap();
        account
            .rack(&Target::rack("prod"), &Entropy::seeded(9))
            .unwrap()
    }

    pub(crate) async fn engine(&self, journals: Journals) -> Engine {
        self.engine_of(self.rack().await, journals)
    }

    pub(crate) fn engine_of(&self, rack: Rack, journals: Journals) -> Engine {
        Engine::new(
            rack,
            self.clock.clone(),
            Entropy::seeded(5),
            journals,
            Box::new(self.tape.clone()),
            self.stop.clone(),
        )
    }

    /// Plans and rolls, as the command does.
    pub(crate) async fn roll(&self) -> Result<Report, Refusal> {
        self.roll_with(self.journals()).await
    }

    pub(crate) async fn roll_with(&self, journals: Journals) -> Result<Report, Refusal> {
        let mut engine = self.engine(journals).await;
        let plan = engine.plan(OPTIONS, WAIT_BUSY).await?;
        Ok(engine.run(plan, false).await)
    }

    /// Goes on with the only roll that there is.
    pub(crate) async fn resume(&self, id: &RollId, journals: Journals) -> Result<Report, Refusal> {
        self.engine(journals).await.resume(id).await
    }

    pub(crate) fn key_pairs(&self) -> Vec<String> {
        self.sandbox.peek(|world| world.key_pair_names())
    }
}

/// The outcome of a roll or of a refusal, and so the exit code.
pub(crate) fn outcome(result: &Result<Report, Refusal>) -> Outcome {
    match result {
        Ok(report) => report.outcome,
        Err(refusal) => refusal.outcome,
    }
}
