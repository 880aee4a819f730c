//! Who is at work on a roll: a thread of its own for each, since a roll may take hours and its
//! engine is for one thread.

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use super::holder::RecordHolder;
use super::keeper::Keeper;
use super::lease::Term;
use super::staged::RecordKeys;
use super::{AGAIN, later};
use crate::console::racks::{FoundGateway, FoundRack};
use crate::console::service::Service;
use crate::ids::RollId;
use crate::rack::{ApiKeyAccess, FarRack, PortError};
use crate::roll::{
    ApiKeyEngine as _, ApiKeyRequest, Engine, Event, EventSink, FarEngine, JournalError, Outcome,
    Plan, Refusal, Report, RollOptions, Stop,
};
use crate::store::{Actor, Audited, RackKind, RackRecord, RollRow};

/// What a roll begins with.
pub(super) enum Start {
    Ssh(RollOptions),
    Api(ApiKeyRequest),
}

/// A rack, by the way that it is reached.
pub(super) enum Reached {
    Account(Box<FoundRack>),
    Api(FoundGateway),
}

/// Gets ready to roll a key of a rack.
///
/// # Errors
/// When it cannot be reached.
pub(super) async fn reach(service: &Service, rack: &RackRecord) -> Result<Reached, PortError> {
    Ok(match rack.kind {
        RackKind::Aws | RackKind::Sandbox => {
            Reached::Account(Box::new(service.find_rack(rack).await?))
        }
        RackKind::Api => Reached::Api(service.gateway(rack).await?),
    })
}

/// The term of whoever begins a roll.
const FIRST: i64 = 1;

/// Says nothing: whoever wants to know reads what the journal keeps.
struct Quiet;

impl EventSink for Quiet {
    fn event(&mut self, _: &Event) {}
}

/// Plans a roll, hands the plan over, and once `gone` says so carries it out.
pub(super) fn begin(
    service: &Service,
    rack: RackRecord,
    reached: Reached,
    start: Start,
    planned: oneshot::Sender<Result<Plan, Refusal>>,
    gone: oneshot::Receiver<i64>,
) {
    let service = service.clone();
    on_a_thread(&service.clone(), move || async move {
        let mut engine = Working::new(&service, &rack, reached, FIRST);
        let plan = engine.plan(start).await;
        let mine = plan.as_ref().ok().cloned();
        if planned.send(plan).is_err() {
            return;
        }
        let (Some(plan), Ok(until)) = (mine, gone.await) else {
            return;
        };
        let term = Term {
            roll: plan.roll.to_string(),
            number: FIRST,
            until,
        };
        carry_out(&service, &rack, &term, async { Ok(engine.run(plan).await) }).await;
    });
}

/// Goes on with a roll that nobody is at work on.
pub(super) fn take_up(service: &Service, roll: RollRow) {
    let service = service.clone();
    on_a_thread(&service.clone(), move || async move {
        let term = Term {
            roll: roll.id.clone(),
            number: roll.term,
            until: roll.lease_until,
        };
        let rack = match service.store().rack(&roll.rack).await {
            Ok(rack) => rack,
            Err(error) => {
                service.log(&format!("roll {} cannot be taken up: {error}", roll.id));
                return term.release(&service, pause(roll.term)).await;
            }
        };
        carry_out(&service, &rack, &term, go_on(&service, &rack, &roll)).await;
    });
}

async fn go_on(service: &Service, rack: &RackRecord, roll: &RollRow) -> Result<Report, Refusal> {
    let reached = reach(service, rack).await?;
    let mut engine = Working::new(service, rack, reached, roll.term);
    let id: Result<RollId, _> = roll.id.parse();
    let plan: Result<Plan, _> = serde_json::from_str(&roll.plan);
    let (Ok(id), Ok(plan)) = (id, plan) else {
        return Err(PortError::NotFound {
            what: format!("what roll {} was going to do", roll.id),
        }
        .into());
    };
    // What cannot be read now is no journal without lines.
    let lines = service.store().roll_lines(&roll.id).await;
    let lines = lines.map_err(|error| JournalError::Kept(error.to_string()))?;
    match (!lines.is_empty(), plan.is_api()) {
        (true, _) => engine.resume(&id).await,
        // Nothing was done yet, and nothing has to be known but what is in the plan.
        (false, false) => Ok(engine.run(plan).await),
        // The new key was known to nobody but the process that is gone.
        (false, true) => Ok(never_begun(&plan)),
    }
}

fn never_begun(plan: &Plan) -> Report {
    Report {
        outcome: Outcome::NothingChanged,
        exit_code: Outcome::NothingChanged.exit_code(),
        message: "the server was stopped before the roll began".to_owned(),
        hints: vec!["nothing was changed: roll again".to_owned()],
        old_key: plan.old_key.clone(),
        new_key: None,
        first_failure: None,
        holdouts: Vec::new(),
        unavailable_ms: None,
    }
}

