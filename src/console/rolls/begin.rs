//! A roll begins: it is planned while whoever asks for it waits, and goes on without them.

use std::collections::BTreeMap;

use secrecy::SecretString;
use tokio::sync::oneshot;

use super::runner::{self, Start};
use super::{LEASE, NewRoll, later};
use crate::console::service::Service;
use crate::rack::PortError;
use crate::roll::{ApiKeyRequest, Outcome, Plan, Refusal, RollOptions};
use crate::store::{Actor, Audited, Cause, RackKeyKind, RackRecord, StoreError};

/// Who asks for a roll.
#[derive(Debug, Clone)]
pub(in crate::console) struct Asker {
    pub(in crate::console) person: Option<String>,
    pub(in crate::console) actor: Actor,
    /// The id of the request that they made.
    pub(in crate::console) request: Option<String>,
}

/// Why a roll has not begun. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(in crate::console) enum NotBegun {
    /// There is another one.
    #[error("roll {0} of the rack is under way")]
    UnderWay(String),
    /// It would not be safe, or has nothing to do.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The rack cannot be reached.
    #[error(transparent)]
    Rack(#[from] PortError),
    /// The database does not do what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The server is about to stop.
    #[error("the server stopped before the roll began")]
    Stopped,
}

impl NotBegun {
    /// Tells whether it is only a matter of time: another roll, or another update of the stack, is
    /// under way.
    pub(in crate::console) fn is_of_a_moment(&self) -> bool {
        match self {
            Self::UnderWay(_) => true,
            Self::Refused(refusal) => refusal.outcome == Outcome::Busy,
            _ => false,
        }
    }
}

/// Begins to roll the SSH key of a rack, and returns the roll's id.
///
/// # Errors
/// When the rack cannot be reached, another roll of it is under way, or it is refused.
pub(in crate::console) async fn begin_ssh(
    service: &Service,
    rack: &RackRecord,
    asker: Asker,
) -> Result<String, NotBegun> {
    begin(service, rack, asker, Cause::Asked, ssh()).await
}

/// Begins to roll the key of a rack's API to `value`, or one that is made, and to set other
/// parameters in the same update; returns the roll's id.
///
/// # Errors
/// As [`begin_ssh`]'s.
pub(in crate::console) async fn begin_api(
    service: &Service,
    rack: &RackRecord,
    value: Option<SecretString>,
    set: BTreeMap<String, String>,
    asker: Asker,
) -> Result<String, NotBegun> {
    let request = ApiKeyRequest {
        value,
        set,
        ..ApiKeyRequest::default()
    };
    begin(service, rack, asker, Cause::Asked, Start::Api(request)).await
}

/// Begins to roll a key of a rack for a `cause`, on behalf of a person if it is; returns the roll's
/// id.
///
/// # Errors
/// As [`begin_ssh`]'s.
pub(in crate::console) async fn begin_by_itself(
    service: &Service,
    rack: &RackRecord,
    key: RackKeyKind,
    cause: Cause,
    person: Option<String>,
) -> Result<String, NotBegun> {
    let asker = Asker {
        person,
        actor: Actor::System,
        request: None,
    };
    begin(service, rack, asker, cause, start_of(key)).await
}

fn start_of(key: RackKeyKind) -> Start {
    match key {
        RackKeyKind::Ssh => ssh(),
        RackKeyKind::Api => Start::Api(ApiKeyRequest::default()),
    }
}

fn ssh() -> Start {
    Start::Ssh(RollOptions::DEFAULT)
}

/// Says what a roll of a key would do now. Nothing is changed, and nothing begins.
///
/// # Errors
/// When the rack cannot be reached, or the roll would be refused.
pub(in crate::console) async fn preview(
    service: &Service,
    rack: &RackRecord,
    key: RackKeyKind,
) -> Result<Plan, NotBegun> {
    let start = start_of(key);
    let reached = runner::reach(service, rack).await?;
    let (planned, plan) = oneshot::channel();
    // Nobody ever says that it may begin.
    let (_, gone) = oneshot::channel();
    runner::begin(service, rack.clone(), reached, start, planned, gone);
    Ok(plan.await.map_err(|_| NotBegun::Stopped)??)
}

async fn begin(
    service: &Service,
    rack: &RackRecord,
    asker: Asker,
    cause: Cause,
    start: Start,
) -> Result<String, NotBegun> {
    let last = service.store().rolls(&rack.id, 1).await?.pop();
    if let Some(roll) = last.filter(|roll| roll.ended_at.is_none()) {
        return Err(NotBegun::UnderWay(roll.id));
    }
    let reached = runner::reach(service, rack).await?;
    let key = match &start {
        Start::Ssh(_) => RackKeyKind::Ssh,
        Start::Api(_) => RackKeyKind::Api,
    };
    let (planned, plan) = oneshot::channel();
    let (go, gone) = oneshot::channel();
    runner::begin(service, rack.clone(), reached, start, planned, gone);
    let plan: Plan = plan.await.map_err(|_| NotBegun::Stopped)??;
    let new = NewRoll {
        id: plan.roll.to_string(),
        rack: rack.id.clone(),
        key_kind: key.as_str(),
        person: asker.person,
        plan: serde_json::to_string(&plan).map_err(|_| NotBegun::Stopped)?,
        cause,
    };
    let now = service.now();
    let mut by = Audited::new(&rack.workspace, asker.actor, now, service.entropy());
    if let Some(request) = &asker.request {
        by = by.request(request);
    }
    let until = later(now, LEASE);
    match service.store().begin_roll(new, until, by).await {
        Ok(()) => {}
        // Somebody else was faster.
        Err(StoreError::Unfit(_)) => {
            let last = service.store().rolls(&rack.id, 1).await?.pop();
            return Err(NotBegun::UnderWay(
                last.map_or_else(String::new, |it| it.id),
            ));
        }
        Err(error) => return Err(error.into()),
    }
    // If the one who planned it is gone, it is taken up as others are.
    let _ = go.send(until);
    Ok(plan.roll.to_string())
}
