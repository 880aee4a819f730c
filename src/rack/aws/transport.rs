//! How requests leave: over the network, or to a function in this process.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use aws_sdk_cloudformation::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_async::rt::sleep::{AsyncSleep, SharedAsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::{Builder, ConnectorBuilder};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, Metadata};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use bytes::Bytes;

use crate::clock::Clock;

/// The answer to come of an in-process request; `None` is a connection that was lost.
type Answer = Pin<Box<dyn Future<Output = Option<http::Response<Bytes>>> + Send>>;

/// An AWS account as a function in this process.
///
/// `None` means that the connection broke before an answer came, whatever the
/// account did with the request.
pub type InProcess = Arc<dyn Fn(http::Request<Bytes>) -> Answer + Send + Sync>;

/// Is told the service and the operation of every attempt, such as
/// `("CloudFormation", "DescribeStackEvents")`.
pub type Trace = Arc<dyn Fn(&str, &str) + Send + Sync>;

/// How requests leave.
#[derive(Clone)]
pub enum Transport {
    /// Over HTTPS, with the credentials of the SDK's ordinary chain.
    Network,
    /// To a function in this process, with made-up credentials.
    InProcess(InProcess),
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Network => "Network",
            Self::InProcess(_) => "InProcess",
        })
    }
}

/// Makes an SDK client of a function.
pub(super) fn client_of(account: InProcess) -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Connector(account));
    http_client_fn(move |_, _| connector.clone())
}

/// Makes the client that the SDK takes where it is given none, by its own means: HTTPS, and the
/// environment's proxy.
pub(super) fn https_client() -> SharedHttpClient {
    Builder::new().build_with_connector_fn(|settings, components| {
        let mode = CryptoMode::AwsLc;
        let mut connector = ConnectorBuilder::default().tls_provider(Provider::Rustls(mode));
        connector.set_connector_settings(settings.cloned());
        connector.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        connector.set_proxy_config(Some(ProxyConfig::from_env()));
        connector.build()
    })
}

/// Returns what carries a request that no SDK client makes: as for one that does.
pub(super) fn connector_of(transport: &Transport, clock: &Clock) -> SharedHttpConnector {
    match transport {
        Transport::InProcess(account) => SharedHttpConnector::new(Connector(Arc::clone(account))),
        Transport::Network => {
            let limits = HttpConnectorSettings::builder()
                .connect_timeout(Duration::from_secs(5))
                .read_timeout(Duration::from_secs(30))
                .build();
            let mut connector =
                ConnectorBuilder::default().tls_provider(Provider::Rustls(CryptoMode::AwsLc));
            connector.set_connector_settings(Some(limits));
            connector.set_sleep_impl(Some(SharedAsyncSleep::new(SdkClock(clock.clone()))));
            connector.set_proxy_config(Some(ProxyConfig::from_env()));
            SharedHttpConnector::new(connector.build())
        }
    }
}

struct Connector(InProcess);

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connector")
    }
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let account = Arc::clone(&self.0);
        HttpConnectorFuture::new(async move { carry(&account, request).await })
    }
}

async fn carry(account: &InProcess, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = ConnectorError::user;
    let (parts, body) = request
        .try_into_http1x()
        .map_err(|e| user(e.into()))?
        .into_parts();
    let bytes = match body.bytes() {
        Some(bytes) => Bytes::copy_from_slice(bytes),
        None => ByteStream::new(body)
            .collect()
            .await
            .map_err(|e| user(e.into()))?
            .into_bytes(),
    };
    let answer = account(http::Request::from_parts(parts, bytes)).await;
    let Some(answer) = answer else {
        return Err(ConnectorError::io("the connection was lost".into()));
    };
    HttpResponse::try_from(answer.map(SdkBody::from)).map_err(|e| user(e.into()))
}

/// Our clock, as the SDK sleeps on one and reads the time from it.
#[derive(Debug, Clone)]
pub(super) struct SdkClock(pub(super) Clock);

impl AsyncSleep for SdkClock {
    fn sleep(&self, span: Duration) -> Sleep {
        let clock = self.0.clone();
        Sleep::new(async move { clock.sleep(span).await })
    }
}

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        self.0.now().into()
    }
}

/// Tells a [`Trace`] of every attempt.
#[derive(Clone)]
pub(super) struct Tracer(pub(super) Trace);

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tracer")
    }
}

impl Intercept for Tracer {
    fn name(&self) -> &'static str {
        "Tracer"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(call) = config.load::<Metadata>() {
            (self.0)(call.service(), call.name());
        }
        Ok(())
    }
}
