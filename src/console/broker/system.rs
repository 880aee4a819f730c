//! What is asked of a rack, which the console answers in the place of the rack's own API.

use std::collections::BTreeMap;

use axum::response::Response;
use http::Method;
use secrecy::SecretString;

use super::answer::{Refused, json, plain, unknown};
use super::shapes::{InstanceShape, SystemShape};
use super::{Call, logs, passing, shell, socket, standing};
use crate::console::rolls::{self, Asker};
use crate::console::service::Service;
use crate::rack::{PortError, SystemDescription, SystemInstance};
use crate::store::{Actor, Audited, RackKind, RackRecord, RollRow};

/// The parameter that is the key of the rack's API.
pub(super) const PASSWORD: &str = "Password";

/// Answers a call to a rack.
pub(super) async fn answer(
    call: &Call,
    socket: Option<socket::Asked>,
) -> Result<Response, Refused> {
    let path = call.asked.path.clone();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    match (&call.asked.method, parts.as_slice()) {
        (&Method::GET, ["system"]) => {
            let (system, last) = describe(&call.service, &call.rack).await?;
            Ok(json(&SystemShape::of(system, last.as_ref())))
        }
        (&Method::PUT, ["system"]) => update(call).await,
        (&Method::GET, ["instances"]) => {
            let instances = instances(&call.service, &call.rack).await?;
            let instances = instances.into_iter().map(InstanceShape::from);
            Ok(json(&instances.collect::<Vec<_>>()))
        }
        (&Method::POST, ["instances", "keyroll"]) => {
            rolls::begin_ssh(&call.service, &call.rack, asker(call)).await?;
            Ok(plain("ok"))
        }
        (&Method::DELETE, ["instances", id]) => {
            let found = call.service.find_rack(&call.rack).await?;
            let work = found.rack.system.terminate(id);
            let what = format!("Terminate instance {id}");
            audited_as(call, "rack.instance.terminate", &what, work).await
        }
        (&Method::GET, ["system", "logs"]) => {
            let socket = socket.ok_or_else(|| Refused::Bad("logs come by websocket".to_owned()))?;
            let found = call.service.find_rack(&call.rack).await?;
            let wanted = logs::Wanted::of(&call.asked.headers, &found.clock);
            let (service, viewer) = (call.service.clone(), logs::Viewer::of(call));
            socket.accept(&call.service, async move |socket| {
                logs::send(service, viewer, wanted, socket).await;
            })
        }
        (&Method::GET, ["instances", id, "shell"]) => {
            let socket = socket.ok_or_else(|| Refused::Bad("a shell is a websocket".to_owned()))?;
            shell::open(call, id, socket).await
        }
        _ => Ok(unknown()),
    }
}

/// Describes a rack, with the word that whoever waits for a roll is to hear, and its last roll.
///
/// # Errors
/// When it cannot be asked.
pub(in crate::console) async fn describe(
    service: &Service,
    rack: &RackRecord,
) -> Result<(SystemDescription, Option<RollRow>), Refused> {
    let last = service.store().rolls(&rack.id, 1).await?.pop();
    let mut system = match rack.kind {
        RackKind::Api => passing::describe(service, rack, last.as_ref()).await?,
        RackKind::Aws | RackKind::Sandbox => {
            let found = service.find_rack(rack).await?;
            found.rack.system.describe().await?
        }
    };
    let goes_back = match &last {
        Some(roll) if roll.ended_at.is_none() => service.store().goes_back(&roll.id).await?,
        _ => false,
    };
    system.status = standing::word(&system.status, last.as_ref(), goes_back, service.now());
    Ok((system, last))
}

/// Lists the instances of a rack, ordered by id.
///
/// # Errors
/// When it cannot be asked.
pub(in crate::console) async fn instances(
    service: &Service,
    rack: &RackRecord,
) -> Result<Vec<SystemInstance>, Refused> {
    match rack.kind {
        RackKind::Api => passing::instances(service, rack).await,
        RackKind::Aws | RackKind::Sandbox => {
            let found = service.find_rack(rack).await?;
            Ok(found.rack.system.instances().await?)
        }
    }
}

/// Sets parameters; one that is the key of the rack's API is rolled.
async fn update(call: &Call) -> Result<Response, Refused> {
    let mut changes = changes(&call.asked.body)?;
    if let Some(password) = changes.remove(PASSWORD) {
        let new = SecretString::from(password);
        rolls::begin_api(&call.service, &call.rack, Some(new), changes, asker(call)).await?;
        return Ok(plain("ok"));
    }
    if changes.is_empty() {
        return Err(PortError::NoChanges.into());
    }
    let last = call.service.store().rolls(&call.rack.id, 1).await?.pop();
    if last.is_some_and(|roll| roll.ended_at.is_none()) {
        return Err(Refused::Rack(PortError::Busy {
            what: format!("rack {}", call.rack.full_name()),
            status: "UPDATE_IN_PROGRESS".to_owned(),
        }));
    }
    let found = call.service.find_rack(&call.rack).await?;
    let names: Vec<_> = changes.keys().map(String::as_str).collect();
    let what = format!("Set parameters {}", names.join(", "));
    let work = found.rack.system.set_parameters(&changes);
    audited_as(call, "rack.parameters.set", &what, work).await
}

/// Reads which parameters are to be set: `parameters` holds a form within the form; `count` and
/// `type` are parameters too.
pub(super) fn changes(body: &[u8]) -> Result<BTreeMap<String, String>, Refused> {
    let mut changes = BTreeMap::new();
    for (field, value) in form_urlencoded::parse(body) {
        let name = match field.as_ref() {
            "parameters" => {
                let nested = form_urlencoded::parse(value.as_bytes());
                changes.extend(nested.into_owned());
                continue;
            }
            "count" => "InstanceCount",
            "type" => "InstanceType",
            "version" => {
                let told = "the console does not update racks: do it with the rack's own release";
                return Err(Refused::Bad(told.to_owned()));
            }
            _ => continue,
        };
        changes.insert(name.to_owned(), value.into_owned());
    }
    Ok(changes)
}

/// Says who asks for a roll.
pub(super) fn asker(call: &Call) -> Asker {
    Asker {
        person: Some(call.caller.person.id.clone()),
        actor: call.caller.actor(),
        request: Some(call.request.clone()),
    }
}

/// Has something done to a rack: the audit log tells it before it is done, and that it failed if
/// it did.
async fn audited_as(
    call: &Call,
    event: &str,
    what: &str,
    work: impl Future<Output = Result<(), PortError>> + Send,
) -> Result<Response, Refused> {
    let told = format!("{what} of {}", call.rack.full_name());
    note(call, event, &told).await?;
    match work.await {
        Ok(()) => Ok(plain("ok")),
        Err(error) => {
            let (event, told) = (format!("{event}.failed"), format!("{told} failed: {error}"));
            note(call, &event, &told).await?;
            Err(error.into())
        }
    }
}

/// Tells the audit log of the rack's organization what a call does.
pub(super) async fn note(call: &Call, event: &str, told: &str) -> Result<(), Refused> {
    let by = audited(call, call.caller.actor());
    let store = call.service.store();
    Ok(store.note(event, told, &[&call.rack.id], by).await?)
}

fn audited(call: &Call, actor: Actor) -> Audited {
    let (now, entropy) = (call.service.now(), call.service.entropy());
    Audited::new(&call.rack.workspace, actor, now, entropy).request(&call.request)
}
