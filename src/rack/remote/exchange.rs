//! One request and its answer: headers, bounds, repetition, the session challenge.

use std::error::Error;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{
    CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT,
    WWW_AUTHENTICATE,
};
use reqwest::{Method, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::client::Remote;
use super::error::{RemoteError, timed_out};

type Result<T> = std::result::Result<T, RemoteError>;

/// No answer of a rack comes near this, in bytes.
const LIMIT: usize = 8 << 20;

/// How long the pause before the second attempt is; each one after it is twice as long.
const BACKOFF: Duration = Duration::from_millis(500);

/// A request of the dialect.
#[derive(Debug, Clone)]
pub(super) struct Request<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    /// An encoded form; without one the body is empty.
    pub(super) form: Option<String>,
    /// In place of the endpoint's own.
    pub(super) password: Option<&'a SecretString>,
    /// A login names neither a rack nor a session.
    pub(super) is_login: bool,
}

impl<'a> Request<'a> {
    pub(super) fn new(method: Method, path: &'a str) -> Self {
        Self {
            method,
            path,
            form: None,
            password: None,
            is_login: false,
        }
    }

    pub(super) fn get(path: &'a str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(super) fn form(mut self, form: String) -> Self {
        self.form = Some(form);
        self
    }
}

/// `Session path="/P" token="true|false"` of a 401.
#[derive(Debug, PartialEq, Eq)]
struct Challenge {
    path: String,
    needs_key: bool,
}

/// What answers a challenge without a security key.
#[derive(Deserialize)]
struct SessionAnswer {
    id: String,
}

