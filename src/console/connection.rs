//! One connection: what it may send, and for how long anybody waits for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::stalled::Stalled;
use crate::clock::Clock;

/// What is granted to a connection.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionOptions {
    /// How many there may be at once; more wait to be taken.
    pub most: usize,
    /// How many headers a request may have.
    pub headers: usize,
    /// How many bytes a request may have before its body.
    pub header_size: usize,
    /// For how long a client may take over the beginning of TLS, over what comes before a body,
    /// and between two requests.
    pub header_time: Duration,
    /// For how long a client may take none of what it is sent.
    pub write_time: Duration,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            most: 10_000,
            headers: 64,
            header_size: 32 * 1024,
            header_time: Duration::from_secs(30),
            write_time: Duration::from_secs(30),
        }
    }
}

/// How connections are served.
#[derive(Clone)]
pub(super) struct Connections {
    pub(super) router: Router,
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) options: ConnectionOptions,
    pub(super) clock: Clock,
}

impl Connections {
    /// Serves a connection to its end. Once `stopping` changes, the request under way is the last.
    pub(super) async fn serve(self: Arc<Self>, stream: TcpStream, stopping: watch::Receiver<bool>) {
        // Answers are small, and whoever waits for one waits for all of it.
        let _ = stream.set_nodelay(true);
        let Some(acceptor) = &self.tls else {
            return self.talk(stream, stopping).await;
        };
        let encrypted = tokio::select! {
            encrypted = acceptor.accept(stream) => encrypted,
            () = self.clock.sleep(self.options.header_time) => return,
        };
        if let Ok(encrypted) = encrypted {
            self.talk(encrypted, stopping).await;
        }
    }

    async fn talk<I>(&self, io: I, mut stopping: watch::Receiver<bool>)
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let options = &self.options;
        let io = Stalled::new(io, self.clock.clone(), options.write_time);
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(options.header_time)
            .max_headers(options.headers)
            .max_header_size(options.header_size)
            .max_buf_size(2 * options.header_size.max(8 * 1024));
        let service = TowerToHyperService::new(self.router.clone());
        let connection = builder.serve_connection(TokioIo::new(io), service);
        let mut connection = std::pin::pin!(connection.with_upgrades());
        // What goes wrong on a connection is its client's affair.
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}
