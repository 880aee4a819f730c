//! Passes requests on to a rack, as whoever knows its password.

use std::collections::BTreeMap;
use std::io;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _};
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, ORIGIN, PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use reqwest::{Client, Response, Url};
use secrecy::SecretString;

use super::client::{Remote, RemoteOptions, builder};
use super::endpoint::Endpoint;
use super::error::{RemoteError, timed_out};
use super::trust::{Refusals, Trust};
use crate::clock::Clock;
use crate::rack::{
    ApiProbe, Duplex, Gateway, Pieces, PortError, RackApi, Switched, SystemDescription,
    SystemInstance,
};

type Result<T> = std::result::Result<T, RemoteError>;

/// How long a request and its answer may take at most, bodies included: an app's source is sent in
/// one, and an archive of it comes in one.
const LONGEST: std::time::Duration = std::time::Duration::from_hours(1);

/// What is between the two ends of one connection (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// The same, without a constant of its own.
const KEEP_ALIVE: [&str; 2] = ["keep-alive", "proxy-connection"];

/// What says who asks, about which rack and from where, which is nobody's affair but ours.
const OURS: [HeaderName; 5] = [AUTHORIZATION, COOKIE, EXPECT, HOST, ORIGIN];

/// The same, in the classic's headers.
const OURS_CLASSIC: [&str; 2] = ["rack", "session"];

/// A rack's API, to which other people's requests are passed on.
#[derive(Clone)]
pub struct RemoteGateway {
    remote: Remote,
    /// Takes bodies as they are, and lets them take their time.
    client: Client,
    refusals: Refusals,
}

impl RemoteGateway {
    /// Prepares to pass requests on to `endpoint`; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Remote::with_options`].
    pub fn new(
        endpoint: Endpoint,
        trust: &Trust,
        clock: Clock,
        options: RemoteOptions,
    ) -> Result<Self> {
        let (client, refusals) = builder(&endpoint, trust, &options)?;
        let client = client.no_gzip().build().map_err(|error| RemoteError::Tls {
            message: super::exchange::root_cause(&error),
        })?;
        // No rack gives sessions.
        let forget: super::SessionStore = std::sync::Arc::new(|_| {});
        Ok(Self {
            remote: Remote::with_options(endpoint, trust, clock, forget, options)?,
            client,
            refusals,
        })
    }

    /// Returns the client for what the console itself asks of the rack.
    #[must_use]
    pub fn remote(&self) -> &Remote {
        &self.remote
    }

    fn url(&self, uri: &Uri) -> Result<Url> {
        let path = uri.path_and_query().map_or("/", |it| it.as_str());
        let url = Url::parse(&format!("{}{path}", self.remote.endpoint().url()));
        // Whoever allowed the path has read it as it stands.
        let url = url.ok().filter(|url| url.path() == uri.path());
        url.ok_or_else(|| RemoteError::Unsendable {
            what: "the path",
            message: "it can be read as another one".to_owned(),
        })
    }

    /// Returns the headers that the rack gets: those that mean it, and its password.
    fn headers(&self, given: &HeaderMap, password: &SecretString) -> Result<HeaderMap> {
        let mut headers = end_to_end(given);
        for name in OURS {
            headers.remove(name);
        }
        for name in OURS_CLASSIC {
            headers.remove(name);
        }
        let identity = self.remote.identity(Some(password), true)?;
        let basic = identity
            .into_iter()
            .find(|(name, _)| *name == "authorization");
        headers.extend(basic.map(|(_, value)| (AUTHORIZATION, value)));
        Ok(headers)
    }

    fn failed(&self, uri: &Uri, method: &str, error: &reqwest::Error) -> RemoteError {
        let refusal = self.refusals.take(self.remote.host());
        refusal.unwrap_or_else(|| {
            self.remote
                .failed(&format!("{method} {}", uri.path()), error)
        })
    }

    async fn send(
        &self,
        password: &SecretString,
        request: http::Request<Pieces>,
    ) -> Result<http::Response<Pieces>> {
        let (head, body) = request.into_parts();
        let headers = self.headers(&head.headers, password)?;
        let is_empty = HeaderValue::from_static("0");
        let length = headers.get(CONTENT_LENGTH).filter(|it| **it != is_empty);
        let has_body = length.is_some() || head.headers.contains_key(TRANSFER_ENCODING);
        let asked = self
            .client
            .request(head.method.clone(), self.url(&head.uri)?);
        let mut asked = asked.headers(headers).timeout(LONGEST);
        if has_body {
            asked = asked.body(reqwest::Body::wrap_stream(body));
        }
        let sending = asked.send();
        let sent = match has_body {
            true => sending.await,
            // The answer to a long body may be long in coming.
            false => self.in_time(&head.uri, sending).await?,
        };
        let response =
            sent.map_err(|error| self.failed(&head.uri, head.method.as_str(), &error))?;
        Ok(answered(response))
    }

