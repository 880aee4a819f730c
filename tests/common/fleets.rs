//! Fleets of sandbox racks: accounts with many racks, and how their engines are made.

use std::collections::BTreeMap;
use std::path::Path;

use convox::clock::Clock;
use convox::ids::{Entropy, RollId};
use convox::rack::aws::{Access, Account, Budgets, Target, Transport};
use convox::roll::{
    Engine, EngineSource, Event, EventSink, FleetEvent, FleetEventKind, FleetPlan, FleetRack,
    FleetSink, Journals, RackPlace, Refusal, RollOptions, Stop,
};
use convox::sandbox::Sandbox;
use jiff::Timestamp;

/// How the racks of a fleet are reached: by the profile of the account that they are in.
pub(crate) struct Accounts {
    accounts: BTreeMap<String, Account>,
    clock: Clock,
    entropy: Entropy,
    journals: Journals,
    stop: Stop,
}

impl Accounts {
    /// Connects to the accounts, whose calls share `budgets` if there are any.
    pub(crate) async fn connect(
        sandboxes: &BTreeMap<String, Sandbox>,
        clock: &Clock,
        budgets: Option<&Budgets>,
        home: &Path,
        stop: Stop,
    ) -> Self {
        let mut accounts = BTreeMap::new();
        for (profile, sandbox) in sandboxes {
            let transport = Transport::InProcess(sandbox.in_process());
            let mut access = Access::new(transport, clock.clone());
            access.profile = Some(profile.clone());
            access.budget = budgets.map(|budgets| budgets.of(&access));
            accounts.insert(profile.clone(), Account::connect(&access).await.unwrap());
        }
        Self {
            accounts,
            clock: clock.clone(),
            entropy: Entropy::seeded(7),
            journals: Journals::new(home.join("rolls")),
            stop,
        }
    }
}

impl EngineSource for Accounts {
    async fn engine(&self, rack: &FleetRack) -> Result<Engine, Refusal> {
        let profile = rack.place.profile.clone().unwrap_or_default();
        let target = Target::rack(rack.rack());
        let found = self.accounts[&profile].rack(&target, &self.entropy)?;
        Ok(Engine::new(
            found,
            self.clock.clone(),
            self.entropy.clone(),
            self.journals.clone(),
            Box::new(Deaf),
            self.stop.clone(),
        ))
    }
}

/// Listens to nothing.
struct Deaf;

impl EventSink for Deaf {
    fn event(&mut self, _: &Event) {}
}

/// A plan over racks of these names and waves, in the account `profile`.
pub(crate) fn plan_of(clock: &Clock, profile: &str, racks: &[(&str, u32)]) -> FleetPlan {
    let rack = |(name, wave): &(&str, u32)| FleetRack {
        name: (*name).to_owned(),
        rack: None,
        wave: *wave,
        canary: *wave == 0,
        place: RackPlace {
            profile: Some(profile.to_owned()),
            ..RackPlace::default()
        },
        home: None,
    };
    FleetPlan {
        fleet: RollId::generate(clock.now(), &Entropy::seeded(1)),
        racks: racks.iter().map(rack).collect(),
        at_once: 2,
        stop_after: 1,
        options: RollOptions::DEFAULT,
        wait_busy_ms: 60_000,
        calls_per_second: None,
    }
}

/// How many more calls there were in any span than its length allows at `per_second`: what a
/// bucket that holds fewer would have refused.
pub(crate) fn most_above(times: &[Timestamp], per_second: f64) -> f64 {
    let (mut level, mut most) = (0.0_f64, 0.0_f64);
    let mut last = times.first().copied().unwrap_or_default();
    for at in times {
        let passed = at.duration_since(last).as_secs_f64();
        level = (level - passed * per_second).max(0.0) + 1.0;
        most = most.max(level);
        last = *at;
    }
    most
}

/// Counts the racks that are under way, and keeps how many they were at most.
#[derive(Default)]
pub(crate) struct Counting {
    now: usize,
    /// The most.
    pub(crate) most: usize,
}

impl FleetSink for Counting {
    fn event(&mut self, event: &FleetEvent) {
        match event.kind {
            FleetEventKind::RackBegan { .. } => self.now += 1,
            FleetEventKind::RackEnded(_) => self.now -= 1,
            _ => {}
        }
        self.most = self.most.max(self.now);
    }
}
