//! How a rack answers: JSON with two spaces, and errors as plain text.

use axum::body::Body;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::console::people::Caller;
use crate::console::rolls::NotBegun;
use crate::console::service::Service;
use crate::rack::PortError;
use crate::store::{StoreError, Thing};

const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why something is not done.
#[derive(Debug, thiserror::Error)]
pub(in crate::console) enum Refused {
    /// Nobody has that key.
    #[error("invalid authentication")]
    Unauthenticated,
    /// The caller's role does not allow it. The classic answers 401 as well.
    #[error("you are unauthorized to access this")]
    Forbidden,
    /// A page of another origin asks. The classic's words.
    #[error("Forbidden\nERROR: websocket: request origin not allowed by Upgrader.CheckOrigin")]
    Origin,
    #[error("the request is too large")]
    TooLarge,
    #[error("the request took too long")]
    Slow,
    /// There are as many websockets as there may be.
    #[error("too many websockets are open")]
    Full,
    #[error("{0}")]
    NotFound(String),
    #[error("{0} is the name of several racks: put the organization before it, as in acme/{0}")]
    Ambiguous(String),
    /// What is asked for cannot be meant.
    #[error("{0}")]
    Bad(String),
    /// It does not fit how things stand.
    #[error("{0}")]
    Conflict(String),
    /// The rack does not do it.
    #[error("{}", in_classic_words(.0))]
    Rack(PortError),
    /// The rack's own API does not answer as it should.
    #[error("{0}")]
    Down(String),
    /// A roll has not begun.
    #[error("{0}")]
    Roll(NotBegun),
    /// The server is about to stop, or it is broken.
    #[error("the server stopped doing it")]
    Stopped,
    /// The console's own database does not do what it should.
    #[error("the server could not do it; its log says why")]
    Store(StoreError),
}

impl Refused {
    pub(super) fn no_rack(name: &str) -> Self {
        Self::NotFound(format!("no such rack: {name}"))
    }

    /// Says why a rack of that name is not found.
    pub(super) fn of_rack(error: StoreError, name: &str) -> Self {
        match error {
            StoreError::NotFoundCalled(Thing::Rack, _) => Self::no_rack(name),
            error => Self::Store(error),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthenticated | Self::Forbidden => StatusCode::UNAUTHORIZED,
            Self::Origin => StatusCode::FORBIDDEN,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Full => StatusCode::SERVICE_UNAVAILABLE,
            Self::Down(_) => StatusCode::BAD_GATEWAY,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Ambiguous(_) | Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Rack(error) if error.is_not_found() => StatusCode::NOT_FOUND,
            Self::Roll(_) | Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Rack(_) | Self::Store(_) | Self::Stopped => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns what the log says of it, if that is the server's affair.
    pub(super) fn for_log(&self) -> Option<String> {
        match self {
            Self::Store(error) => Some(error.to_string()),
            _ => None,
        }
    }
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unfit(told) => Self::Bad(told),
            StoreError::Refused(refusal) => Self::Conflict(refusal.to_string()),
            error => Self::Store(error),
        }
    }
}

impl From<PortError> for Refused {
    fn from(error: PortError) -> Self {
        Self::Rack(error)
    }
}

impl From<NotBegun> for Refused {
    fn from(error: NotBegun) -> Self {
        match error {
            NotBegun::Store(error) => error.into(),
            NotBegun::Rack(error) => error.into(),
            // What CloudFormation says of a value that is there already.
            NotBegun::Refused(refusal) if refusal.is_unchanged() => PortError::NoChanges.into(),
            error => Self::Roll(error),
        }
    }
}

/// Finds out who asks: whoever has the account key that stands for a password. The name is anyone's.
pub(super) async fn authenticate(
    service: &Service,
    headers: &HeaderMap,
) -> Result<Caller, Refused> {
    let password = password_of(headers).ok_or(Refused::Unauthenticated)?;
    let caller = service.caller(&password).await?;
    caller.ok_or(Refused::Unauthenticated)
}

fn password_of(headers: &HeaderMap) -> Option<SecretString> {
    let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let pair = std::str::from_utf8(&pair).ok()?;
    let (_, password) = pair.split_once(':')?;
    (!password.is_empty()).then(|| SecretString::from(password))
}

/// Reads a header that is there once and is no empty text.
pub(super) fn text_of(headers: &HeaderMap, name: &str) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Makes a request's id, as racks do: 12 hexadecimal digits.
pub(in crate::console) fn request_id(service: &Service) -> String {
    format!("{:012x}", service.entropy().next_u64() >> 16)
}

/// Puts the request's id on an answer.
pub(super) fn tell_id(response: &mut Response, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert("request-id", id);
    }
}

/// Answers with a line of text.
pub(super) fn plain(text: &str) -> Response {
    respond(StatusCode::OK, TEXT, format!("{text}\n"))
}

/// Answers with JSON as racks write it.
pub(super) fn json(body: &impl Serialize) -> Response {
    // Writing to memory never fails.
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    text.push('\n');
    respond(StatusCode::OK, JSON, text)
}

/// Answers what there is nothing at: an empty 404, whatever the method.
pub(super) fn unknown() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

/// Says why something is not done.
pub(super) fn refused(error: &Refused) -> Response {
    let mut response = respond(error.status(), TEXT, format!("{error}\n"));
    let headers = response.headers_mut();
    headers.insert(
        "x-content-type-options",
        HeaderValue::from_static("nosniff"),
    );
    response
}

fn respond(status: StatusCode, kind: HeaderValue, text: String) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// Says what went wrong as a classic rack passes it on, where clients look for its words.
fn in_classic_words(error: &PortError) -> String {
    match error {
        PortError::NoChanges => {
            "ValidationError: No updates are to be performed.\n\tstatus code: 400".to_owned()
        }
        PortError::Busy { what, status } => format!(
            "ValidationError: {what} is in {status} state and can not be updated.\n\tstatus code: 400"
        ),
        error => error.to_string(),
    }
}