    async fn open(&self, password: &SecretString, request: http::Request<()>) -> Result<Switched> {
        let (head, ()) = request.into_parts();
        let mut headers = self.headers(&head.headers, password)?;
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let origin = super::exchange::value("the host", &self.remote.endpoint().url())?;
        headers.insert(ORIGIN, origin);
        let sending = self
            .client
            .get(self.url(&head.uri)?)
            .headers(headers)
            .send();
        let sent = self.in_time(&head.uri, sending).await?;
        let failed = |error| self.failed(&head.uri, "GET", &error);
        let response = sent.map_err(failed)?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Switched::Answered(answered(response)));
        }
        let mut opened = http::Response::new(());
        *opened.status_mut() = response.status();
        *opened.headers_mut() = end_to_end(response.headers());
        let upgraded = response.upgrade().await.map_err(failed)?;
        let io: Box<dyn Duplex> = Box::new(upgraded);
        Ok(Switched::Open(opened, io))
    }

    async fn in_time<T>(&self, uri: &Uri, sending: impl Future<Output = T>) -> Result<T> {
        let span = self.remote.0.options.timeout;
        tokio::select! {
            sent = sending => Ok(sent),
            () = self.remote.clock().sleep(span) => Err(RemoteError::Unanswered {
                host: self.remote.host().to_owned(),
                request: uri.path().to_owned(),
                message: timed_out(span),
            }),
        }
    }
}

/// Leaves out what is between the two ends of one connection.
fn end_to_end(given: &HeaderMap) -> HeaderMap {
    let mut headers = given.clone();
    let named: Vec<HeaderName> = given
        .get_all(CONNECTION)
        .into_iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.into_iter().chain(HOP_BY_HOP) {
        headers.remove(name);
    }
    for name in KEEP_ALIVE {
        headers.remove(name);
    }
    headers
}

fn answered(response: Response) -> http::Response<Pieces> {
    let mut answer = http::Response::new(());
    *answer.status_mut() = response.status();
    *answer.headers_mut() = end_to_end(response.headers());
    let pieces = response.bytes_stream().map_err(io::Error::other);
    answer.map(|()| pieces.boxed())
}

#[async_trait]
impl ApiProbe for RemoteGateway {
    fn describe(&self) -> String {
        ApiProbe::describe(&self.remote)
    }

    async fn accepts(&self, password: &SecretString) -> std::result::Result<bool, PortError> {
        ApiProbe::accepts(&self.remote, password).await
    }
}

#[async_trait]
impl RackApi for RemoteGateway {
    async fn describe_with(
        &self,
        password: &SecretString,
    ) -> std::result::Result<SystemDescription, PortError> {
        self.remote.describe_with(password).await
    }

    async fn set_with(
        &self,
        password: &SecretString,
        changes: &BTreeMap<String, String>,
    ) -> std::result::Result<(), PortError> {
        self.remote.set_with(password, changes).await
    }
}

#[async_trait]
impl Gateway for RemoteGateway {
    async fn instances_with(
        &self,
        password: &SecretString,
    ) -> std::result::Result<Vec<SystemInstance>, PortError> {
        Ok(self.remote.instances_with(Some(password)).await?)
    }

    async fn pass(
        &self,
        password: &SecretString,
        request: http::Request<Pieces>,
    ) -> std::result::Result<http::Response<Pieces>, PortError> {
        Ok(self.send(password, request).await?)
    }

    async fn switch(
        &self,
        password: &SecretString,
        request: http::Request<()>,
    ) -> std::result::Result<Switched, PortError> {
        Ok(self.open(password, request).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gateway() -> RemoteGateway {
        let endpoint = Endpoint::of_host("http://127.0.0.1:9", "secret".into(), false).unwrap();
        let options = RemoteOptions {
            proxies: super::super::Proxies::none(),
            ..RemoteOptions::default()
        };
        RemoteGateway::new(endpoint, &Trust::new(), Clock::system(), options).unwrap()
    }

    #[test]
    fn what_is_between_two_ends_and_who_asks_stays_here() {
        let mut given = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Only-Here"),
            ("x-only-here", "1"),
            ("keep-alive", "timeout=5"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("authorization", "Basic cGVyc29u"),
            ("rack", "acme/prod"),
            ("session", "s"),
            ("cookie", "c"),
            ("origin", "https://console.example.com"),
            ("host", "console.example.com"),
            ("command", "ls"),
            ("version", "dev"),
        ] {
            given.insert(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        let headers = gateway().headers(&given, &"p@ss".into()).unwrap();
        let mut names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["authorization", "command", "version"]);
        assert_eq!(headers["authorization"], "Basic Y29udm94OnBAc3M=");
    }

    #[test]
    fn a_path_is_sent_as_it_is_or_not_at_all() {
        let gateway = gateway();
        let url = |path: &str| {
            let uri: Uri = path.parse().unwrap();
            gateway.url(&uri).map(|url| url.to_string())
        };
        for path in ["/system?", "/apps/a%20b/objects/x?y=1&z", "/"] {
            assert_eq!(url(path), Ok(format!("http://127.0.0.1:9{path}")));
        }
        for path in ["/apps/a/builds/../../../system", "/a/./b", "/a/%2e%2e/b"] {
            assert!(url(path).is_err(), "{path}");
        }
    }
}
