//! What rehearsals in a sandbox have in common: when they begin, their rack, and who listens.

use std::sync::{Arc, Mutex};

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::Rack;
use convox::rack::aws::{Access, Account, Target, Transport};
use convox::roll::{Event, EventKind, EventSink};
use convox::sandbox::Sandbox;

/// Events as they were told; clones share them.
#[derive(Debug, Clone, Default)]
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

/// Makes the clock of a rehearsal, which keeps step with that of its runtime.
pub(crate) fn clock() -> Clock {
    Clock::starting_at("2026-11-22T02:00:00Z".parse().unwrap(), 1.0)
}

/// Returns the rack `prod` of an account, as the product reaches it, without a socket.
pub(crate) async fn rack(sandbox: &Sandbox, clock: &Clock, entropy: &Entropy) -> Rack {
    let transport = Transport::InProcess(sandbox.in_process());
    let account = Account::connect(&Access::new(transport, clock.clone())).await;
    account
        .unwrap()
        .rack(&Target::rack("prod"), entropy)
        .unwrap()
}
