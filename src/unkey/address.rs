//! Where a key service is.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::error::UnkeyError;

/// The address of a key service, to which `/v2/` and the name of an operation are added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address(Url);

impl Address {
    /// Reads `https://HOST`, `HOST` (which is the same) or `http://127.0.0.1:PORT`, with a path
    /// where the service has one.
    ///
    /// `allow_http` is what `X_DEV_ALLOW_HTTP` asks for; without it plain HTTP, which shows every
    /// secret to the network, is for this machine only.
    ///
    /// # Errors
    /// [`UnkeyError::BadAddress`] for anything else, [`UnkeyError::PlainHttp`] for HTTP.
    pub fn parse(text: &str, allow_http: bool) -> Result<Self, UnkeyError> {
        let text = text.trim();
        let whole = if text.contains("://") {
            text.to_owned()
        } else {
            format!("https://{text}")
        };
        let url = Url::parse(&whole).map_err(|_| bad("it is no address"))?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(bad("it must begin with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(bad(
                "there is a user in it; the root key is given by itself",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("nothing may follow its path"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("it names no host"));
        }
        let address = Self(url);
        if !address.is_secure() && !allow_http && !address.is_loopback() {
            let host = address.host();
            return Err(UnkeyError::PlainHttp { host });
        }
        Ok(address)
    }

    /// Returns `HOST`, with `:PORT` where that is not the scheme's own.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// Tells whether this is the machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.0.host_str().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    pub(super) fn is_secure(&self) -> bool {
        self.0.scheme() == "https"
    }

    pub(super) fn operation(&self, name: &str) -> String {
        let base = self.0.as_str().trim_end_matches('/');
        format!("{base}/v2/{name}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

fn bad(message: &str) -> UnkeyError {
    UnkeyError::BadAddress {
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_leads_to_operations() {
        for (text, expected) in [
            ("api.unkey.com", "https://api.unkey.com/v2/keys.getKey"),
            (
                "https://api.unkey.com/",
                "https://api.unkey.com/v2/keys.getKey",
            ),
            (
                "http://127.0.0.1:8480",
                "http://127.0.0.1:8480/v2/keys.getKey",
            ),
            ("http://[::1]:8480", "http://[::1]:8480/v2/keys.getKey"),
            (
                "https://example.com/keys/",
                "https://example.com/keys/v2/keys.getKey",
            ),
        ] {
            let address = Address::parse(text, false).unwrap();
            assert_eq!(address.operation("keys.getKey"), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_and_never_repeated() {
        for text in [
            "",
            "ftp://example.com",
            "https://",
            "https://user:hunter2@example.com",
            "https://example.com/?root=hunter2",
        ] {
            let error = Address::parse(text, true).unwrap_err();
            assert!(
                matches!(error, UnkeyError::BadAddress { .. }),
                "{text}: {error}"
            );
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for text in ["http://localhost:1", "http://127.9.9.9", "http://[::1]"] {
            assert!(Address::parse(text, false).unwrap().is_loopback(), "{text}");
        }
        let far = "http://example.com:81";
        let refused = Address::parse(far, false).unwrap_err();
        let host = "example.com:81".to_owned();
        assert_eq!(refused, UnkeyError::PlainHttp { host });
        assert!(Address::parse(far, true).is_ok());
    }
}
