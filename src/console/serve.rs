//! Serves the console on a port.

use std::time::Duration;

use axum::Router;
use tokio::net::TcpListener;

use super::service::Service;
use super::v2;

/// For how long requests may go on once the server was asked to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(20);

/// Why the console is not served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port cannot be listened on, or what listens fails.
    #[error("cannot listen: {0}")]
    Listen(#[from] std::io::Error),
}

/// Returns all that the console answers.
#[must_use]
pub fn router(service: &Service) -> Router {
    v2::router(service)
}

/// Serves `service` on `listener` until `stop` comes, and then until the last request is answered.
///
/// # Errors
/// When the port fails.
pub async fn serve(
    listener: TcpListener,
    service: Service,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let (told, asked) = tokio::sync::oneshot::channel::<()>();
    let serving = axum::serve(listener, router(&service)).with_graceful_shutdown(async move {
        stop.await;
        let _ = told.send(());
    });
    let clock = service.clock().clone();
    tokio::select! {
        served = async { serving.await } => served?,
        () = async {
            let _ = asked.await;
            clock.sleep(LAST_REQUESTS).await;
        } => {}
    }
    // Nobody verifies any more; if this fails, the last second is not counted.
    let _ = service.write_counts().await;
    service.store().close().await;
    Ok(())
}
