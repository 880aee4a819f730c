//! Websockets as a rack has them: text both ways, and an empty binary frame for the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{SinkExt as _, StreamExt as _};
use http::header::{CONNECTION, HOST, ORIGIN, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::OwnedSemaphorePermit;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::Call;
use super::answer::Refused;
use super::logs::Viewer;
use crate::console::service::Service;
use crate::rack::Duplex;

/// The largest message that is taken from a client, in bytes.
const LARGEST: usize = 1 << 20;

/// How often it is looked whether whoever has a websocket to a rack may still have it.
const BETWEEN_CHECKS: Duration = Duration::from_secs(30);
/// For how many looks neither end may say anything; clients ping every few seconds.
const SILENT: u32 = 20;

/// A websocket that a client asks for.
pub(super) struct Asked {
    key: String,
    upgrade: OnUpgrade,
}

/// A websocket.
pub(super) struct Socket(WebSocketStream<TokioIo<Upgraded>>);

/// Tells whether a websocket is asked for.
pub(super) fn is_asked_for(headers: &HeaderMap) -> bool {
    has_word(headers, CONNECTION.as_str(), "upgrade")
        && has_word(headers, UPGRADE.as_str(), "websocket")
}

impl Asked {
    /// Takes the websocket out of a request; none if it asks for none.
    ///
    /// # Errors
    /// When a page of another origin asks for it, or in a way that is not understood.
    pub(super) fn of(head: &mut Parts) -> Result<Option<Self>, Refused> {
        if !is_asked_for(&head.headers) {
            return Ok(None);
        }
        // Whoever is no browser sends none.
        let origin = head.headers.get(ORIGIN).map(HeaderValue::as_bytes);
        let host = head.headers.get(HOST).map(HeaderValue::as_bytes);
        if origin.is_some_and(|origin| host_of(origin) != host) {
            return Err(Refused::Origin);
        }
        let version = head.headers.get("sec-websocket-version");
        let key = head.headers.get("sec-websocket-key");
        let key = key.and_then(|key| key.to_str().ok());
        let upgrade = head.extensions.remove::<OnUpgrade>();
        match (version.map(HeaderValue::as_bytes), key, upgrade) {
            (Some(b"13"), Some(key), Some(upgrade)) => Ok(Some(Self {
                key: key.to_owned(),
                upgrade,
            })),
            _ => Err(Refused::Bad("it is no websocket of version 13".to_owned())),
        }
    }

    /// Accepts it, and has `talk` talk on it once it is open.
    ///
    /// # Errors
    /// When the service has as many open as it may have.
    pub(super) fn accept<F>(
        self,
        service: &Service,
        talk: impl FnOnce(Socket) -> F + Send + 'static,
    ) -> Result<Response, Refused>
    where
        F: Future<Output = ()> + Send,
    {
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        Ok(self.take(place(service)?, async move |io| {
            let stream = WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await;
            talk(Socket(stream)).await;
        }))
    }

    /// Accepts it as a rack has done with its `head`, and carries whatever comes from the client to
    /// `far` and back, until either is gone, neither says anything, or the caller may not any more.
    pub(super) fn bridge(
        self,
        call: &Call,
        place: OwnedSemaphorePermit,
        head: http::Response<()>,
        far: Box<dyn Duplex>,
    ) -> Response {
        let mut response = switching();
        for (name, value) in head.headers() {
            response.headers_mut().append(name, value.clone());
        }
        let (service, viewer) = (call.service.clone(), Viewer::of(call));
        self.hold(place, async move |near| {
            let heard = AtomicBool::new(true);
            tokio::select! {
                () = relay(near, far, &heard) => {}
                () = watch(&service, &viewer, &heard) => {}
            }
        });
        response
    }

    /// Accepts it, and has `talk` read and write its frames by itself once it is open.
    pub(super) fn take<F>(
        self,
        place: OwnedSemaphorePermit,
        talk: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
    ) -> Response
    where
        F: Future<Output = ()> + Send,
    {
        let mut response = switching();
        let accepted = derive_accept_key(self.key.as_bytes());
        if let Ok(accepted) = HeaderValue::from_str(&accepted) {
            let headers = response.headers_mut();
            headers.insert("sec-websocket-accept", accepted);
        }
        self.hold(place, talk);
        response
    }

    /// Has `talk` talk as soon as the client has heard that it may.
    fn hold<F>(
        self,
        place: OwnedSemaphorePermit,
        talk: impl FnOnce(TokioIo<Upgraded>) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send,
    {
        tokio::spawn(async move {
            if let Ok(upgraded) = self.upgrade.await {
                talk(TokioIo::new(upgraded)).await;
            }
            drop(place);
        });
    }
}

/// Takes one of the places that there are for websockets.
///
/// # Errors
/// When there is none left.
pub(super) fn place(service: &Service) -> Result<OwnedSemaphorePermit, Refused> {
    let place = Arc::clone(service.sockets()).try_acquire_owned();
    place.map_err(|_| Refused::Full)
}

fn switching() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    response
}

/// Carries bytes both ways until both ends have ended, or one is gone.
async fn relay(near: TokioIo<Upgraded>, far: Box<dyn Duplex>, heard: &AtomicBool) {
    let (mut from_near, mut to_near) = tokio::io::split(near);
    let (mut from_far, mut to_far) = tokio::io::split(far);
    // What breaks on one end is the end of both.
    let _ = tokio::try_join!(
        carry(&mut from_near, &mut to_far, heard),
        carry(&mut from_far, &mut to_near, heard),
    );
}

async fn carry(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    heard: &AtomicBool,
) -> std::io::Result<()> {
    let mut piece = vec![0; 16 * 1024];
    loop {
        let length = from.read(&mut piece).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        heard.store(true, Ordering::Relaxed);
        to.write_all(&piece[..length]).await?;
        to.flush().await?;
    }
}

/// Returns once nothing was heard for a while, or `viewer` may not look any more.
pub(super) async fn watch(service: &Service, viewer: &Viewer, heard: &AtomicBool) {
    let mut silent = 0;
    while silent < SILENT {
        service.clock().sleep(BETWEEN_CHECKS).await;
        if !viewer.may_look(service).await {
            return;
        }
        silent = if heard.swap(false, Ordering::Relaxed) {
            0
        } else {
            silent + 1
        };
    }
}

impl Socket {
    /// Sends text; tells whether the client is still there.
    pub(super) async fn send(&mut self, text: String) -> bool {
        self.0.send(Message::text(text)).await.is_ok()
    }

    /// Ends it, as a rack does.
    pub(super) async fn end(mut self) {
        let _ = self.0.send(Message::binary(Vec::new())).await;
        let _ = self.0.close(None).await;
    }

    /// Waits for whatever the client sends, and answers pings; tells whether it is still there.
    pub(super) async fn hear(&mut self) -> bool {
        matches!(self.0.next().await, Some(Ok(message)) if !message.is_close())
    }

    /// Asks the client whether it is still there.
    pub(super) async fn ping(&mut self) {
        // If it is not, it is not heard either.
        let _ = self.0.send(Message::Ping(Bytes::new())).await;
    }
}

fn has_word(headers: &HeaderMap, name: &str, word: &str) -> bool {
    let values = headers.get_all(name).into_iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let mut words = texts.flat_map(|text| text.split(','));
    words.any(|found| found.trim().eq_ignore_ascii_case(word))
}

/// Returns host and port of an origin such as `https://rack.example.com:5443`.
fn host_of(origin: &[u8]) -> Option<&[u8]> {
    let schemes: [&[u8]; 2] = [b"https://", b"http://"];
    schemes
        .into_iter()
        .find_map(|scheme| origin.strip_prefix(scheme))
}
