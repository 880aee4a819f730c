//! The API of the sandbox's rack, asked as a client over HTTP would.

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use convox::rack::{ApiProbe, PortError};
use convox::sandbox::Sandbox;
use http::Request;
use secrecy::{ExposeSecret as _, SecretString};

/// Asks the API of the rack `prod`.
pub(crate) struct Probe(pub(crate) Sandbox);

pub(crate) async fn accepts(sandbox: &Sandbox, password: &str) -> Result<bool, PortError> {
    let basic = STANDARD.encode(format!("convox:{password}"));
    let request = Request::get("/auth")
        .header("Authorization", format!("Basic {basic}"))
        .body(bytes::Bytes::new())
        .unwrap();
    let status = sandbox.rack_api("prod", request).await.status().as_u16();
    match status {
        200 => Ok(true),
        401 => Ok(false),
        status => Err(PortError::Unanswered {
            api: "GET /auth",
            message: format!("HTTP {status}"),
        }),
    }
}

#[async_trait]
impl ApiProbe for Probe {
    fn describe(&self) -> String {
        "rack.example.com".to_owned()
    }

    async fn accepts(&self, password: &SecretString) -> Result<bool, PortError> {
        accepts(&self.0, password.expose_secret()).await
    }
}
