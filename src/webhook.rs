//! A webhook as a client sees it: one signed `POST`, and what was answered.
//!
//! Headers and signature are those of Standard Webhooks (<https://www.standardwebhooks.com>): the
//! id, the time in seconds and the body, joined by dots, under HMAC-SHA256.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, USER_AGENT};
use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};

/// For how long a connection is waited for.
const CONNECTING: Duration = Duration::from_secs(5);
/// For how long an answer is waited for.
const ANSWERING: Duration = Duration::from_secs(15);
/// What a signing secret begins with.
const PREFIX: &str = "whsec_";

/// Why nothing may be sent to a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUrl {
    /// It is no URL, or has no host.
    #[error("it is no URL of a webhook")]
    NoUrl,
    /// What is sent could be read on the way.
    #[error("notices go out by https only")]
    Plain,
    /// It is the machine itself.
    #[error("no notices go to the machine itself")]
    Loopback,
    /// It is an address that means another machine on every network, such as one that hands out
    /// credentials.
    #[error("no notices go to link-local addresses")]
    LinkLocal,
    /// It holds a user name or a password, which would be shown.
    #[error("a URL of a webhook holds no user name and no password")]
    Credentials,
}

/// Why a notice was not delivered.
#[derive(Debug, thiserror::Error)]
pub enum NotSent {
    /// Nothing may be sent there.
    #[error(transparent)]
    Url(#[from] BadUrl),
    /// The signing secret is none.
    #[error("the signing secret cannot be read")]
    Secret,
    /// It was answered, but not with success.
    #[error("the answer was {0}")]
    Status(u16),
    /// There was no answer.
    #[error("no answer: {0}")]
    NoAnswer(&'static str),
}

/// Where a notice goes.
#[derive(Debug, Clone)]
pub struct Target(Url);

impl Target {
    /// Takes a URL to which notices may be sent: by https, or, where that is allowed, to the
    /// machine itself.
    ///
    /// # Errors
    /// When nothing may be sent there.
    pub fn new(url: &str, loopback: bool) -> Result<Self, BadUrl> {
        let url: Url = url.parse().map_err(|_| BadUrl::NoUrl)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(BadUrl::Credentials);
        }
        let is_here = is_loopback(&url).ok_or(BadUrl::NoUrl)?;
        if address_of(&url).is_some_and(is_link_local) {
            return Err(BadUrl::LinkLocal);
        }
        match (url.scheme(), is_here) {
            ("http" | "https", true) if loopback => Ok(Self(url)),
            ("http" | "https", true) => Err(BadUrl::Loopback),
            ("https", false) => Ok(Self(url)),
            ("http", false) => Err(BadUrl::Plain),
            _ => Err(BadUrl::NoUrl),
        }
    }
}

/// Tells whether a URL names the machine itself; none if it names no host.
fn is_loopback(url: &Url) -> Option<bool> {
    let host = url.host_str()?.trim_end_matches('.');
    Some(match address_of(url) {
        Some(address) => is_here(address),
        None => host == "localhost" || host.ends_with(".localhost"),
    })
}

/// Returns the address that a URL names in the place of a host.
fn address_of(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?.trim_end_matches('.');
    host.trim_matches(['[', ']']).parse().ok()
}

/// Tells the addresses of the machine itself.
fn is_here(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

fn is_link_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// Finds the addresses of hosts, but not those to which no notices go.
struct Abroad;

impl Resolve for Abroad {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let may = |it: &SocketAddr| !is_here(it.ip()) && !is_link_local(it.ip());
            let found: Vec<_> = found.filter(may).collect();
            if found.is_empty() {
                return Err(Box::from(BadUrl::Loopback));
            }
            let found: Addrs = Box::new(found.into_iter());
            Ok(found)
        })
    }
}

/// One notice.
#[derive(Debug, Clone, Copy)]
pub struct Message<'m> {
    /// Its id, the same however often it is sent.
    pub id: &'m str,
    /// When it is sent, in Unix seconds.
    pub at: i64,
    /// What it says, as JSON.
    pub body: &'m str,
}

impl Message<'_> {
    /// Signs it with a secret such as [`secret_of`] makes.
    ///
    /// # Errors
    /// [`NotSent::Secret`] when that is none.
    pub fn signature(&self, secret: &SecretString) -> Result<String, NotSent> {
        let text = secret.expose_secret().strip_prefix(PREFIX);
        let bytes = text.and_then(|text| STANDARD.decode(text).ok());
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes.ok_or(NotSent::Secret)?);
        let signed = format!("{}.{}.{}", self.id, self.at, self.body);
        let tag = hmac::sign(&key, signed.as_bytes());
        Ok(format!("v1,{}", STANDARD.encode(tag)))
    }
}

