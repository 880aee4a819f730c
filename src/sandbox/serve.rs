//! Serves an account on a port of this machine, to any AWS client.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::extract::connect_info::Connected;
use axum::response::IntoResponse as _;
use axum::serve::{IncomingStream, Listener};
use http::{Request, Response, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use super::account::Sandbox;
use super::rack_api::rack_of_path;

/// The largest request body: S3's is 5 GiB, a rehearsal's is a key or a template.
const LARGEST_BODY: usize = 16 << 20;

/// Opens a port of this machine; port 0 lets the system choose.
///
/// # Errors
/// `InvalidInput` for an address that others can reach, and whatever opening it gives.
pub async fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    loopback(address)?;
    TcpListener::bind(address).await
}

/// Serves `sandbox` until `shutdown` completes and the last request is answered.
///
/// # Errors
/// `InvalidInput` when others can reach the listener: anybody's credentials are
/// accepted, so the account is for this machine only.
pub async fn serve(
    listener: TcpListener,
    sandbox: Sandbox,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    loopback(listener.local_addr()?)?;
    let router = Router::new().fallback(answer).with_state(sandbox);
    let service = router.into_make_service_with_connect_info::<Line>();
    axum::serve(HangUpListener(listener), service)
        .with_graceful_shutdown(shutdown)
        .await
}

fn loopback(address: SocketAddr) -> io::Result<()> {
    if address.ip().is_loopback() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        format!(
            "the sandbox accepts anybody's credentials, so it is served on a loopback address \
             and not on {}",
            address.ip()
        ),
    ))
}

async fn answer(
    axum::extract::State(sandbox): axum::extract::State<Sandbox>,
    ConnectInfo(line): ConnectInfo<Line>,
    request: Request<Body>,
) -> Response<Body> {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // A bucket may be called `racks`, but calls to S3 are signed and not `Basic`.
    let signature = head.headers.get(http::header::AUTHORIZATION);
    let basic = signature.map(|it| it.as_bytes().starts_with(b"Basic "));
    let rack = rack_of_path(head.uri.path()).filter(|_| basic != Some(false));
    if let Some(rack) = rack.map(|(rack, _)| rack.to_owned()) {
        let request = Request::from_parts(head, body);
        return sandbox.rack_api(&rack, request).await.map(Body::from);
    }
    if basic == Some(true) {
        // No call to AWS has a password: this is a rack's API at the root, as a real one has it.
        let request = Request::from_parts(head, body);
        return sandbox.only_rack_api(request).await.map(Body::from);
    }
    match sandbox.handle(Request::from_parts(head, body)).await {
        Some(response) => response.map(Body::from),
        None => {
            // Whatever is written now does not arrive.
            line.hang_up();
            StatusCode::BAD_GATEWAY.into_response()
        }
    }
}

/// A connection, as far as it can be cut.
#[derive(Debug, Clone, Default)]
struct Line(Arc<AtomicBool>);

impl Line {
    fn hang_up(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Connected<IncomingStream<'_, HangUpListener>> for Line {
    fn connect_info(stream: IncomingStream<'_, HangUpListener>) -> Self {
        stream.io().line.clone()
    }
}

/// Accepts connections that can be cut before their response is written.
struct HangUpListener(TcpListener);

impl Listener for HangUpListener {
    type Io = HangUpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (HangUpStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        (
            HangUpStream {
                stream,
                line: Line::default(),
            },
            address,
        )
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

struct HangUpStream {
    stream: TcpStream,
    line: Line,
}

impl HangUpStream {
    fn check(&self) -> io::Result<()> {
        if self.line.0.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl AsyncRead for HangUpStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for HangUpStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::sandbox::world::World;

    #[tokio::test]
    async fn only_this_machine_is_served() {
        for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
            let error = bind(address.parse().unwrap()).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
            assert!(error.to_string().contains("loopback"), "{error}");
        }
        assert!(bind("127.0.0.1:0".parse().unwrap()).await.is_ok());
        let start = jiff::Timestamp::UNIX_EPOCH;
        let sandbox = Sandbox::of_world(World::new(start, 1), Clock::starting_at(start, 1.0));
        let open = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let error = serve(open, sandbox, std::future::pending())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("not on 0.0.0.0"), "{error}");
    }
}
