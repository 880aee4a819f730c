//! The client: one address, one root key, one pool of connections.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::address::Address;
use super::error::{Refusal, UnkeyError};
use crate::clock::Clock;

type Result<T> = std::result::Result<T, UnkeyError>;

/// No answer of a key service comes near this, in bytes.
const LIMIT: usize = 32 << 20;

/// How patient the client is.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// A file of certificates in PEM form that are believed too.
    pub authorities: Option<PathBuf>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long a request and its whole answer may take.
    pub timeout: Duration,
    /// How many times a request is made that can be repeated safely, at least 1.
    pub attempts: u32,
    /// How long the pause before the second attempt is; each one after it is twice as long.
    pub backoff: Duration,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            authorities: None,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            attempts: 4,
            backoff: Duration::from_millis(250),
        }
    }
}

/// Whether a request is repeated that has no answer. One that was never sent always is.
#[derive(Debug, Clone, Copy)]
pub enum Repeat<'a> {
    /// It changes nothing.
    Safe,
    /// It changes something, and a second one might change it again.
    Never,
    /// The service does it once for each `Idempotency-Key`, and this is its.
    Once(&'a str),
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer<T> {
    /// The data, as far as it is known here.
    pub data: T,
    /// The data as it came, unless it holds a secret.
    pub json: Value,
    /// How many requests had no answer before this one had.
    pub unanswered: u32,
}

/// A part of a list.
#[derive(Debug, Clone)]
pub struct Page {
    /// What is in it, as it came.
    pub items: Vec<Value>,
    /// Where the next one begins.
    pub cursor: Option<String>,
}

/// The client of a key service.
pub struct Client {
    address: Address,
    bearer: HeaderValue,
    http: reqwest::Client,
    clock: Clock,
    options: ClientOptions,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.address).finish()
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    cursor: Option<String>,
    #[serde(default)]
    has_more: bool,
}

/// The body of a success; whoever needs it finds what is missing.
#[derive(Deserialize)]
struct Body {
    data: Option<Value>,
    pagination: Option<Pagination>,
}

impl Client {
    /// Prepares to talk to the service at `address` with a root key; nothing is sent yet.
    ///
    /// # Errors
    /// When the root key cannot be sent, or TLS or the proxy cannot be set up.
    pub fn new(
        address: Address,
        root_key: &SecretString,
        clock: Clock,
        options: ClientOptions,
    ) -> Result<Self> {
        let bearer = Zeroizing::new(format!("Bearer {}", root_key.expose_secret()));
        let mut bearer = header("the root key", &bearer)?;
        bearer.set_sensitive(true);
        let http = reqwest::Client::builder()
            .http1_only()
            // A root key goes nowhere else.
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(options.connect_timeout)
            .timeout(options.timeout);
        // The machine itself is never reached by a proxy.
        let http = if address.is_loopback() {
            http.no_proxy()
        } else {
            http
        };
        let http = match &options.authorities {
            // Plain HTTP needs no authorities, and reading them takes a while.
            _ if !address.is_secure() => http.tls_certs_only([]),
            Some(file) => http.tls_certs_merge(read_pem(file)?),
            None => http,
        };
        let http = http.build().map_err(|error| UnkeyError::Client {
            message: root_cause(&error),
        })?;
        Ok(Self {
            address,
            bearer,
            http,
            clock,
            options,
        })
    }

    /// Returns where the requests go.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Asks for an operation, such as `keys.getKey`.
    ///
    /// # Errors
    /// When it is refused, or nothing came that is an answer to it.
    pub async fn call<T: DeserializeOwned>(
        &self,
        operation: &str,
        request: &Value,
        repeat: Repeat<'_>,
    ) -> Result<Answer<T>> {
        let (body, unanswered) = self.ask(operation, request, repeat).await?;
        let json = body.data.unwrap_or(Value::Null);
        let data = T::deserialize(&json).map_err(|_| self.strange(operation, UNFIT))?;
        Ok(Answer {
            data,
            json,
            unanswered,
        })
    }

