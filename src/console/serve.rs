//! Serves the console on a port.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::broker;
use super::connection::Connections;
use super::pages::Pages;
use super::service::Service;
use super::tls::TlsFiles;
use super::v2;
use crate::clock::Clock;

/// For how long requests may go on once the server was asked to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(20);
/// For how long counts are added up before the end; the next server goes on with them.
const LAST_COUNTS: Duration = Duration::from_secs(2);
/// After how long a port is tried again that gave no connection: most likely too many are open.
const PAUSE: Duration = Duration::from_millis(500);
/// How often counts are forgotten that no window covers any more.
const PURGE: Duration = Duration::from_mins(1);

/// Returns all that the console answers.
pub fn router(service: &Service) -> Router {
    let service = service.clone();
    let pages = Arc::new(Pages::new(&service));
    let other = service.clone();
    let routes = v2::router(&service).method_not_allowed_fallback(async move |request| {
        let request: Request<Body> = request;
        v2::other_method(&other, &request)
    });
    routes.fallback(async move |request: Request<Body>| {
        if request.uri().path().starts_with("/v2/") {
            return v2::unknown(&service, &request);
        }
        if Pages::is_for(&request) {
            return pages.clone().answer(request).await;
        }
        broker::answer(service.clone(), request).await
    })
}

/// Serves `service` on `listener`, encrypted where there is `tls`, until `stop` comes, and then
/// until the last request is answered.
pub async fn serve(
    listener: TcpListener,
    tls: Option<TlsFiles>,
    service: Service,
    stop: impl Future<Output = ()> + Send,
) {
    let options = service.options().connection;
    let connections = Arc::new(Connections {
        router: router(&service),
        tls: tls.map(|tls| TlsAcceptor::from(tls.config)),
        options,
        clock: service.clock().clone(),
    });
    let (stopping, asked) = watch::channel(false);
    tokio::select! {
        () = stop => {}
        () = accept_for_ever(&listener, &connections, &asked) => {}
        () = purge_for_ever(&service) => {}
    }
    // Nobody new: the others are told, and waited for.
    drop((listener, asked));
    let _ = stopping.send(true);
    tokio::select! {
        () = stopping.closed() => {}
        () = service.clock().sleep(LAST_REQUESTS) => {}
    }
    // Nobody verifies any more.
    if let Err(error) = service.write_counts(LAST_COUNTS).await {
        service.log(&format!("the last second is not counted: {error}"));
    }
    service.store().close().await;
}

async fn accept_for_ever(
    listener: &TcpListener,
    connections: &Arc<Connections>,
    asked: &watch::Receiver<bool>,
) {
    let room = Arc::new(Semaphore::new(connections.options.most));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&room).acquire_owned().await {
        let stream = accept(listener, &connections.clock).await;
        let serving = Arc::clone(connections).serve(stream, asked.clone());
        tokio::spawn(async move {
            serving.await;
            drop(place);
        });
    }
}

async fn accept(listener: &TcpListener, clock: &Clock) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(_) => clock.sleep(PAUSE).await,
        }
    }
}

async fn purge_for_ever(service: &Service) {
    loop {
        service.clock().sleep(PURGE).await;
        service.windows().purge(service.now());
    }
}
