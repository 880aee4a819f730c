//! What can go wrong between here and a rack's API.

use std::path::PathBuf;
use std::time::Duration;

use super::fingerprint::Fingerprint;
use crate::rack::PortError;

/// Why a rack's API, or a console, did not do what was asked.
///
/// No message holds a password, a token or a session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The address cannot be understood. It is not repeated: it may hold a password.
    #[error("the rack's address is wrong: {message}")]
    BadAddress {
        /// What is wrong with it.
        message: String,
    },
    /// The address asks for HTTP without TLS, which would show the password to the network.
    #[error("{host} would be reached over plain HTTP, and the password with it")]
    PlainHttp {
        /// The host.
        host: String,
    },
    /// A value cannot be put into a request.
    #[error("{what} cannot be sent: {message}")]
    Unsendable {
        /// Which value.
        what: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// The file of certificates cannot be used.
    #[error("cannot use the certificates of {}: {message}", path.display())]
    BadCertificates {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// The file of known racks cannot be used.
    #[error("cannot use the known racks in {}: {message}", path.display())]
    KnownRacks {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// TLS itself cannot be set up.
    #[error("cannot set up TLS: {message}")]
    Tls {
        /// What the library said.
        message: String,
    },
    /// The proxy that the environment names cannot be used.
    #[error("cannot use the proxy that {variable} names: {message}")]
    Proxy {
        /// The environment variable.
        variable: String,
        /// What is wrong with it.
        message: String,
    },
    /// No connection could be made, so nothing was sent.
    #[error("cannot connect to {host}: {message}")]
    Unreachable {
        /// The host.
        host: String,
        /// What the system said.
        message: String,
    },
    /// The certificate does not verify, and a fingerprint does not do for this host: it is the
    /// public console's, or a proxy's. Nothing was sent.
    #[error("cannot verify the certificate on the way to {host}: {reason}")]
    Unverified {
        /// The host.
        host: String,
        /// Why it does not verify.
        reason: String,
    },
    /// The certificate does not verify, and nobody has vouched for it. Nothing was sent.
    #[error("cannot verify the certificate of {host}: {reason}")]
    UnknownCertificate {
        /// The host.
        host: String,
        /// Why it does not verify.
        reason: String,
        /// What to compare and to vouch for.
        fingerprint: Fingerprint,
    },
    /// The certificate is not the one that was vouched for. Nothing was sent.
    #[error("the certificate of {host} has changed: it was {known}, it is {presented}")]
    ChangedCertificate {
        /// The host.
        host: String,
        /// The fingerprint that is known.
        known: Fingerprint,
        /// The one that was presented.
        presented: Fingerprint,
    },
    /// The request was sent, and no whole answer came.
    #[error("no answer from {host} to {request}: {message}")]
    Unanswered {
        /// The host.
        host: String,
        /// The method and the path.
        request: String,
        /// What happened instead.
        message: String,
    },
    /// The password is wrong, or may not do this.
    #[error("{message}")]
    Unauthorized {
        /// The host.
        host: String,
        /// What the server said.
        message: String,
    },
    /// The server refused the request.
    #[error("{message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The server sends the client elsewhere, where a password does not follow.
    #[error("{host} answers {request} with a redirection to {location}")]
    Redirected {
        /// The host.
        host: String,
        /// The method and the path.
        request: String,
        /// The host it points to, or its path on the same one.
        location: String,
    },
    /// The answer is not what a rack would send.
    #[error("{host} answers {request} with {what}")]
    NotARack {
        /// The host.
        host: String,
        /// The method and the path.
        request: String,
        /// What came instead of JSON.
        what: String,
    },
    /// The answer is longer than any answer of a rack.
    #[error("{host} answers {request} with more than {} MiB", limit >> 20)]
    TooLong {
        /// The host.
        host: String,
        /// The method and the path.
        request: String,
        /// How many bytes are taken.
        limit: usize,
    },
    /// The console asks for a security key, which this program cannot present.
    #[error("{host} asks for a security key (U2F or WebAuthn), which this program cannot present")]
    SecurityKey {
        /// The host.
        host: String,
    },
    /// The console goes on asking for a session after it has given one.
    #[error("{host} has given a session and does not accept it")]
    SessionRefused {
        /// The host.
        host: String,
    },
    /// A websocket broke, or was used in a way that it does not allow.
    #[error("the connection to {host} broke: {message}")]
    Broken {
        /// The host.
        host: String,
        /// What happened.
        message: String,
    },
    /// The rack could not do what was asked of it over a websocket.
    #[error("{message}")]
    Reported {
        /// What the rack said.
        message: String,
    },
}

impl RemoteError {
    /// Tells whether the same request may well succeed a little later: the API's own processes
    /// are restarted while a rack updates.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Unanswered { .. } | Self::Broken { .. } => true,
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            _ => false,
        }
    }

    /// Tells whether the request may have been carried out although it failed.
    #[must_use]
    pub fn is_unanswered(&self) -> bool {
        matches!(self, Self::Unanswered { .. })
            || matches!(self, Self::Refused { status, .. } if matches!(status, 502..=504))
    }

    /// Tells whether no waiting mends it, because of who answers and not of what.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Unverified { .. }
                | Self::UnknownCertificate { .. }
                | Self::ChangedCertificate { .. }
                | Self::SecurityKey { .. }
                | Self::SessionRefused { .. }
                | Self::Unsendable { .. }
        )
    }

    /// Tells whether the password was refused.
    #[must_use]
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Unauthorized { .. })
    }

    /// Returns the HTTP status, where the server gave one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Unauthorized { .. } => Some(401),
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Says what to do next, where there is something.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::BadAddress { .. } => {
                "write it as HOST or HOST:PORT, or RACK_URL as https://convox:PASSWORD@HOST"
                    .to_owned()
            }
            Self::PlainHttp { .. } => {
                "use https, or set X_DEV_ALLOW_HTTP=true where that network may see it".to_owned()
            }
            Self::BadCertificates { .. } => {
                "--tls-ca wants a file of certificates in PEM form".to_owned()
            }
            Self::KnownRacks { .. } => {
                "mend the file or remove it, then `convox login HOST` makes it anew".to_owned()
            }
            Self::Proxy { .. } => "write it as http://HOST:PORT, or unset it".to_owned(),
            Self::Unreachable { .. } => {
                "is the rack up, and does a proxy or a firewall lie between?".to_owned()
            }
            Self::Unverified { .. } => {
                "if a proxy of yours looks into TLS, --tls-ca FILE trusts its authority".to_owned()
            }
            Self::UnknownCertificate {
                host, fingerprint, ..
            } => format!(
                "if the fingerprint {fingerprint} is the rack's, \
                 `convox login {host} --tls-fingerprint {fingerprint}` trusts it from then on; \
                 --tls-ca FILE trusts an authority"
            ),
            Self::ChangedCertificate {
                host, presented, ..
            } => format!(
                "somebody may be listening in; if the rack has a new certificate, \
                 `convox login {host} --tls-fingerprint {presented}` says so"
            ),
            Self::Unanswered { .. } => "look whether it was done before trying again".to_owned(),
            Self::Unauthorized { host, .. } => {
                format!("`convox login {host}` stores another password, if this one is outdated")
            }
            Self::Redirected { .. } => {
                "is that the address of a rack or a console? a password is not sent on".to_owned()
            }
            Self::NotARack { .. } | Self::TooLong { .. } => {
                "is that the address of a rack or a console, and does a proxy answer for it?"
                    .to_owned()
            }
            Self::SecurityKey { host } => format!(
                "make an API key in the settings of {host} and log in with that, or reach the \
                 rack itself with RACK_URL"
            ),
            Self::SessionRefused { host } => {
                format!("`convox login {host}` begins anew")
            }
            Self::Broken { .. } => "try again".to_owned(),
            Self::Unsendable { .. }
            | Self::Tls { .. }
            | Self::Refused { .. }
            | Self::Reported { .. } => return None,
        })
    }
}

impl From<RemoteError> for PortError {
    fn from(error: RemoteError) -> Self {
        Self::Remote {
            status: error.status(),
            transient: error.is_transient(),
            unanswered: error.is_unanswered(),
            hint: error.hint(),
            message: error.to_string(),
        }
    }
}

/// How long is too long, in the words of a message.
pub(super) fn timed_out(span: Duration) -> String {
    format!("nothing came for {} s", span.as_secs())
}