    /// Asks for an operation that makes a secret, once for each `key`, however often it is sent.
    /// What it answers is not kept as JSON.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn call_once<T: DeserializeOwned>(
        &self,
        operation: &str,
        request: &Value,
        key: &str,
    ) -> Result<Answer<T>> {
        let mut answer = self.call(operation, request, Repeat::Once(key)).await?;
        answer.json = Value::Null;
        Ok(answer)
    }

    /// Asks for an operation that answers nothing but that it is done.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn done(&self, operation: &str, request: &Value) -> Result<()> {
        self.ask(operation, request, Repeat::Never).await.map(drop)
    }

    /// Asks for a part of a list.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub async fn page(&self, operation: &str, request: &Value) -> Result<Page> {
        let (body, _) = self.ask(operation, request, Repeat::Safe).await?;
        let Some(Value::Array(items)) = body.data else {
            return Err(self.strange(operation, UNFIT));
        };
        let pagination = body.pagination.unwrap_or_default();
        Ok(Page {
            items,
            cursor: pagination.cursor.filter(|_| pagination.has_more),
        })
    }

    /// Makes a request, and more of them if that is safe; tells how many had no answer.
    async fn ask(
        &self,
        operation: &str,
        request: &Value,
        repeat: Repeat<'_>,
    ) -> Result<(Body, u32)> {
        let request = Zeroizing::new(request.to_string());
        let mut pause = self.options.backoff;
        let mut left = self.options.attempts;
        let mut unanswered = 0;
        loop {
            left = left.saturating_sub(1);
            let error = match self.attempt(operation, &request, repeat).await {
                Ok(body) => return Ok((body, unanswered)),
                Err(error) => error,
            };
            let was_sent = !matches!(error, UnkeyError::Unreachable { .. });
            let again = match repeat {
                _ if !was_sent => true,
                Repeat::Never => false,
                Repeat::Safe | Repeat::Once(_) => error.is_unanswered(),
            };
            if !again || left == 0 {
                return Err(error);
            }
            unanswered += u32::from(was_sent);
            self.clock.sleep(pause).await;
            pause *= 2;
        }
    }

    async fn attempt(&self, operation: &str, request: &str, repeat: Repeat<'_>) -> Result<Body> {
        let agent = concat!("convox/", env!("CARGO_PKG_VERSION"));
        let mut builder = self
            .http
            .post(self.address.operation(operation))
            .header(AUTHORIZATION, self.bearer.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, agent)
            .body(request.to_owned());
        if let Repeat::Once(key) = repeat {
            builder = builder.header("idempotency-key", header("the idempotency key", key)?);
        }
        let sent = builder.send().await;
        let response = sent.map_err(|error| self.failed(operation, &error))?;
        self.read(operation, response).await
    }

    /// Reads an answer to its end, and tells success from failure.
    async fn read(&self, operation: &str, response: Response) -> Result<Body> {
        let status = response.status().as_u16();
        let retry_after = response.headers().get(RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = self.body(operation, response).await?;
        if status == 200 {
            // The library's own words may repeat a value, and a value may be a secret.
            return serde_json::from_slice(&body).map_err(|_| self.strange(operation, UNFIT));
        }
        let said = serde_json::from_slice(&body).ok();
        let refusal = said.and_then(|said: Value| Refusal::read(status, &said, retry_after));
        Err(match refusal {
            Some(refusal) => UnkeyError::Refused(refusal),
            // A proxy in between, whose back is turned to whatever was done behind it.
            None if status >= 500 => self.unanswered(operation, format!("status {status}")),
            None => self.strange(operation, &format!("status {status}")),
        })
    }

    async fn body(&self, operation: &str, mut response: Response) -> Result<Zeroizing<Vec<u8>>> {
        let mut body = Zeroizing::new(Vec::new());
        loop {
            let chunk = response.chunk().await;
            let chunk = chunk.map_err(|error| self.failed(operation, &error))?;
            let Some(chunk) = chunk else {
                return Ok(body);
            };
            if body.len() + chunk.len() > LIMIT {
                return Err(self.strange(operation, "more than anybody would read"));
            }
            body.extend_from_slice(&chunk);
        }
    }

    fn strange(&self, operation: &str, what: &str) -> UnkeyError {
        UnkeyError::NotAService {
            host: self.address.host(),
            operation: operation.to_owned(),
            what: what.to_owned(),
        }
    }

    fn unanswered(&self, operation: &str, message: String) -> UnkeyError {
        UnkeyError::Unanswered {
            host: self.address.host(),
            operation: operation.to_owned(),
            message,
        }
    }

    /// Says what became of a request that has no answer.
    fn failed(&self, operation: &str, error: &reqwest::Error) -> UnkeyError {
        let timed_out = |span: Duration| format!("nothing came within {} s", span.as_secs());
        if error.is_connect() {
            let message = if error.is_timeout() {
                timed_out(self.options.connect_timeout)
            } else {
                root_cause(error)
            };
            let host = self.address.host();
            return UnkeyError::Unreachable { host, message };
        }
        let message = if error.is_timeout() {
            timed_out(self.options.timeout)
        } else {
            root_cause(error)
        };
        self.unanswered(operation, message)
    }
}

/// What came that does not fit the operation.
const UNFIT: &str = "something else than what was asked for";

fn header(what: &'static str, text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text).map_err(|_| UnkeyError::Unsendable { what })
}

fn read_pem(file: &PathBuf) -> Result<Vec<Certificate>> {
    let bad = |message: String| UnkeyError::BadCertificates {
        path: file.clone(),
        message,
    };
    let bytes = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
    let read = Certificate::from_pem_bundle(&bytes).map_err(|error| bad(root_cause(&error)))?;
    if read.is_empty() {
        return Err(bad("there is no certificate in it".to_owned()));
    }
    Ok(read)
}

/// Returns what lies at the bottom of an error.
fn root_cause(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
