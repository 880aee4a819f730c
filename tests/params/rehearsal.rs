//! A sandbox, and a rack in it as the product reaches it.

use std::collections::BTreeMap;
use std::time::Duration;

use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::{Change, PortError, Rack};
use convox::roll::{Report, Stop, Watch};
use convox::sandbox::{Sandbox, Scenario};

use crate::rehearsing::{self, Tape};

pub(crate) struct Rehearsal {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    pub(crate) tape: Tape,
    pub(crate) stop: Stop,
    entropy: Entropy,
}

impl Rehearsal {
    /// Makes the account that a scenario describes, in its own words.
    pub(crate) fn of(scenario: &str) -> Self {
        Self::new(&Scenario::parse(&format!("name: x\nabout: y\n{scenario}"), "test").unwrap())
    }

    pub(crate) fn new(scenario: &Scenario) -> Self {
        let clock = rehearsing::clock();
        Self {
            sandbox: Sandbox::new(scenario, clock.clone()).unwrap(),
            clock,
            tape: Tape::default(),
            stop: Stop::new(),
            entropy: Entropy::seeded(5),
        }
    }

    pub(crate) async fn rack(&self) -> Rack {
        rehearsing::rack(&self.sandbox, &self.clock, &self.entropy).await
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
