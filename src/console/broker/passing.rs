//! A rack of which nothing but its API is reached: what is asked is passed on to it.
//!
//! What would change the rack's password, and what tells how the rack stands, is answered here.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::response::Response;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use secrecy::SecretString;

use super::answer::{Refused, plain};
use super::shapes::{RollShape, SystemShape};
use super::system::{self, PASSWORD, asker, note};
use super::{Call, LARGEST_BODY, socket, standing};
use crate::console::racks::FoundGateway;
use crate::console::rolls::{self, RackKeys};
use crate::console::service::Service;
use crate::rack::{Gateway, Pieces, PortError, Switched, SystemDescription, SystemInstance};
use crate::store::{RackRecord, RollRow};

/// How many of the two keys are tried in turn while one is replaced by the other: which of them
/// a rack takes may change with every request.
const TRIES: usize = 4;
/// The words by which a rack says that it would take an update.
const AT_REST: [&str; 2] = ["running", "converging"];

/// A rack's API, and the keys for it.
pub(super) struct Passing {
    found: FoundGateway,
    keys: RackKeys,
    rack: String,
}

/// Answers a call to such a rack, whose body has not come yet.
pub(super) async fn answer(
    call: &Call,
    body: Body,
    socket: Option<socket::Asked>,
) -> Result<Response, Refused> {
    let passing = Passing::new(&call.service, &call.rack).await?;
    let parts: Vec<&str> = call.asked.path.split('/').skip(1).collect();
    match (&call.asked.method, parts.as_slice(), socket) {
        (&Method::GET, _, Some(socket)) => passing.bridge(call, socket).await,
        (&Method::GET, ["system"], None) => passing.system(call).await,
        (&Method::PUT, ["system"], None) => passing.update(call, body).await,
        (&Method::POST, ["apps", _, "parameters"], None) => {
            let body = form(call, body).await?;
            // Racks of 2018 and before have the password of the rack there.
            let mut fields = form_urlencoded::parse(&body);
            if fields.any(|(name, _)| name == PASSWORD) {
                let told = "a rack's password is rolled with PUT /system, and not set";
                return Err(Refused::Bad(told.to_owned()));
            }
            passing.pass_on(call, Some(Body::from(body))).await
        }
        (&Method::POST, ["instances", "keyroll"], None) => {
            passing.is_at_rest(call).await?;
            passing.pass_on(call, Some(body)).await
        }
        (&Method::GET | &Method::HEAD, _, None) => passing.pass_on(call, None).await,
        _ => passing.pass_on(call, Some(body)).await,
    }
}

/// Describes such a rack; one that does not answer while a roll of its key is under way is told
/// by that.
///
/// # Errors
/// When it cannot be asked.
pub(super) async fn describe(
    service: &Service,
    rack: &RackRecord,
    last: Option<&RollRow>,
) -> Result<SystemDescription, Refused> {
    let passing = Passing::new(service, rack).await?;
    match passing.describe().await {
        Err(_) if is_under_way(last) => Ok(unheard(rack)),
        described => described,
    }
}

/// Lists the instances of such a rack.
///
/// # Errors
/// When it cannot be asked.
pub(super) async fn instances(
    service: &Service,
    rack: &RackRecord,
) -> Result<Vec<SystemInstance>, Refused> {
    let passing = Passing::new(service, rack).await?;
    for key in passing.tried() {
        let listed = passing.gateway().instances_with(key).await;
        if !is_not_let_in(&listed) {
            return listed.map_err(|error| passing.down(&error));
        }
    }
    Err(passing.not_let_in())
}

/// Tells whether a rack took another key than the one that it was asked with.
fn is_not_let_in<T>(answer: &Result<T, PortError>) -> bool {
    let refused = Some(401);
    matches!(answer, Err(PortError::Remote { status, .. }) if *status == refused)
}

/// Stands for what a rack would say if its API were not just restarted.
fn unheard(rack: &RackRecord) -> SystemDescription {
    SystemDescription {
        name: rack.name.clone(),
        status: AT_REST[0].to_owned(),
        ..SystemDescription::default()
    }
}

/// Tells whether somebody is at work on a roll, or goes on with it soon.
fn is_under_way(roll: Option<&RollRow>) -> bool {
    roll.is_some_and(|roll| roll.ended_at.is_none() && roll.report.is_none())
}

impl Passing {
    async fn new(service: &Service, rack: &RackRecord) -> Result<Self, Refused> {
        let rack_name = rack.full_name();
        let down = |why: String| Refused::Down(format!("rack {rack_name} cannot be asked: {why}"));
        let found = service.gateway(rack).await;
        let found = found.map_err(|error| down(error.to_string()))?;
        let keys = rolls::keys_of(service, rack).await;
        let keys = keys.map_err(|error| down(error.to_string()))?;
        let keys = keys.ok_or_else(|| down("the console has no password for it".to_owned()))?;
        Ok(Self {
            found,
            keys,
            rack: rack_name,
        })
    }

