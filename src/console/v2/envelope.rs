//! What every answer is wrapped in.

use axum::body::Body;
use axum::response::Response;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Serialize;
use utoipa::ToSchema;

use super::error::{ApiError, FieldError, Kind};
use crate::console::service::Service;
use crate::keys::{IdKind, new_id};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const PROBLEM: HeaderValue = HeaderValue::from_static("application/problem+json");

/// How many bytes most answers have at most.
const USUAL: usize = 1024;

/// What an operation answers. There is no `Debug` of it: it may hold a secret.
pub(super) enum Reply<T> {
    /// Data.
    Data(T),
    /// A page of a list, and where the next one begins.
    Page(T, Option<String>),
    /// Nothing but that it is done.
    Done,
    /// Data that was answered before, as JSON.
    Again(serde_json::Value),
}

/// What is known of a request whatever becomes of it.
pub(super) struct Envelope {
    request_id: String,
    wants_problem: bool,
}

impl Envelope {
    pub(super) fn new(service: &Service, headers: &HeaderMap) -> Self {
        let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
        let wants_problem = accept.is_some_and(|accept| {
            accept.split(',').any(|kind| {
                let kind = kind.split(';').next().unwrap_or_default().trim();
                ["application/problem+json", "application/*", "*/*"].contains(&kind)
            })
        });
        Self {
            request_id: new_id(IdKind::Request, service.now(), service.entropy()),
            wants_problem,
        }
    }

    /// Returns the request's id, by which the server's log knows it.
    pub(super) fn request_id(&self) -> &str {
        &self.request_id
    }
}

/// About the request.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Meta<'a> {
    /// The request's id, by which the server's log knows it.
    #[serde(rename = "requestId")]
    request_id: &'a str,
}

/// Where a list goes on.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Pagination {
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Whether there is a next page.
    #[serde(rename = "hasMore")]
    has_more: bool,
}

#[derive(Serialize)]
struct Success<'a, T> {
    meta: Meta<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pagination: Option<Pagination>,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ErrorBody<'a> {
    title: &'static str,
    detail: &'a str,
    status: u16,
    #[serde(rename = "type")]
    kind: String,
    /// What is wrong with which part of the request; with every 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<&'a [FieldError]>,
}

#[derive(Serialize)]
struct Failure<'a> {
    meta: Meta<'a>,
    error: ErrorBody<'a>,
}

/// Writes an answer.
pub(super) fn render<T: Serialize>(
    envelope: &Envelope,
    result: Result<Reply<T>, ApiError>,
) -> Response {
    let meta = || Meta {
        request_id: &envelope.request_id,
    };
    let success = |data, pagination| Success {
        meta: meta(),
        data,
        pagination,
    };
    match result {
        Ok(Reply::Data(data)) => respond(200, JSON, &success(Some(data), None)),
        Ok(Reply::Page(data, cursor)) => {
            let pagination = Pagination {
                has_more: cursor.is_some(),
                cursor,
            };
            respond(200, JSON, &success(Some(data), Some(pagination)))
        }
        Ok(Reply::Done) => respond(200, JSON, &success(None, None)),
        Ok(Reply::Again(data)) => {
            let again = Success {
                meta: meta(),
                data: Some(data),
                pagination: None,
            };
            respond(200, JSON, &again)
        }
        Err(error) => failure(envelope, &error),
    }
}

fn failure(envelope: &Envelope, error: &ApiError) -> Response {
    let status = error.kind.status;
    let body = Failure {
        meta: Meta {
            request_id: &envelope.request_id,
        },
        error: ErrorBody {
            title: error.kind.title,
            detail: &error.detail,
            status,
            kind: error.type_url(),
            errors: (status == 400).then_some(error.errors.as_slice()),
        },
    };
    // Both official clients know a 429 by this type only.
    let is_problem =
        error.kind == Kind::RATE_LIMITED || (envelope.wants_problem && !error.of_schema);
    let kind = if is_problem { PROBLEM } else { JSON };
    respond(status, kind, &body)
}

fn respond(status: u16, kind: HeaderValue, body: &impl Serialize) -> Response {
    let mut bytes = Vec::with_capacity(USUAL);
    // Writing to memory never fails.
    let _ = serde_json::to_writer(&mut bytes, body);
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}
