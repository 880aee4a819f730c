//! The pages: what a person sees of racks, rolls and keys in a browser.
//!
//! They are made here and work without a script, but for what changes by itself. Whoever is signed
//! in has a cookie; the calls of the command lines carry a header, and are the broker's.

mod account;
mod answer;
mod apis;
mod audit;
mod files;
mod form;
mod frame;
mod key;
mod keys;
mod plan;
mod rack;
mod racks;
mod roll;
mod session;
mod sight;
mod sign_in;
mod story;
mod words;

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::AUTHORIZATION;
use http::{Method, Request};

use self::answer::{Wrong, go_to, see_other};
use self::form::Fields;
use self::session::Visitor;
use self::sight::{Description, Instances, Sights};
use super::broker::request_id;
use super::passwords::Passwords;
use super::service::Service;
use crate::store::Membership;

/// The largest form that is taken, in bytes.
const LARGEST_FORM: usize = 64 << 10;

/// What the first part of a page's path may be.
const FIRST: [&str; 10] = [
    "", "sign-in", "sign-out", "account", "rack", "rolls", "keys", "key", "audit", "files",
];

/// What all pages work with.
pub(super) struct Pages {
    service: Service,
    passwords: Passwords,
    descriptions: Sights<Description>,
    instances: Sights<Instances>,
}

/// Somebody asks for a page, or sends a form.
struct Visit {
    pages: Arc<Pages>,
    method: Method,
    /// The parts of the path, decoded.
    path: Vec<String>,
    query: Fields,
    form: Fields,
    /// Who is signed in.
    visitor: Option<Visitor>,
    /// The scheme of the address that the browser has, as far as is known.
    is_encrypted: bool,
    /// The request's id.
    request: String,
}

impl Pages {
    pub(super) fn new(service: &Service) -> Self {
        Self {
            service: service.clone(),
            passwords: Passwords::new(service.entropy().clone()),
            descriptions: Sights::default(),
            instances: Sights::default(),
        }
    }

    /// Tells whether a request is one of a browser for a page.
    pub(super) fn is_for(request: &Request<Body>) -> bool {
        let headers = request.headers();
        if headers.contains_key(AUTHORIZATION) || headers.contains_key("rack") {
            return false;
        }
        let first = request.uri().path().split('/').nth(1).unwrap_or_default();
        FIRST.contains(&first)
    }

    /// Answers it.
    pub(super) async fn answer(self: Arc<Self>, request: Request<Body>) -> Response {
        if let Some(file) = files::answer(request.method(), request.uri().path()) {
            return file;
        }
        let id = request_id(&self.service);
        let asked = request.uri().to_string();
        let is_read = request.method() == Method::GET;
        let is_live = request.headers().contains_key("hx-request");
        let (signed_in, result) = match Visit::of(self.clone(), request, id.clone()).await {
            Ok(visit) => (visit.visitor.clone(), answer(visit).await),
            Err(wrong) => (None, Err(wrong)),
        };
        let mut response = match result {
            Ok(response) => response,
            Err(Wrong::SignedOut) => {
                let to = if is_read { asked.as_str() } else { "/" };
                let address = sign_in::address(to);
                if is_live {
                    go_to(&address)
                } else {
                    see_other(&address)
                }
            }
            Err(wrong) => {
                if let Some(cause) = wrong.for_log() {
                    self.service.log(&format!("{id}: {cause}"));
                }
                wrong.page(signed_in.as_ref(), &id)
            }
        };
        answer::guard(&mut response, &id);
        response
    }
}

async fn answer(visit: Visit) -> Result<Response, Wrong> {
    let path = visit.path.clone();
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let is_read = visit.method == Method::GET;
    if !is_read && visit.method != Method::POST {
        return Err(Wrong::NotFound);
    }
    match (is_read, path.as_slice()) {
        (true, [""]) => racks::show(&visit).await,
        (true, ["sign-in"]) => sign_in::show(&visit),
        (false, ["sign-in"]) => sign_in::sign_in(&visit).await,
        (false, ["sign-out"]) => sign_in::sign_out(&visit).await,
        (true, ["account"]) => account::show(&visit).await,
        (false, ["account", what]) => account::change(visit, what).await,
        (true, ["rack", organization, name]) => rack::show(&visit, organization, name).await,
        (true, ["rack", organization, name, "roll", kind]) => {
            plan::show(&visit, organization, name, kind).await
        }
        (false, ["rack", organization, name, "roll", kind]) => {
            plan::begin(visit, organization, name, kind).await
        }
        (false, ["rack", organization, name, "schedule", kind]) => {
            rack::set_schedule(&visit, organization, name, kind).await
        }
        (true, ["rolls", id]) => roll::show(&visit, id).await,
        (false, ["rolls", id, what]) => roll::change(&visit, id, what).await,
        (true, ["keys"]) => apis::show(&visit).await,
        (false, ["keys", organization]) => apis::create(&visit, organization).await,
        (true, ["keys", organization, api]) => keys::show(&visit, organization, api).await,
        (false, ["keys", organization, api]) => keys::create(&visit, organization, api).await,
        (true, ["key", organization, id]) => key::show(&visit, organization, id).await,
        (false, ["key", organization, id, what]) => {
            key::change(&visit, organization, id, what).await
        }
        (true, ["audit"]) => audit::show(&visit).await,
        (true, ["audit", "export"]) => audit::export(&visit).await,
        _ => {
            visit.visitor()?;
            Err(Wrong::NotFound)
        }
    }
}

impl Visit {
    async fn of(pages: Arc<Pages>, request: Request<Body>, id: String) -> Result<Self, Wrong> {
        let (head, body) = request.into_parts();
        let is_read = head.method == Method::GET;
        if !is_read {
            form::is_from_here(&head.headers)?;
        }
        let service = &pages.service;
        let body = tokio::select! {
            body = axum::body::to_bytes(body, LARGEST_FORM) => body.map_err(|_| Wrong::TooLarge)?,
            () = service.clock().sleep(service.options().request_time) => return Err(Wrong::Slow),
        };
        let visitor = session::visitor(service, &head.headers).await?;
        let path = head.uri.path().split('/').skip(1).map(form::decoded);
        Ok(Self {
            method: head.method,
            path: path.collect(),
            query: Fields::read(head.uri.query().unwrap_or_default().as_bytes()),
            form: Fields::read(&body),
            visitor,
            is_encrypted: form::is_encrypted(&head.headers),
            request: id,
            pages,
        })
    }

    fn service(&self) -> &Service {
        &self.pages.service
    }

    /// Returns who is signed in.
    ///
    /// # Errors
    /// When nobody is.
    fn visitor(&self) -> Result<&Visitor, Wrong> {
        self.visitor.as_ref().ok_or(Wrong::SignedOut)
    }

    /// Returns how they belong to the organization of that name.
    ///
    /// # Errors
    /// Whoever does not is told no more than who asks for what is not there.
    fn membership(&self, organization: &str) -> Result<&Membership, Wrong> {
        let membership = self.visitor()?.caller.membership(organization);
        membership.ok_or(Wrong::NotFound)
    }
}
