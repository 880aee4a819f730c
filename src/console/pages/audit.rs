//! The audit log of an organization: filtered, page by page, and as a file of JSON lines.

use askama::Template;
use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};

use super::Visit;
use super::answer::{Wrong, page};
use super::frame::Frame;
use super::rack::may_change;
use super::words::Moment;
use crate::store::{AuditEvent, AuditFilter, Membership, StoreError};

/// How many lines are on a page.
const LINES: i64 = 100;
/// How many are read at once for a file.
const AT_ONCE: i64 = 500;

#[derive(Template)]
#[template(path = "audit.html")]
struct AuditPage<'a> {
    frame: Frame<'a>,
    organization: &'a str,
    organizations: Vec<&'a str>,
    who: &'a str,
    what: &'a str,
    lines: Vec<AuditLine>,
    older: Option<String>,
    query: String,
}

struct AuditLine {
    at: Moment,
    who: String,
    event: String,
    told: String,
    targets: String,
    request: String,
}

impl AuditLine {
    fn of(event: AuditEvent, now: i64) -> Self {
        let targets = event.targets.as_array().into_iter().flatten();
        let targets: Vec<_> = targets.filter_map(|target| target.as_str()).collect();
        Self {
            at: Moment::at(event.at, now),
            targets: targets.join(" "),
            request: event.meta["request"]
                .as_str()
                .unwrap_or_default()
                .to_owned(),
            who: event.actor,
            event: event.event,
            told: event.description,
        }
    }
}

/// Returns the organization whose log is asked for: of those whose log one may read, the first
/// where none is named.
fn organization_of(visit: &Visit) -> Result<&Membership, Wrong> {
    let visitor = visit.visitor()?;
    let membership = match visit.query.get("organization") {
        Some(name) => visit.membership(name)?,
        None => {
            let mut readable = readable(visitor);
            readable.next().ok_or(Wrong::Forbidden)?
        }
    };
    match may_change(membership.role) {
        true => Ok(membership),
        false => Err(Wrong::Forbidden),
    }
}

fn readable(visitor: &super::session::Visitor) -> impl Iterator<Item = &Membership> {
    let all = visitor.caller.memberships.iter();
    all.filter(|membership| may_change(membership.role))
}

fn filter_of(visit: &Visit) -> AuditFilter {
    let text = |name| visit.query.get(name).unwrap_or_default().to_owned();
    AuditFilter {
        who: text("who"),
        what: text("what"),
    }
}

/// Shows it, the newest line first.
pub(super) async fn show(visit: &Visit) -> Result<Response, Wrong> {
    let membership = organization_of(visit)?;
    let (store, now) = (visit.service().store(), visit.service().now());
    let before = visit.query.get("before").and_then(|text| {
        let (at, id) = text.split_once('-')?;
        Some((at.parse().ok()?, id.to_owned()))
    });
    let filter = filter_of(visit);
    let events = store.newest_audit_events(&membership.workspace, filter, before, LINES);
    let events = events.await?;
    let is_full = i64::try_from(events.len()).is_ok_and(|count| count == LINES);
    let last = events.last().filter(|_| is_full);
    let older = last.map(|event| format!("{}-{}", event.at, event.id));
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("organization", &membership.organization);
    for name in ["who", "what"] {
        if let Some(text) = visit.query.get(name) {
            query.append_pair(name, text);
        }
    }
    page(&AuditPage {
        frame: Frame::of(visit, "Audit log").within("audit"),
        organization: &membership.organization,
        organizations: readable(visit.visitor()?)
            .map(|it| it.organization.as_str())
            .collect(),
        who: visit.query.get("who").unwrap_or_default(),
        what: visit.query.get("what").unwrap_or_default(),
        lines: events
            .into_iter()
            .map(|event| AuditLine::of(event, now))
            .collect(),
        older,
        query: query.finish(),
    })
}

/// Sends it as JSON lines, the oldest first, as it is read.
pub(super) async fn export(visit: &Visit) -> Result<Response, Wrong> {
    let membership = organization_of(visit)?;
    let (store, workspace) = (
        visit.service().store().clone(),
        membership.workspace.clone(),
    );
    let filter = filter_of(visit);
    let lines = stream::unfold(Some(None), move |after| {
        let (store, workspace, filter) = (store.clone(), workspace.clone(), filter.clone());
        async move {
            let after: Option<(i64, String)> = after?;
            let events = store.audit_events(&workspace, after, AT_ONCE).await;
            let events = match events {
                Ok(events) => events,
                // The file ends in the middle, so that nobody takes it for whole.
                Err(error) => return Some((Err::<Bytes, StoreError>(error), None)),
            };
            let last = events.last()?;
            let next = Some((last.at, last.id.clone()));
            let kept = events.iter().filter(|event| filter.keeps(event));
            let text: String = kept.map(AuditEvent::to_json_line).collect();
            Some((Ok(Bytes::from(text)), Some(next)))
        }
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/jsonl; charset=utf-8"),
    );
    headers.insert(
        CONTENT_DISPOSITION,
        HeaderValue::from_static("attachment; filename=\"audit.jsonl\""),
    );
    Ok(response)
}
