//! The client: one endpoint, one pool of connections, one session.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use secrecy::{ExposeSecret as _, SecretString};

use super::endpoint::Endpoint;
use super::error::RemoteError;
use super::proxy::Proxies;
use super::trust::{Refusals, Trust};
use crate::clock::Clock;

/// Keeps a session that a console has given, under the endpoint's host. Whatever goes wrong
/// with that is its own to tell: the request itself goes on.
pub type SessionStore = Arc<dyn Fn(&str) + Send + Sync>;

/// How patient the client is, and by which way it goes.
#[derive(Debug, Clone)]
pub struct RemoteOptions {
    /// How long a connection may take to be made, in real time.
    pub connect_timeout: Duration,
    /// How long a request and its whole answer may take, in real time.
    pub timeout: Duration,
    /// How many times a request is made that can be repeated safely, at least 1.
    pub attempts: u32,
    /// The proxies.
    pub proxies: Proxies,
}

impl Default for RemoteOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            attempts: 3,
            proxies: Proxies::of_process(),
        }
    }
}

/// A rack behind its HTTP API, or a console. Clones share connections and session.
#[derive(Clone)]
pub struct Remote(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) endpoint: Endpoint,
    pub(super) client: Client,
    pub(super) refusals: Refusals,
    pub(super) clock: Clock,
    pub(super) options: RemoteOptions,
    pub(super) on_session: SessionStore,
    session: Mutex<Option<SecretString>>,
    /// The release that the rack says it has, once it was asked.
    version: Mutex<Option<String>>,
}

impl fmt::Debug for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Remote").field(&self.0.endpoint).finish()
    }
}

impl Remote {
    /// Prepares to talk to `endpoint`; nothing is sent yet.
    ///
    /// `on_session` is called with the id of every session that a console gives.
    ///
    /// # Errors
    /// When the certificates of `trust` cannot be read or TLS cannot be set up, and when the
    /// environment names a proxy that is none.
    pub fn new(
        endpoint: Endpoint,
        trust: &Trust,
        clock: Clock,
        on_session: SessionStore,
    ) -> Result<Self, RemoteError> {
        Self::with_options(endpoint, trust, clock, on_session, RemoteOptions::default())
    }

    /// As [`Self::new`], with other patience or by another way.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_options(
        endpoint: Endpoint,
        trust: &Trust,
        clock: Clock,
        on_session: SessionStore,
        options: RemoteOptions,
    ) -> Result<Self, RemoteError> {
        let (client, refusals) = builder(&endpoint, trust, &options)?;
        let client = client.timeout(options.timeout).build();
        let client = client.map_err(|error| RemoteError::Tls {
            message: super::exchange::root_cause(&error),
        })?;
        let session = endpoint.session().map(SecretString::from);
        Ok(Self(Arc::new(Inner {
            endpoint,
            client,
            refusals,
            clock,
            options,
            on_session,
            session: Mutex::new(session),
            version: Mutex::new(None),
        })))
    }

    /// Returns where the requests go.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.0.endpoint
    }

    /// Returns the password that requests are made with, unless another one is asked for.
    #[must_use]
    pub fn password(&self) -> &SecretString {
        self.0.endpoint.password()
    }

    /// Tells whether that is a token, which a rack's password has nothing to do with.
    #[must_use]
    pub fn is_token(&self) -> bool {
        self.0.endpoint.username() == "jwt"
    }

    /// Returns `HOST[:PORT]`.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.endpoint.host()
    }

    /// Returns the clock that pauses between requests follow.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn session(&self) -> Option<String> {
        let session = self
            .0
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        session.as_ref().map(|id| id.expose_secret().to_owned())
    }

    pub(super) fn set_session(&self, id: &str) {
        let session = SecretString::from(id);
        *self
            .0
            .session
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(session);
        (self.0.on_session)(id);
    }

    pub(super) fn version(&self) -> Option<String> {
        let version = self
            .0
            .version
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        version.clone()
    }

    pub(super) fn set_version(&self, version: &str) {
        *self
            .0
            .version
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(version.to_owned());
    }
}

/// Begins to build an HTTP client for `endpoint`, with nothing that ends what takes too long but a
/// connection; and what tells why it refused a certificate.
pub(super) fn builder(
    endpoint: &Endpoint,
    trust: &Trust,
    options: &RemoteOptions,
) -> Result<(ClientBuilder, Refusals), RemoteError> {
    let client = Client::builder()
        .http1_only()
        .http1_title_case_headers()
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(options.connect_timeout);
    let client = options.proxies.apply(client, endpoint)?;
    if !endpoint.is_secure() {
        // Plain HTTP needs no authorities, and reading them takes a while.
        return Ok((client.tls_certs_only([]), Refusals::default()));
    }
    let (tls, refusals) = trust.configure(endpoint)?;
    Ok((client.tls_backend_preconfigured(tls), refusals))
}