    fn gateway(&self) -> &dyn Gateway {
        self.found.gateway.as_ref()
    }

    fn down(&self, error: &PortError) -> Refused {
        Refused::Down(format!("rack {}: {error}", self.rack))
    }

    fn not_let_in(&self) -> Refused {
        Refused::Down(format!(
            "rack {} refuses the password that the console has for it",
            self.rack
        ))
    }

    /// Returns the keys in the order in which they are tried.
    fn tried(&self) -> impl Iterator<Item = &SecretString> {
        let tries = if self.keys.next.is_some() { TRIES } else { 1 };
        let both = std::iter::once(&self.keys.current).chain(&self.keys.next);
        both.collect::<Vec<_>>().into_iter().cycle().take(tries)
    }

    /// Finds out which key the rack takes just now, for what cannot be asked twice.
    async fn key(&self) -> Result<&SecretString, Refused> {
        if self.keys.next.is_none() {
            return Ok(&self.keys.current);
        }
        for key in self.tried() {
            let accepts = self.gateway().accepts(key).await;
            if accepts.map_err(|error| self.down(&error))? {
                return Ok(key);
            }
        }
        Err(self.not_let_in())
    }

    async fn describe(&self) -> Result<SystemDescription, Refused> {
        for key in self.tried() {
            let described = self.gateway().describe_with(key).await;
            if !is_not_let_in(&described) {
                return described.map_err(|error| self.down(&error));
            }
        }
        Err(self.not_let_in())
    }

    /// Passes a call on, with a body or without; what changes something is in the audit log.
    async fn pass_on(&self, call: &Call, body: Option<Body>) -> Result<Response, Refused> {
        let is_read = [Method::GET, Method::HEAD].contains(&call.asked.method);
        if is_read {
            return self.send(call, body).await;
        }
        let told = format!("{} of {}", what(call), self.rack);
        let event = event(call);
        note(call, event, &told).await?;
        let sent = self.send(call, body).await;
        let failed = match &sent {
            Ok(response)
                if !response.status().is_client_error() && !response.status().is_server_error() =>
            {
                None
            }
            Ok(response) => Some(format!("the rack answered {}", response.status().as_u16())),
            Err(error) => Some(error.to_string()),
        };
        if let Some(why) = failed {
            let (event, told) = (format!("{event}.failed"), format!("{told} failed: {why}"));
            note(call, &event, &told).await?;
        }
        sent
    }

    async fn send(&self, call: &Call, body: Option<Body>) -> Result<Response, Refused> {
        let has_body = body.is_some();
        let mut body = body.map(|body| body.into_data_stream().map_err(std::io::Error::other));
        let chosen = match has_body {
            true => vec![self.key().await?],
            false => self.tried().collect(),
        };
        for key in chosen {
            let pieces: Pieces = match body.take() {
                Some(body) => body.boxed(),
                None => futures_util::stream::empty().boxed(),
            };
            let mut request = call.asked.request(pieces);
            if !has_body {
                request.headers_mut().remove(CONTENT_LENGTH);
            }
            let sent = self.gateway().pass(key, request).await;
            let answer = sent.map_err(|error| self.down(&error))?;
            // Whoever asks is let in here, and so is not at fault.
            if answer.status() != StatusCode::UNAUTHORIZED {
                return Ok(answer.map(Body::from_stream));
            }
        }
        Err(self.not_let_in())
    }

    /// `GET /system`: what the rack says, unless a roll of its key has a word to say as well.
    async fn system(&self, call: &Call) -> Result<Response, Refused> {
        let store = call.service.store();
        let last = store.rolls(&call.rack.id, 1).await?.pop();
        let Some(last) = last else {
            return self.pass_on(call, None).await;
        };
        let word = async |own: &str| {
            let goes_back = last.ended_at.is_none() && store.goes_back(&last.id).await?;
            let now = call.service.now();
            Ok::<_, Refused>(standing::word(own, Some(&last), goes_back, now))
        };
        let answer = self.pass_on(call, None).await;
        let is_heard = matches!(&answer, Ok(answer) if answer.status() == StatusCode::OK);
        if !is_heard && is_under_way(Some(&last)) {
            let mut system = unheard(&call.rack);
            system.status = word(&system.status).await?;
            return Ok(super::answer::json(&SystemShape::of(system, Some(&last))));
        }
        let answer = answer?;
        if !is_heard {
            return Ok(answer);
        }
        let (head, body) = answer.into_parts();
        let bytes = axum::body::to_bytes(body, LARGEST_SYSTEM).await;
        let bytes = bytes.map_err(|error| Refused::Down(format!("rack {}: {error}", self.rack)))?;
        let Ok(mut system) = serde_json::from_slice::<BTreeMap<String, serde_json::Value>>(&bytes)
        else {
            return Ok(Response::from_parts(head, Body::from(bytes)));
        };
        let own = system.get("status").and_then(|word| word.as_str());
        let word = word(own.unwrap_or_default()).await?;
        system.insert("status".to_owned(), word.into());
        let roll = serde_json::to_value(RollShape::of(&last)).unwrap_or_default();
        system.insert("roll".to_owned(), roll);
        Ok(super::answer::json(&system))
    }

