//! The rack API at the console's own address: what the classic command line asks of a rack and of
//! a console, answered for whichever rack the header `Rack` names.
//!
//! People authenticate with their account key as password; no client ever sees a rack's own.

mod account;
mod answer;
mod logs;
mod may;
mod passing;
mod plain;
mod shapes;
mod shell;
mod socket;
mod standing;
mod system;

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use http::{HeaderMap, Method, Request, Uri};
use tokio::task::JoinSet;

pub(super) use self::answer::request_id;
use self::answer::{Refused, json, plain, refused, unknown};
use self::may::may;
pub(super) use self::shapes::without_engine_hints;
use self::shapes::{AuthShape, RackShape};
pub(super) use self::system::{describe, instances};
use super::people::Caller;
use super::service::Service;
use crate::store::{RackKind, RackRecord, Role};

/// For how long a rack is waited for that is to be listed.
const LISTING: Duration = Duration::from_secs(20);
/// The largest body that a rack takes here, in bytes.
const LARGEST_BODY: usize = 1 << 20;

/// What is asked for.
struct Asked {
    method: Method,
    /// As it came.
    uri: Uri,
    /// Without escapes, where it was looked at already.
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Asked {
    /// Writes the same request again, with this body.
    fn request<T>(&self, body: T) -> Request<T> {
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// What is told to whoever has not said which rack is meant.
const NO_RACK: &str = "which rack? The header Rack says it, as in acme/prod; `convox switch` \
                       chooses one, and `-r` names one";

/// A rack, and who asks something of it.
struct Call {
    service: Service,
    caller: Caller,
    rack: RackRecord,
    asked: Asked,
    /// The request's id.
    request: String,
}

/// Answers whatever is not the key service's.
pub(super) async fn answer(service: Service, request: Request<Body>) -> Response {
    let id = answer::request_id(&service);
    let mut response = match take(&service, request, &id).await {
        Ok(response) => response,
        Err(error) => {
            if let Some(cause) = error.for_log() {
                service.log(&format!("{id}: {cause}"));
            }
            refused(&error)
        }
    };
    answer::tell_id(&mut response, &id);
    response
}

async fn take(service: &Service, request: Request<Body>, id: &str) -> Result<Response, Refused> {
    let (mut head, body) = request.into_parts();
    if head.method == Method::GET && head.uri.path() == "/check" {
        return Ok(plain("ok"));
    }
    let path = head.uri.path().to_owned();
    let is_of_account = path.starts_with("/account/");
    let is_of_console =
        is_of_account || path == "/auth" || path == "/racks" || path.starts_with("/racks/");
    let rack = answer::text_of(&head.headers, "rack");
    if !is_of_console && rack.is_none() {
        let is_known = answer::authenticate(service, &head.headers).await.is_ok();
        return match is_known {
            true => Err(Refused::NotFound(NO_RACK.to_owned())),
            false => Ok(unknown()),
        };
    }
    let caller = answer::authenticate(service, &head.headers).await?;
    let socket = socket::Asked::of(&mut head)?;
    let found = match &rack {
        Some(rack) if !is_of_console => Some(find(service, &caller, rack).await?),
        _ => None,
    };
    if let Some((rack, role)) = &found
        && rack.kind == RackKind::Api
    {
        let path = plain::plain(&path);
        let path = path.ok_or_else(|| Refused::Bad("the path has two readings".to_owned()))?;
        if !may(*role, &head.method, &path, socket.is_some()) {
            return Err(Refused::Forbidden);
        }
        let call = Call {
            service: service.clone(),
            caller,
            rack: rack.clone(),
            asked: Asked {
                method: head.method,
                uri: head.uri,
                path,
                headers: head.headers,
                body: Bytes::new(),
            },
            request: id.to_owned(),
        };
        return to_its_end(async move { passing::answer(&call, body, socket).await }).await;
    }
    let body = tokio::select! {
        body = axum::body::to_bytes(body, LARGEST_BODY) => body,
        () = service.clock().sleep(service.options().request_time) => return Err(Refused::Slow),
    };
    let asked = Asked {
        method: head.method,
        uri: head.uri,
        path,
        headers: head.headers,
        body: body.map_err(|_| Refused::TooLarge)?,
    };
    if is_of_account {
        return account::answer(service, &caller, &asked, id).await;
    }
    if is_of_console {
        return of_console(service, &caller, &asked).await;
    }
    let Some((rack, role)) = found else {
        return Ok(unknown());
    };
    if !may(role, &asked.method, &asked.path, socket.is_some()) {
        return Err(Refused::Forbidden);
    }
    let changes = asked.method != Method::GET;
    let call = Call {
        service: service.clone(),
        caller,
        rack,
        asked,
        request: id.to_owned(),
    };
    if !changes {
        return system::answer(&call, socket).await;
    }
    to_its_end(async move { system::answer(&call, None).await }).await
}

/// Has what was begun ended, and written down, whether the client is still there or not.
async fn to_its_end(
    work: impl Future<Output = Result<Response, Refused>> + Send + 'static,
) -> Result<Response, Refused> {
    tokio::spawn(work).await.unwrap_or(Err(Refused::Stopped))
}

/// Answers what is asked of the console itself.
async fn of_console(
    service: &Service,
    caller: &Caller,
    asked: &Asked,
) -> Result<Response, Refused> {
    if asked.method != Method::GET {
        return Ok(unknown());
    }
    match asked.path.as_str() {
        "/auth" => Ok(json(&AuthShape::of(&caller.person.id, &caller.person.name))),
        "/racks" => Ok(json(&racks(service, caller).await?)),
        path => {
            let name = path.strip_prefix("/racks/").unwrap_or_default();
            let (rack, _) = find(service, caller, name).await?;
            Ok(json(&listed(service.clone(), rack).await))
        }
    }
}

/// Finds a rack by the name that clients have for it, `organization/rack` or, where it is the only
/// one of that name, `rack`; and what the caller may do with it.
async fn find(
    service: &Service,
    caller: &Caller,
    name: &str,
) -> Result<(RackRecord, Role), Refused> {
    if let Some((organization, rack)) = name.split_once('/') {
        // Whoever does not belong there is told no more than who asks for what is not there.
        let membership = caller.membership(organization);
        let membership = membership.ok_or_else(|| Refused::no_rack(name))?;
        let found = service.store().rack_called(&membership.workspace, rack);
        let found = found.await.map_err(|error| Refused::of_rack(error, name))?;
        return Ok((found, membership.role));
    }
    let mut found = Vec::new();
    for membership in &caller.memberships {
        let rack = service.store().rack_called(&membership.workspace, name);
        match rack.await.map_err(|error| Refused::of_rack(error, name)) {
            Ok(rack) => found.push((rack, membership.role)),
            Err(Refused::NotFound(_)) => {}
            Err(error) => return Err(error),
        }
    }
    if found.len() > 1 {
        return Err(Refused::Ambiguous(name.to_owned()));
    }
    found.pop().ok_or_else(|| Refused::no_rack(name))
}

/// Lists the racks of everywhere that the caller belongs to, with how each stands.
async fn racks(service: &Service, caller: &Caller) -> Result<Vec<RackShape>, Refused> {
    let mut asking = JoinSet::new();
    let mut places = 0_usize;
    for membership in &caller.memberships {
        for rack in service.store().racks(&membership.workspace).await? {
            let (service, place) = (service.clone(), places);
            asking.spawn(async move { (place, listed(service, rack).await) });
            places += 1;
        }
    }
    let mut racks = asking.join_all().await;
    racks.sort_by_key(|(place, _)| *place);
    Ok(racks.into_iter().map(|(_, rack)| rack).collect())
}

async fn listed(service: Service, rack: RackRecord) -> RackShape {
    let described = tokio::select! {
        described = system::describe(&service, &rack) => described.ok(),
        // One that does not answer keeps nobody from the others.
        () = service.clock().sleep(LISTING) => None,
    };
    RackShape::of(&rack, described.map(|(system, _)| system))
}