/// Writes random bytes as a signing secret.
#[must_use]
pub fn secret_of(bytes: &[u8; 32]) -> SecretString {
    SecretString::from(format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// Sends notices.
#[derive(Debug, Clone)]
pub struct Sender {
    abroad: Client,
    /// The machine itself is never reached by a proxy.
    here: Client,
}

impl Sender {
    /// Makes a sender. None can be made where the machine's certificates cannot be read.
    #[must_use]
    pub fn new() -> Option<Self> {
        let client = || {
            Client::builder()
                .http1_only()
                // Whoever answers does not say where else a notice goes.
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECTING)
                .timeout(ANSWERING)
        };
        Some(Self {
            abroad: client().dns_resolver(Arc::new(Abroad)).build().ok()?,
            here: client().no_proxy().build().ok()?,
        })
    }

    /// Sends a notice. Of the answer nothing but its status is read.
    ///
    /// # Errors
    /// When it was not answered with success.
    pub async fn send(
        &self,
        target: &Target,
        message: Message<'_>,
        secret: &SecretString,
    ) -> Result<(), NotSent> {
        let signature = message.signature(secret)?;
        let client = match is_loopback(&target.0) {
            Some(true) => &self.here,
            _ => &self.abroad,
        };
        let sent = client
            .post(target.0.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("convox/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.at)
            .header("webhook-signature", signature)
            .body(message.body.to_owned())
            .send();
        let answer = sent.await.map_err(|error| NotSent::NoAnswer(why(&error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NotSent::Status(status.as_u16())),
        }
    }
}

/// Says why there was no answer, without the URL, which may be a secret.
fn why(error: &reqwest::Error) -> &'static str {
    match error {
        error if error.is_timeout() => "it took too long",
        error if error.is_connect() => "nobody could be reached there",
        _ => "the connection was lost",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_standard_webhooks() {
        // The example of the specification's libraries.
        let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let message = Message {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
            at: 1_614_265_330,
            body: r#"{"test": 2432232314}"#,
        };
        let signature = message.signature(&secret).unwrap();
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        for secret in ["whsec_?", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", ""] {
            let refused = message.signature(&SecretString::from(secret));
            assert!(matches!(refused, Err(NotSent::Secret)), "{secret}");
        }
        let made = secret_of(&[7; 32]);
        assert!(message.signature(&made).is_ok());
    }

    #[test]
    fn notices_go_out_encrypted_or_not_at_all() {
        for (url, expected) in [
            ("https://hooks.slack.com/services/T/B/X", None),
            ("http://example.com/hook", Some(BadUrl::Plain)),
            ("ftp://example.com/hook", Some(BadUrl::NoUrl)),
            ("example.com", Some(BadUrl::NoUrl)),
            ("file:///etc/passwd", Some(BadUrl::NoUrl)),
            ("https://ada:secret@example.com/", Some(BadUrl::Credentials)),
            ("http://127.0.0.1:8080/", Some(BadUrl::Loopback)),
            ("https://127.1/", Some(BadUrl::Loopback)),
            ("https://0x7f000001/", Some(BadUrl::Loopback)),
            ("https://[::1]/", Some(BadUrl::Loopback)),
            ("https://[::ffff:127.0.0.1]/", Some(BadUrl::Loopback)),
            ("https://0.0.0.0/", Some(BadUrl::Loopback)),
            ("https://LOCALHOST./", Some(BadUrl::Loopback)),
            ("https://169.254.169.254/latest", Some(BadUrl::LinkLocal)),
            ("https://[fe80::1]/", Some(BadUrl::LinkLocal)),
            ("https://[::ffff:169.254.169.254]/", Some(BadUrl::LinkLocal)),
        ] {
            assert_eq!(Target::new(url, false).err(), expected, "{url}");
        }
        assert!(Target::new("http://127.0.0.1:8080/", true).is_ok());
        assert!(Target::new("http://localhost/", true).is_ok());
        assert!(Target::new("http://10.0.0.1/", true).is_err());
        assert!(Target::new("http://169.254.169.254/", true).is_err());
    }

    #[tokio::test]
    async fn a_name_of_the_machine_itself_has_no_address() {
        let resolved = Abroad.resolve("localhost".parse().unwrap()).await;
        let told = resolved.err().map(|error| error.to_string());
        assert_eq!(told, Some(BadUrl::Loopback.to_string()));
    }
}
