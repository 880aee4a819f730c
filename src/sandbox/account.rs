//! The handle of an account: requests in, responses out, time passing in between.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response};
use jiff::Timestamp;

use super::persist::{PersistError, Store};
use super::rack_api::rack_of_path;
use super::scenario::{Effect, Scenario, ScenarioError, Verdict};
use super::wire::{self, Call, Outcome};
use super::world::World;
use crate::clock::Clock;

/// An account as a function of a request; `None` when a scenario loses the connection.
pub type Handler = Arc<dyn Fn(Request<Bytes>) -> Answer + Send + Sync>;

/// The answer to come.
type Answer = Pin<Box<dyn Future<Output = Option<Response<Bytes>>> + Send>>;

/// An AWS account in one region; clones share it.
#[derive(Debug, Clone)]
pub struct Sandbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
    /// Where the account is kept between commands, if it is.
    store: Option<Store>,
}

#[derive(Debug)]
struct State {
    world: World,
    calls: BTreeMap<String, u64>,
    /// When each API was called, where somebody has asked for that.
    times: Option<BTreeMap<String, Vec<Timestamp>>>,
    /// How many calls were refused because there were too many.
    throttled: u64,
}

impl Sandbox {
    /// Makes the world of a scenario, in memory; its time is `clock`'s.
    ///
    /// # Errors
    /// When the scenario's template cannot be read or its rack does not come up.
    pub fn new(scenario: &Scenario, clock: Clock) -> Result<Self, ScenarioError> {
        let world = World::of_scenario(scenario, clock.now())?;
        Ok(Self::of_world(world, clock))
    }

    /// Takes a world that is there already, in memory.
    #[must_use]
    pub fn of_world(world: World, clock: Clock) -> Self {
        Self::of(world, clock, None)
    }

    /// Opens the account that is kept in `dir`, and makes one if there is none.
    ///
    /// Its time has gone on since the last command, `speed` times as fast as the
    /// wall clock; the clock that is returned goes on from there. Several
    /// processes may have it open at once.
    ///
    /// # Errors
    /// When the directory cannot be written, or what it holds cannot be read.
    pub fn open(dir: &Path, speed: f64) -> Result<(Self, Clock), PersistError> {
        let (store, world, clock) = Store::open(dir, speed)?;
        Ok((Self::of(world, clock.clone(), Some(store)), clock))
    }

    fn of(world: World, clock: Clock, store: Option<Store>) -> Self {
        let state = Mutex::new(State {
            world,
            calls: BTreeMap::new(),
            times: None,
            throttled: 0,
        });
        Self(Arc::new(Inner {
            clock,
            state,
            store,
        }))
    }

    /// Returns the account as a function of a request, for an SDK that is to call it in process.
    #[must_use]
    pub fn in_process(&self) -> Handler {
        let sandbox = self.clone();
        Arc::new(move |request| {
            let sandbox = sandbox.clone();
            Box::pin(async move { sandbox.handle(request).await })
        })
    }

    /// Answers one request; `None` when a scenario loses the connection.
    ///
    /// A persistent account whose file cannot be read or written answers with an
    /// `InternalFailure` that says why.
    pub async fn handle(&self, request: Request<Bytes>) -> Option<Response<Bytes>> {
        let call = match Call::read(&request) {
            Ok(call) => call,
            Err(unreadable) => {
                let id = self.with(|world| world.requests.uuid());
                return Some(unreadable.render(&id));
            }
        };
        let judged = self.transact(|state| {
            *state.calls.entry(call.api()).or_default() += 1;
            let now = state.world.now;
            if let Some(times) = &mut state.times {
                times.entry(call.api()).or_default().push(now);
            }
            let verdict = state.world.judge_call(call.service, &call.action);
            let is_throttled = match &verdict.effect {
                Effect::Refused(error) => *error == wire::throttled(call.service),
                _ => false,
            };
            state.throttled += u64::from(is_throttled);
            if verdict.delay.is_zero() {
                settle(&mut state.world, &call, verdict.effect)
            } else {
                Settled::Later(verdict)
            }
        });
        let settled = match judged {
            Ok(Settled::Later(Verdict { delay, effect })) => {
                self.0.clock.sleep(delay).await;
                self.transact(|state| settle(&mut state.world, &call, effect))
            }
            settled => settled,
        };
        match settled {
            Ok(Settled::Answered(outcome, id)) => Some(call.render(outcome, &id)),
            Ok(Settled::Lost | Settled::Later(_)) => None,
            Err(error) => Some(call.render(wire::failed(&error.to_string()), "0")),
        }
    }