/// An engine, by the way that its rack is reached.
enum Working {
    Account(Box<Engine>),
    Api(Box<FarEngine>),
}

impl Working {
    fn new(service: &Service, record: &RackRecord, reached: Reached, term: i64) -> Self {
        let holder = || RecordHolder::new(service, record, term);
        let (entropy, stop) = (service.entropy().clone(), Stop::new());
        let (keeper, quiet) = (Keeper::new(service, &record.id, term), Box::new(Quiet));
        match reached {
            Reached::Account(found) => {
                let FoundRack { rack, clock } = *found;
                let access = ApiKeyAccess {
                    probe: rack.probe.clone(),
                    holders: vec![Arc::new(holder())],
                };
                let engine = Engine::new(rack, clock, entropy, keeper, quiet, stop);
                Self::Account(Box::new(engine.with_api(access)))
            }
            Reached::Api(FoundGateway { gateway, clock }) => {
                let rack = FarRack {
                    api: gateway,
                    // The record has it.
                    password: SecretString::from(""),
                    holders: vec![Arc::new(holder())],
                    keys: Arc::new(RecordKeys::new(holder())),
                };
                let engine = FarEngine::new(rack, clock, entropy, keeper, quiet, stop);
                Self::Api(Box::new(engine))
            }
        }
    }

    async fn plan(&mut self, start: Start) -> Result<Plan, Refusal> {
        let at_once = Duration::ZERO;
        match (self, start) {
            (Self::Account(engine), Start::Ssh(options)) => engine.plan(options, at_once).await,
            (Self::Account(engine), Start::Api(request)) => {
                engine.plan_api_key(request, at_once).await
            }
            (Self::Api(engine), Start::Api(request)) => engine.plan_api_key(request, at_once).await,
            // The rack is asked to, and does it by itself.
            (Self::Api(_), Start::Ssh(_)) => Err(PortError::NotFound {
                what: "a way to roll the instances' key from here".to_owned(),
            }
            .into()),
        }
    }

    async fn run(&mut self, plan: Plan) -> Report {
        match self {
            Self::Account(engine) => engine.run(plan, false).await,
            Self::Api(engine) => engine.run(plan, false).await,
        }
    }

    async fn resume(&mut self, id: &RollId) -> Result<Report, Refusal> {
        match self {
            Self::Account(engine) => engine.resume(id).await,
            Self::Api(engine) => engine.resume(id).await,
        }
    }
}

/// Works on a roll for as long as the lease is held, and writes down how it ended.
async fn carry_out(
    service: &Service,
    rack: &RackRecord,
    term: &Term,
    work: impl Future<Output = Result<Report, Refusal>>,
) {
    let result = tokio::select! {
        result = work => result,
        // Somebody else is at work on it by now.
        () = term.hold(service) => return,
    };
    let report = match result {
        Ok(report) => report,
        Err(refusal) => {
            service.log(&format!("roll {} cannot go on: {refusal}", term.roll));
            return term.release(service, pause(term.number)).await;
        }
    };
    let Ok(text) = serde_json::to_string(&report) else {
        return;
    };
    let (now, store, told) = (service.now(), service.store(), &report.message);
    let by = Audited::new(&rack.workspace, Actor::System, now, service.entropy());
    let kept = if report.is_over() {
        store
            .end_roll(&term.roll, term.number, text, rack, told, by)
            .await
    } else {
        // What is left to do may be possible later, such as when an instance is replaced.
        service.log(&format!("roll {} is not over: {told}", term.roll));
        let again = later(now, pause(term.number));
        let left = store.leave_roll(&term.roll, term.number, text, again, by);
        left.await
    };
    if let Err(error) = kept {
        // Whoever takes it up finds in the journal how it stands.
        let what = format!("how roll {} stands is not kept: {error}", term.roll);
        service.log(&what);
    }
}

/// Returns after how long a roll is tried again that is not over after so many terms: longer each
/// time, up to about an hour.
fn pause(term: i64) -> Duration {
    AGAIN * 2_u32.saturating_pow(u32::try_from(term - 1).unwrap_or(0).min(6))
}

fn on_a_thread<F: Future<Output = ()>>(
    service: &Service,
    work: impl FnOnce() -> F + Send + 'static,
) {
    let handle = Handle::current();
    let thread = std::thread::Builder::new().name("roll".to_owned());
    let spawned = thread.spawn(move || handle.block_on(work()));
    if let Err(error) = spawned {
        service.log(&format!("no roll can be worked on: {error}"));
    }
}
