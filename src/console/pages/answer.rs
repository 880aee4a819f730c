//! How a page is answered, and what is said where there is none.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, StatusCode};

use super::frame::Frame;
use super::session::Visitor;
use crate::console::passwords::BadPassword;
use crate::console::rolls::NotBegun;
use crate::rack::PortError;
use crate::roll::Refusal;
use crate::store::{StoreError, Thing};

/// What a browser may load for a page, and where it may send forms: nothing but ours.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// Why a page is not shown, or something is not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Wrong {
    /// Nobody is signed in.
    #[error("Sign in first.")]
    SignedOut,
    /// It was not one of our pages that had the form sent.
    #[error("This form was sent from elsewhere.")]
    Elsewhere,
    /// There is no such page, or nothing that whoever asks may know of.
    #[error("There is nothing here.")]
    NotFound,
    /// Their role does not allow it.
    #[error("Your role does not allow this.")]
    Forbidden,
    #[error("The form is too large.")]
    TooLarge,
    #[error("The form took too long to arrive.")]
    Slow,
    #[error("Too many passwords were tried. Wait a few minutes, or sign in with an account key.")]
    TooOften,
    /// A field is not what it should be.
    #[error("{0}")]
    Bad(String),
    /// It does not fit how things stand.
    #[error("{0}")]
    Conflict(String),
    /// The rack does not do it.
    #[error("The rack does not do it: {0}")]
    Rack(PortError),
    /// The server is about to stop, or it is broken.
    #[error("The server stopped doing it.")]
    Stopped,
    /// The console's own database does not do what it should.
    #[error("The server could not do it; its log says why.")]
    Store(StoreError),
}

impl Wrong {
    fn status(&self) -> StatusCode {
        match self {
            Self::SignedOut => StatusCode::UNAUTHORIZED,
            Self::Elsewhere | Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::TooOften => StatusCode::TOO_MANY_REQUESTS,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Rack(_) => StatusCode::BAD_GATEWAY,
            Self::Stopped | Self::Store(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns what the log says of it, if that is the server's affair.
    pub(super) fn for_log(&self) -> Option<String> {
        match self {
            Self::Store(error) => Some(error.to_string()),
            _ => None,
        }
    }

    /// Makes the page that says so.
    pub(super) fn page(&self, visitor: Option<&Visitor>, request: &str) -> Response {
        let shown = WrongPage {
            frame: Frame::for_visitor(visitor, "That did not work"),
            told: self.to_string(),
            request,
        };
        let text = shown.render().unwrap_or_else(|_| self.to_string());
        let mut response = html(text);
        *response.status_mut() = self.status();
        response
    }
}

#[derive(Template)]
#[template(path = "wrong.html")]
struct WrongPage<'a> {
    frame: Frame<'a>,
    told: String,
    request: &'a str,
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(Thing::Roll | Thing::Key | Thing::Api | Thing::Rack)
            | StoreError::NotFoundCalled(..) => Self::NotFound,
            StoreError::Unfit(told) => Self::Bad(told),
            StoreError::Refused(refusal) => Self::Conflict(refusal.to_string()),
            error => Self::Store(error),
        }
    }
}

impl From<PortError> for Wrong {
    fn from(error: PortError) -> Self {
        Self::Rack(error)
    }
}

impl From<Refusal> for Wrong {
    fn from(refusal: Refusal) -> Self {
        Self::Conflict(refusal.to_string())
    }
}

impl From<NotBegun> for Wrong {
    fn from(error: NotBegun) -> Self {
        match error {
            NotBegun::Store(error) => error.into(),
            NotBegun::Rack(error) => error.into(),
            NotBegun::Stopped => Self::Stopped,
            error => Self::Conflict(error.to_string()),
        }
    }
}

impl From<BadPassword> for Wrong {
    fn from(error: BadPassword) -> Self {
        match error {
            BadPassword::Busy => Self::TooOften,
            BadPassword::Failed(told) => Self::Store(StoreError::Database(told)),
            error => Self::Bad(error.to_string()),
        }
    }
}

/// Shows a page.
///
/// # Errors
/// When it cannot be written.
pub(super) fn page(template: &impl Template) -> Result<Response, Wrong> {
    template.render().map(html).map_err(|_| Wrong::Stopped)
}

fn html(text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Has the browser show another page.
pub(super) fn see_other(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    response
}

/// Has what loads parts of a live page show another page in its place.
pub(super) fn go_to(to: &str) -> Response {
    let mut response = Response::new(Body::empty());
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert("hx-redirect", to);
    response
}

/// Puts on an answer what keeps browsers from doing others' work with it, or keeping it.
pub(super) fn guard(response: &mut Response, request: &str) {
    let headers = response.headers_mut();
    let mut put = |name: &'static str, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    put("content-security-policy", POLICY);
    put("x-content-type-options", "nosniff");
    put("x-frame-options", "DENY");
    // Our own forms have to say where they come from.
    put("referrer-policy", "same-origin");
    put("cross-origin-opener-policy", "same-origin");
    put("cross-origin-resource-policy", "same-origin");
    put(
        "permissions-policy",
        "camera=(), geolocation=(), microphone=()",
    );
    put(CACHE_CONTROL.as_str(), "no-store");
    if let Ok(id) = HeaderValue::from_str(request) {
        headers.insert("request-id", id);
    }
}