    /// Answers one request to the HTTP API of a rack, as its balancer would: 503 while none of
    /// its processes is healthy, 404 for a rack that there is not.
    pub async fn rack_api(&self, rack: &str, request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path().to_owned();
        let path = match rack_of_path(&path) {
            Some((named, rest)) if named == rack => rest.to_owned(),
            _ => path,
        };
        let answered = self.transact(|state| state.world.answer_as_rack(rack, &path, &request));
        answered.unwrap_or_else(|error| {
            let mut broken = Response::new(Bytes::from(error.to_string()));
            *broken.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            broken
        })
    }

    /// Answers one request to the HTTP API of the rack that it means without naming it in its
    /// path, as where one rack is all that is served.
    pub async fn only_rack_api(&self, request: Request<Bytes>) -> Response<Bytes> {
        let meant = self.peek(|world| world.rack_meant(&request));
        self.rack_api(&meant.unwrap_or_default(), request).await
    }

    /// Looks at the world as it is now.
    pub fn peek<R>(&self, look: impl FnOnce(&World) -> R) -> R {
        self.with(|world| look(world))
    }

    /// Changes the world as it is now: for tests and rehearsals.
    ///
    /// A persistent account keeps the change with the next request.
    pub fn with<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.world.live_until(self.0.clock.now());
        change(&mut state.world)
    }

    /// Returns how often each API has been called through this process, refused calls included.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        self.0
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .calls
            .clone()
    }

    /// Begins to write down when each API is called.
    pub fn keep_times(&self) {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.times = Some(BTreeMap::new());
    }

    /// Returns when each API was called since, in order.
    #[must_use]
    pub fn times(&self) -> BTreeMap<String, Vec<Timestamp>> {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.times.clone().unwrap_or_default()
    }

    /// Returns how many calls were refused because there were too many.
    #[must_use]
    pub fn throttled(&self) -> u64 {
        let state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.throttled
    }

    /// Returns the clock that the account lives by.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Does something with the world as it is now; a persistent one is read and written around it.
    fn transact<R>(&self, act: impl FnOnce(&mut State) -> R) -> Result<R, PersistError> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(store) = &self.0.store else {
            state.world.live_until(self.0.clock.now());
            return Ok(act(&mut state));
        };
        let session = store.begin(&mut state.world)?;
        state.world.live_until(self.0.clock.now());
        let result = act(&mut state);
        session.save(&state.world)?;
        Ok(result)
    }
}

/// What has become of a call.
enum Settled {
    /// An answer, and the request's id.
    Answered(Outcome, String),
    /// No answer.
    Lost,
    /// It takes time to be heard.
    Later(Verdict),
}

/// Carries a call out, as far as a scenario lets it.
fn settle(world: &mut World, call: &Call, effect: Effect) -> Settled {
    let id = world.requests.uuid();
    match effect {
        Effect::Unsent => return Settled::Lost,
        Effect::Refused(error) => return Settled::Answered(Outcome::Tree(Err(error)), id),
        Effect::None | Effect::Lost => {}
    }
    let (mut outcome, good) = call.carry_out(world);
    if good {
        world.note_success(&call.api(), &call.input);
    }
    if let Outcome::Tree(Ok(tree)) = &mut outcome
        && call.is("cloudformation:DescribeStacks")
    {
        world.make_stale(tree);
    }
    match effect {
        Effect::Lost => Settled::Lost,
        _ => Settled::Answered(outcome, id),
    }
}