    /// `PUT /system`: a password is rolled, and everything else is the rack's affair.
    async fn update(&self, call: &Call, body: Body) -> Result<Response, Refused> {
        let body = form(call, body).await?;
        let mut changes = BTreeMap::new();
        for (field, value) in form_urlencoded::parse(&body) {
            if field == "parameters" {
                changes.extend(form_urlencoded::parse(value.as_bytes()).into_owned());
            }
        }
        if let Some(new) = changes.remove(PASSWORD) {
            // What else is in the form is set in the same update.
            let mut others = system::changes(&body)?;
            others.remove(PASSWORD);
            let (new, by) = (SecretString::from(new), asker(call));
            rolls::begin_api(&call.service, &call.rack, Some(new), others, by).await?;
            return Ok(plain("ok"));
        }
        self.is_free(call).await?;
        self.pass_on(call, Some(Body::from(body))).await
    }

    /// Refuses while a roll of the rack's key is at work.
    async fn is_free(&self, call: &Call) -> Result<(), Refused> {
        let last = call.service.store().rolls(&call.rack.id, 1).await?.pop();
        if is_under_way(last.as_ref()) {
            return Err(self.busy("UPDATE_IN_PROGRESS".to_owned()));
        }
        Ok(())
    }

    /// Refuses while the rack would replace its stored key and then be refused the update.
    async fn is_at_rest(&self, call: &Call) -> Result<(), Refused> {
        self.is_free(call).await?;
        let status = self.describe().await?.status;
        if !AT_REST.contains(&status.as_str()) {
            return Err(self.busy(status));
        }
        Ok(())
    }

    fn busy(&self, status: String) -> Refused {
        Refused::Rack(PortError::Busy {
            what: format!("rack {}", self.rack),
            status,
        })
    }

    /// Opens the same websocket at the rack, and carries whatever comes from one end to the other.
    async fn bridge(&self, call: &Call, socket: socket::Asked) -> Result<Response, Refused> {
        let place = socket::place(&call.service)?;
        let is_read = call.asked.path.ends_with("/logs");
        if !is_read {
            let told = format!("{} of {}", what(call), self.rack);
            note(call, event(call), &told).await?;
        }
        let request = call.asked.request(());
        let opened = self.gateway().switch(self.key().await?, request).await;
        match opened.map_err(|error| self.down(&error))? {
            Switched::Answered(answer) if answer.status() == StatusCode::UNAUTHORIZED => {
                Err(self.not_let_in())
            }
            Switched::Answered(answer) => Ok(answer.map(Body::from_stream)),
            Switched::Open(head, far) => Ok(socket.bridge(call, place, head, far)),
        }
    }
}

/// The largest description of a rack, in bytes.
const LARGEST_SYSTEM: usize = 8 << 20;

/// Reads a form whose fields nobody else can read otherwise: it is in the body, all of it, and of
/// the kind that racks read.
async fn form(call: &Call, body: Body) -> Result<axum::body::Bytes, Refused> {
    let service = &call.service;
    let body = tokio::select! {
        body = axum::body::to_bytes(body, LARGEST_BODY) => body.map_err(|_| Refused::TooLarge)?,
        () = service.clock().sleep(service.options().request_time) => return Err(Refused::Slow),
    };
    let kind = call
        .asked
        .headers
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    let kind = kind
        .unwrap_or_default()
        .split(|letter| *letter == b';')
        .next();
    let kind = kind.unwrap_or_default().trim_ascii();
    let is_form = kind.eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    let query = call.asked.uri.query().unwrap_or_default();
    if !query.is_empty() || !(is_form || body.is_empty()) {
        let told = "parameters are sent as a form (application/x-www-form-urlencoded)";
        return Err(Refused::Bad(told.to_owned()));
    }
    Ok(body)
}

/// Says what is asked, without what it is asked with: that may hold secrets.
fn what(call: &Call) -> String {
    format!("{} {}", call.asked.method, call.asked.path)
}

/// Names what is asked, as the audit log does for racks that are reached otherwise.
fn event(call: &Call) -> &'static str {
    let parts: Vec<&str> = call.asked.path.split('/').skip(1).collect();
    match (call.asked.method.as_str(), parts.as_slice()) {
        ("PUT", ["system"]) => "rack.parameters.set",
        ("POST", ["instances", "keyroll"]) => "rack.instances.keyroll",
        ("DELETE", ["instances", _]) => "rack.instance.terminate",
        ("GET", ["instances", _, "shell"]) => "rack.instance.shell",
        ("GET", [.., "exec"]) => "rack.process.exec",
        _ => "rack.request",
    }
}
