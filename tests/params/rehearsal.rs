//! A sandbox, and a rack in it as the product reaches it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::aws::{Access, Account, KeyStoreChoice, Target, Transport};
use convox::rack::{Change, PortError, Rack};
use convox::roll::{Event, EventKind, EventSink, Report, Stop, Watch};
use convox::sandbox::{Sandbox, Scenario};

/// Events as they were told; clones share them.
#[derive(Clone, Default)]
pub(crate) struct Tape(Arc<Mutex<Vec<Event>>>);

impl EventSink for Tape {
    fn event(&mut self, event: &Event) {
        self.0.lock().unwrap().push(event.clone());
    }
}

impl Tape {
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        let events = self.0.lock().unwrap();
        events.iter().map(|event| event.kind.clone()).collect()
    }

    pub(crate) fn has(&self, wanted: impl Fn(&EventKind) -> bool) -> bool {
        self.kinds().iter().any(wanted)
    }
}

pub(crate) struct Rehearsal {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) tape: Tape,
    pub(crate) stop: Stop,
    entropy: Entropy,
}

/// Runs a future on virtual time, which leaps over every wait.
pub(crate) fn in_virtual_time<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(work)
}

impl Rehearsal {
    /// Makes the account that a scenario describes, in its own words.
    pub(crate) fn of(scenario: &str) -> Self {
        Self::new(&Scenario::parse(&format!("name: x\nabout: y\n{scenario}"), "test").unwrap())
    }

    pub(crate) fn new(scenario: &Scenario) -> Self {
        let clock = Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0);
        Self {
            sandbox: Sandbox::new(scenario, clock.clone()).unwrap(),
            clock,
            tape: Tape::default(),
            stop: Stop::new(),
            entropy: Entropy::seeded(5),
        }
    }

    pub(crate) async fn rack(&self) -> Rack {
        let sandbox = self.sandbox.clone();
        let transport = Transport::InProcess(Arc::new(move |request| {
            let sandbox = sandbox.clone();
            Box::pin(async move { sandbox.handle(request).await })
        }));
        let access = Access::new(transport, self.clock.clone());
        let account = Account::connect(&access).await.unwrap();
        let target = Target {
            name: "prod".to_owned(),
            stack: "prod".to_owned(),
            key_parameter: "Key".to_owned(),
            key_store: KeyStoreChoice::Settings,
            ssh_user: "ec2-user".to_owned(),
        };
        account.rack(&target, &self.entropy).unwrap()
    }

    pub(crate) fn watch(&self, rack: &Rack) -> Watch {
        Watch::new(
            rack,
            self.clock.clone(),
            self.stop.clone(),
            Box::new(self.tape.clone()),
            RollId::generate(self.clock.now(), &self.entropy),
        )
    }

    /// Sets parameters and follows the update, as `rack params set --wait` does.
    pub(crate) async fn set_and_wait(&self, pairs: &[(&str, &str)]) -> Result<Report, PortError> {
        let rack = self.rack().await;
        let id = RollId::generate(self.clock.now(), &self.entropy);
        let stacks = rack.stacks.as_ref();
        let change = Change::prepare(stacks, "prod", id.as_str(), &map(pairs)).await?;
        let sink = Box::new(self.tape.clone());
        let mut watch = Watch::new(&rack, self.clock.clone(), self.stop.clone(), sink, id);
        watch.mark(change.stack()).await?;
        watch.begin(&change).await?;
        Ok(watch.update().await)
    }

    pub(crate) async fn pass(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }
}

pub(crate) fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}