impl Remote {
    /// Sends a request and returns the body of its answer.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Vec<u8>> {
        let mut challenged = false;
        loop {
            let response = self.repeat(request).await?;
            match challenge(&response) {
                Some(_) if challenged => {
                    return Err(RemoteError::SessionRefused {
                        host: self.host().to_owned(),
                    });
                }
                Some(challenge) => {
                    challenged = true;
                    self.answer(&challenge).await?;
                }
                None => return self.finish(request, response).await,
            }
        }
    }

    /// Sends a request and reads its answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T> {
        let body = self.send(request).await?;
        self.parse(request, &body)
    }

    pub(super) fn parse<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        body: &[u8],
    ) -> Result<T> {
        // The library's own words may repeat a value, and a value may be a secret.
        let error = match serde_json::from_slice(body) {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        let what = match std::str::from_utf8(body) {
            Err(_) => "bytes that are not text",
            Ok(text) if text.trim().is_empty() => "nothing",
            Ok(text) if is_html(text) => "a web page",
            Ok(_) if error.is_eof() => "JSON that ends too early",
            Ok(_) if error.is_data() => "JSON that is not what was asked for",
            Ok(_) => "text that is not JSON",
        };
        Err(self.not_a_rack(request, what))
    }

    pub(super) fn not_a_rack(&self, request: &Request<'_>, what: &str) -> RemoteError {
        RemoteError::NotARack {
            host: self.host().to_owned(),
            request: name_of(request),
            what: what.to_owned(),
        }
    }

    /// Answers a challenge, and keeps the session.
    async fn answer(&self, challenge: &Challenge) -> Result<()> {
        if challenge.needs_key {
            return Err(RemoteError::SecurityKey {
                host: self.host().to_owned(),
            });
        }
        let request = Request::new(Method::POST, &challenge.path);
        let response = self.repeat(&request).await?;
        let body = self.finish(&request, response).await?;
        let session: SessionAnswer = self.parse(&request, &body)?;
        if session.id.is_empty() || HeaderValue::from_str(&session.id).is_err() {
            return Err(self.not_a_rack(&request, "a session that cannot be used"));
        }
        self.set_session(&session.id);
        Ok(())
    }

    /// Makes an attempt, and more if that is safe: always where nothing was sent, and for a GET
    /// also where the answer was lost or a load balancer had nobody to ask.
    async fn repeat(&self, request: &Request<'_>) -> Result<Response> {
        let is_safe = request.method == Method::GET;
        let mut pause = BACKOFF;
        let mut left = self.0.options.attempts;
        loop {
            left = left.saturating_sub(1);
            let result = self.attempt(request).await;
            let again = match &result {
                Ok(response) => is_safe && matches!(response.status().as_u16(), 502..=504),
                Err(RemoteError::Unreachable { .. }) => true,
                Err(RemoteError::Unanswered { .. }) => is_safe,
                Err(_) => false,
            };
            if !again || left == 0 {
                return result;
            }
            self.0.clock.sleep(pause).await;
            pause *= 2;
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Response> {
        let mut headers = self.identity(request.password, request.is_login)?;
        let kind = match &request.form {
            Some(_) => "application/x-www-form-urlencoded",
            None => "application/octet-stream",
        };
        headers.push(("accept", HeaderValue::from_static("*/*")));
        headers.push(("content-type", HeaderValue::from_static(kind)));
        let has_body = [Method::POST, Method::PUT].contains(&request.method);
        let length = request.form.as_ref().map_or(0, String::len);
        let headers = self.compose(headers, has_body.then_some(length))?;
        let url = self.url(request.path, true);
        let mut builder = self.0.client.request(request.method.clone(), url);
        if let Some(form) = &request.form {
            builder = builder.body(form.clone());
        }
        let sent = builder.headers(headers).send().await;
        sent.map_err(|error| self.failed(&name_of(request), &error))
    }

    /// Returns the headers that say who asks, and about which rack.
    pub(super) fn identity(
        &self,
        password: Option<&SecretString>,
        is_login: bool,
    ) -> Result<Vec<(&'static str, HeaderValue)>> {
        let endpoint = &self.0.endpoint;
        let password = password.unwrap_or(endpoint.password()).expose_secret();
        let pair = Zeroizing::new(format!("{}:{password}", endpoint.username()));
        let basic = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
        let mut basic = value("the password", &basic)?;
        basic.set_sensitive(true);
        // Why it is `dev`, `mod.rs` says.
        let version = HeaderValue::from_static("dev");
        let mut headers = vec![("authorization", basic), ("version", version)];
        if !is_login && let Some(rack) = endpoint.rack() {
            headers.push(("rack", value("the name of the rack", rack)?));
        }
        let session = self.session();
        if !is_login || session.is_some() {
            let mut session = value("the session", &session.unwrap_or_default())?;
            session.set_sensitive(true);
            headers.push(("session", session));
        }
        Ok(headers)
    }

    /// Puts headers in the order that the classic sends them in: three in front, the others by
    /// name.
    pub(super) fn compose(
        &self,
        mut headers: Vec<(&'static str, HeaderValue)>,
        length: Option<usize>,
    ) -> Result<HeaderMap> {
        headers.sort_by_key(|(name, _)| *name);
        let mut composed = HeaderMap::new();
        composed.insert(HOST, value("the host", self.host())?);
        composed.insert(USER_AGENT, HeaderValue::from_static("convox.go/dev"));
        if let Some(length) = length {
            composed.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        for (name, value) in headers {
            composed.insert(HeaderName::from_static(name), value);
        }
        Ok(composed)
    }

    /// Returns the address of a path. The classic ends each in a question mark.
    pub(super) fn url(&self, path: &str, question: bool) -> String {
        let question = if question && !path.contains('?') {
            "?"
        } else {
            ""
        };
        format!("{}{path}{question}", self.0.endpoint.url())
    }

    /// Reads an answer to its end, and tells success from failure.
    pub(super) async fn finish(
        &self,
        request: &Request<'_>,
        response: Response,
    ) -> Result<Vec<u8>> {
        let status = response.status();
        if status.is_redirection() {
            return Err(self.redirected(request, &response));
        }
        let body = self.body(request, response).await?;
        if status.is_success() {
            return Ok(body);
        }
        let message = said(status.as_u16(), &body);
        Err(match status.as_u16() {
            401 => RemoteError::Unauthorized {
                host: self.host().to_owned(),
                message,
            },
            status => RemoteError::Refused { status, message },
        })
    }

    /// Reads a body, unpacked, but not more than any rack would send.
    async fn body(&self, request: &Request<'_>, mut response: Response) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.failed(&name_of(request), &error))?;
            let Some(chunk) = chunk else {
                return Ok(body);
            };
            if body.len() + chunk.len() > LIMIT {
                return Err(RemoteError::TooLong {
                    host: self.host().to_owned(),
                    request: name_of(request),
                    limit: LIMIT,
                });
            }
            body.extend_from_slice(&chunk);
        }
    }

    fn redirected(&self, request: &Request<'_>, response: &Response) -> RemoteError {
        let location = response.headers().get(LOCATION);
        let location = location.and_then(|value| value.to_str().ok()).unwrap_or("");
        // What follows the path may be somebody's token.
        let target = response.url().join(location);
        let location = target.map_or_else(
            |_| "nowhere".to_owned(),
            |url| format!("{}{}", url.host_str().unwrap_or_default(), url.path()),
        );
        RemoteError::Redirected {
            host: self.host().to_owned(),
            request: name_of(request),
            location,
        }
    }

    /// Says what became of a request that has no answer.
    pub(super) fn failed(&self, request: &str, error: &reqwest::Error) -> RemoteError {
        let host = self.host().to_owned();
        if let Some(refusal) = self.0.refusals.take(&host) {
            return refusal;
        }
        if let Some(message) = tls_failure(error) {
            return RemoteError::Tls {
                message: format!("{host}: {message}"),
            };
        }
        if error.is_builder() {
            return unsendable("the request");
        }
        if error.is_connect() {
            let message = if error.is_timeout() {
                timed_out(self.0.options.connect_timeout)
            } else {
                root_cause(error)
            };
            return RemoteError::Unreachable { host, message };
        }
        let message = if error.is_timeout() {
            timed_out(self.0.options.timeout)
        } else {
            root_cause(error)
        };
        RemoteError::Unanswered {
            host,
            request: request.to_owned(),
            message,
        }
    }
}

pub(super) fn value(what: &'static str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_bytes(text.as_bytes()).map_err(|_| unsendable(what))
}

fn unsendable(what: &'static str) -> RemoteError {
    RemoteError::Unsendable {
        what,
        message: "there are characters in it that no request may carry".to_owned(),
    }
}

fn name_of(request: &Request<'_>) -> String {
    let path = request.path.split('?').next().unwrap_or_default();
    format!("{} {path}", request.method)
}

/// Returns what lies at the bottom of an error.
pub(super) fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Returns what the TLS library said, if it was the one that failed.
fn tls_failure(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(error) = error.downcast_ref::<rustls::Error>() {
        return Some(error.to_string());
    }
    // An I/O error hides what it was made of from `source`, and may be made of another.
    let hidden = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    if let Some(found) = hidden.and_then(|hidden| tls_failure(hidden)) {
        return Some(found);
    }
    error.source().and_then(tls_failure)
}

/// Finds a challenge in a 401, spelled exactly as consoles do.
fn challenge(response: &Response) -> Option<Challenge> {
    if response.status().as_u16() != 401 {
        return None;
    }
    let values = response.headers().get_all(WWW_AUTHENTICATE);
    values
        .iter()
        .filter_map(|value| value.to_str().ok())
        .find_map(parse_challenge)
}

fn parse_challenge(text: &str) -> Option<Challenge> {
    let rest = text.strip_prefix("Session path=\"")?;
    let (path, rest) = rest.split_once("\" token=\"")?;
    let needs_key = match rest {
        "true\"" => true,
        "false\"" => false,
        _ => return None,
    };
    // Only a path of the same host, so that no password goes elsewhere.
    let is_path = path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    is_path.then(|| Challenge {
        path: path.to_owned(),
        needs_key,
    })
}

fn is_html(text: &str) -> bool {
    text.trim_start().starts_with('<')
}

/// Returns what a server said in an answer of failure: JSON's `error`, the text, the status.
fn said(status: u16, body: &[u8]) -> String {
    let by_status = || format!("response status {status}");
    if let Ok(Value::Object(object)) = serde_json::from_slice(body)
        && let Some(Value::String(error)) = object.get("error")
        && !error.trim().is_empty()
    {
        return shorten(error);
    }
    match std::str::from_utf8(body) {
        Ok(text) if !text.trim().is_empty() && !is_html(text) => shorten(text),
        _ => by_status(),
    }
}

/// Keeps what fits on a few lines, and nothing that a terminal would obey.
pub(super) fn shorten(text: &str) -> String {
    const MOST: usize = 1000;
    let plain = |c: char| {
        if c.is_control() && !c.is_whitespace() {
            '?'
        } else {
            c
        }
    };
    let text = text.trim();
    let mut short: String = text.chars().take(MOST).map(plain).collect();
    if text.chars().nth(MOST).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_exactly() {
        let read = |text| parse_challenge(text).map(|c| (c.path, c.needs_key));
        assert_eq!(
            read(r#"Session path="/session" token="false""#),
            Some(("/session".to_owned(), false))
        );
        assert_eq!(
            read(r#"Session path="/a/b?c=d" token="true""#),
            Some(("/a/b?c=d".to_owned(), true))
        );
        for other in [
            "Basic realm=\"x\"",
            r#"Session path="https://evil.example.com/" token="false""#,
            r#"Session path="@evil.example.com/" token="false""#,
            r#"Session path="/x" token="maybe""#,
            r#"Session path="/x y" token="false""#,
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn errors_are_read_in_the_classics_order() {
        for (body, expected) in [
            (&br#"{"error":"no such app"}"#[..], "no such app"),
            (b"  100% of %s broken\n", "100% of %s broken"),
            (b"{\"error\":\"\"}", "{\"error\":\"\"}"),
            (b"", "response status 500"),
            (b" \n", "response status 500"),
            (b"<html>Bad Gateway</html>", "response status 500"),
            (b"\xff\xfe", "response status 500"),
            (b"a\x1b[31mb", "a?[31mb"),
        ] {
            assert_eq!(said(500, body), expected);
        }
        assert_eq!(said(500, &[b'x'; 5000]).len(), 1003);
    }
}
