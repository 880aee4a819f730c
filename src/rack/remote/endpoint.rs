//! Where a rack's API is, and who asks.

use std::net::IpAddr;

use secrecy::{ExposeSecret as _, SecretString};

use super::error::RemoteError;

/// The console that is meant where nobody says otherwise.
pub const DEFAULT_CONSOLE: &str = "console.convox.com";

/// The user that a rack does not look at: the password decides.
const USER: &str = "convox";

/// The address of a rack's API or of a console, and the credentials for it.
///
/// `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Endpoint {
    secure: bool,
    /// The host, with its port where that is not the scheme's own.
    authority: String,
    username: String,
    password: SecretString,
    rack: Option<String>,
    session: Option<SecretString>,
}

impl Endpoint {
    /// Reads `HOST`, `HOST:PORT`, or an address with its scheme but without a user.
    ///
    /// `allow_http` is what `X_DEV_ALLOW_HTTP` asks for; without it plain HTTP is for this
    /// machine only.
    ///
    /// # Errors
    /// [`RemoteError::BadAddress`] for anything else, [`RemoteError::PlainHttp`] for HTTP.
    pub fn of_host(
        host: &str,
        password: SecretString,
        allow_http: bool,
    ) -> Result<Self, RemoteError> {
        let (secure, rest) = scheme(host.trim())?;
        if rest.contains('@') {
            return Err(bad("a host has no user in it; RACK_URL may have one"));
        }
        Self::new(secure, rest, USER.to_owned(), password, allow_http)
    }

    /// Reads `https://USER:PASSWORD@HOST[:PORT]`, as `RACK_URL` holds it.
    ///
    /// User and password are percent-decoded; what is left unescaped is taken as it is. Where
    /// there is no user it is `convox`.
    ///
    /// # Errors
    /// As [`Self::of_host`]; also [`RemoteError::BadAddress`] when there is no password.
    pub fn of_url(url: &str, allow_http: bool) -> Result<Self, RemoteError> {
        let url = url.trim();
        if !url.contains("://") {
            return Err(bad("RACK_URL must begin with https://"));
        }
        let (secure, rest) = scheme(url)?;
        let (user, host) = rest
            .rsplit_once('@')
            .ok_or_else(|| bad("RACK_URL has no password in it"))?;
        let (user, password) = user
            .split_once(':')
            .ok_or_else(|| bad("RACK_URL has no password in it"))?;
        let user = match decode(user)? {
            user if user.is_empty() => USER.to_owned(),
            user => user,
        };
        let password = SecretString::from(decode(password)?);
        Self::new(secure, host, user, password, allow_http)
    }

    fn new(
        secure: bool,
        authority: &str,
        username: String,
        password: SecretString,
        allow_http: bool,
    ) -> Result<Self, RemoteError> {
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if authority.is_empty() || !authority.chars().all(allowed) {
            return Err(bad("it must be HOST or HOST:PORT"));
        }
        let default = if secure { ":443" } else { ":80" };
        let authority = authority.to_ascii_lowercase();
        let authority = authority.strip_suffix(default).unwrap_or(&authority);
        let endpoint = Self {
            secure,
            authority: authority.to_owned(),
            username,
            password,
            rack: None,
            session: None,
        };
        let url = reqwest::Url::parse(&endpoint.url()).map_err(|_| bad("it is no address"))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(bad("it names no host"));
        }
        if !secure && !allow_http && !endpoint.is_loopback() {
            return Err(RemoteError::PlainHttp {
                host: endpoint.authority,
            });
        }
        Ok(endpoint)
    }

    /// Names the rack that is meant, `NAME` or `ORGANIZATION/NAME`, as a console wants it.
    #[must_use]
    pub fn with_rack(mut self, rack: Option<String>) -> Self {
        self.rack = rack.filter(|rack| !rack.is_empty());
        self
    }

    /// Goes on with a session that a console has given before.
    #[must_use]
    pub fn with_session(mut self, session: Option<String>) -> Self {
        self.session = session
            .filter(|session| !session.is_empty())
            .map(SecretString::from);
        self
    }

    /// The same place with another password.
    #[must_use]
    pub fn with_password(mut self, password: SecretString) -> Self {
        self.password = password;
        self
    }

    /// Returns the host, with `:PORT` where that is not the usual one: the name that the
    /// classic's files keep it under.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.authority
    }

    /// Returns the rack that is named.
    #[must_use]
    pub fn rack(&self) -> Option<&str> {
        self.rack.as_deref()
    }

    /// Tells whether this is the public console, whose certificate is never taken on trust.
    #[must_use]
    pub fn is_default_console(&self) -> bool {
        self.authority == DEFAULT_CONSOLE
    }

    /// Tells whether this is the machine itself.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let name = self.name();
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Returns `https://HOST[:PORT]`.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.secure { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    pub(super) fn is_secure(&self) -> bool {
        self.secure
    }

    /// Returns the host without its port and without the brackets of an IPv6 address.
    pub(super) fn name(&self) -> &str {
        if let Some(rest) = self.authority.strip_prefix('[') {
            return rest.split(']').next().unwrap_or(rest);
        }
        self.authority.split(':').next().unwrap_or_default()
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    pub(super) fn password(&self) -> &SecretString {
        &self.password
    }

    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_ref().map(SecretString::expose_secret)
    }
}

