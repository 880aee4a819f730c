//! The proxies that the environment asks for.

use reqwest::{ClientBuilder, NoProxy, Proxy};

use super::endpoint::Endpoint;
use super::error::RemoteError;

/// What `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` say, in either case.
///
/// `HTTP_PROXY` is heeded in lower case too, and neither is where a web server would have set it
/// from a request (`REQUEST_METHOD` is there). The machine itself is never reached by a proxy.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    https: Option<(String, String)>,
    http: Option<(String, String)>,
    except: String,
}

impl Proxies {
    /// Uses no proxy.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// Reads the variables through `variable`.
    #[must_use]
    pub fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: [&str; 2]| {
            names.into_iter().find_map(|name| {
                let value = variable(name).filter(|value| !value.is_empty())?;
                Some((name.to_owned(), value))
            })
        };
        let in_cgi = variable("REQUEST_METHOD").is_some();
        Self {
            https: first(["HTTPS_PROXY", "https_proxy"]),
            http: first(["HTTP_PROXY", "http_proxy"]).filter(|_| !in_cgi),
            except: first(["NO_PROXY", "no_proxy"]).map_or_else(String::new, |(_, value)| value),
        }
    }

    /// Reads the variables of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self::of(|name| std::env::var(name).ok())
    }

    /// Has a client use the proxy that fits `endpoint`, and no other.
    pub(super) fn apply(
        &self,
        client: ClientBuilder,
        endpoint: &Endpoint,
    ) -> Result<ClientBuilder, RemoteError> {
        let client = client.no_proxy();
        let proxy = if endpoint.is_secure() {
            &self.https
        } else {
            &self.http
        };
        let Some((variable, address)) = proxy.as_ref().filter(|_| !endpoint.is_loopback()) else {
            return Ok(client);
        };
        // The address may hold a password, so that the library's own words are not repeated.
        let proxy = Proxy::all(address.as_str()).map_err(|_| RemoteError::Proxy {
            variable: variable.clone(),
            message: "it is no address".to_owned(),
        })?;
        Ok(client.proxy(proxy.no_proxy(NoProxy::from_string(&self.except))))
    }
}