fn bad(message: &str) -> RemoteError {
    RemoteError::BadAddress {
        message: message.to_owned(),
    }
}

/// Takes the scheme off; without one it is HTTPS.
fn scheme(address: &str) -> Result<(bool, &str), RemoteError> {
    match address.split_once("://") {
        None => Ok((true, address)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => Ok((true, rest)),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => Ok((false, rest)),
        // What comes before may be part of a secret.
        Some(_) => Err(bad("it must begin with https://")),
    }
}

/// Decodes `%XX`; a percent sign that is no escape stays.
fn decode(text: &str) -> Result<String, RemoteError> {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = hex(bytes.get(at + 1)).zip(hex(bytes.get(at + 2)));
        match pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok()) {
            Some(escaped) if byte == b'%' => {
                decoded.push(escaped);
                at += 3;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(decoded).map_err(|_| bad("the user or the password in it is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(endpoint: &Endpoint) -> (String, &str, &str) {
        (
            endpoint.url(),
            endpoint.username(),
            endpoint.password().expose_secret(),
        )
    }

    #[test]
    fn a_rack_url_is_taken_apart_and_decoded() {
        for (url, expected) in [
            (
                "https://convox:secret@rack.example.com",
                ("https://rack.example.com", "convox", "secret"),
            ),
            (
                "https://jwt:a.b-c_d@rack.example.com:5443/",
                ("https://rack.example.com:5443", "jwt", "a.b-c_d"),
            ),
            (
                "https://convox:p%40ss%2Fw%2Brd%20%25%26@Rack.Example.com:443",
                ("https://rack.example.com", "convox", "p@ss/w+rd %&"),
            ),
            (
                "https://convox:p@ss/w+rd %&100%@rack.example.com",
                ("https://rack.example.com", "convox", "p@ss/w+rd %&100%"),
            ),
            (
                "https://:a:b@[::1]:5443",
                ("https://[::1]:5443", "convox", "a:b"),
            ),
            (
                "http://convox:x@127.0.0.1:80",
                ("http://127.0.0.1", "convox", "x"),
            ),
        ] {
            let endpoint = Endpoint::of_url(url, false).unwrap();
            let (origin, user, password) = parts(&endpoint);
            assert_eq!((origin.as_str(), user, password), expected, "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for url in [
            "",
            "rack.example.com",
            "https://rack.example.com",
            "https://hunter2@rack.example.com",
            "ftp://convox:hunter2@rack.example.com",
            "https://convox:hunter2@rack.example.com/path",
            "https://convox:hunter2@rack example.com",
            "https://convox:hunter2@rack.example.com:99999",
            "https://convox:hunter2%ff@rack.example.com",
            "https://convox:hunter2@",
            "http://convox:hunter2@rack.example.com",
        ] {
            let error = Endpoint::of_url(url, false).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"), "{url}");
        }
        let http = "http://convox:hunter2@rack.example.com";
        assert!(Endpoint::of_url(http, true).is_ok(), "when asked for");
    }

    #[test]
    fn a_host_is_lower_case_and_keeps_an_unusual_port() {
        let endpoint = |host| Endpoint::of_host(host, "s".into(), false).unwrap();
        assert_eq!(endpoint("Console.Convox.com").host(), DEFAULT_CONSOLE);
        assert!(endpoint("https://console.convox.com/").is_default_console());
        assert_eq!(
            endpoint("rack.example.com:5443").host(),
            "rack.example.com:5443"
        );
        assert!(endpoint("localhost:5443").is_loopback());
        assert!(endpoint("http://127.0.0.1:5443").is_loopback());
        assert!(!endpoint("localhost.example.com").is_loopback());
        assert!(Endpoint::of_host("a@b", "s".into(), false).is_err());
        assert!(
            !format!("{:?}", Endpoint::of_host("a", "hunter2".into(), false)).contains("hunter2")
        );
    }
}
