//! Websockets, which a task of their own reads and writes.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{StatusCode, Upgraded};
use tokio::io::{AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::client::Remote;
use super::error::RemoteError;
use super::exchange::{Request, value};
use crate::clock::Clock;
pub(super) use crate::frames::{Message, Outgoing};
use crate::frames::{Read, Reader};

type Result<T> = std::result::Result<T, RemoteError>;

/// How often the other side is pinged, so that nobody on the way thinks us gone.
const PING_EVERY: Duration = Duration::from_secs(5);

/// How many messages wait to be read before the other side has to.
const WAITING: usize = 64;

/// An open websocket, read and written by a task of its own.
#[derive(Debug)]
pub(super) struct Socket {
    host: String,
    messages: mpsc::Receiver<std::result::Result<Message, String>>,
    outgoing: mpsc::Sender<Outgoing>,
    pump: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

impl Socket {
    fn new(host: String, upgraded: Upgraded, clock: Clock) -> Self {
        let (read, write) = tokio::io::split(upgraded);
        let (outgoing, to_send) = mpsc::channel(WAITING);
        let (received, messages) = mpsc::channel(WAITING);
        let pongs = outgoing.clone();
        let pump = tokio::spawn(async move {
            let reading = read_all(Reader::new(read), received.clone(), pongs);
            tokio::select! {
                () = reading => {}
                error = write_all(write, to_send, clock) => {
                    let _ = received.send(Err(error)).await;
                }
            }
        });
        Self {
            host,
            messages,
            outgoing,
            pump,
        }
    }

    /// Returns the next message; none after the other side has closed the connection in order.
    ///
    /// Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Result<Option<Message>> {
        match self.messages.recv().await {
            None => Ok(None),
            Some(Ok(message)) => Ok(Some(message)),
            Some(Err(message)) => Err(self.broken(message)),
        }
    }

    /// Returns what sends; it may be cloned and used from elsewhere.
    pub(super) fn sender(&self) -> mpsc::Sender<Outgoing> {
        self.outgoing.clone()
    }

    pub(super) fn host(&self) -> &str {
        &self.host
    }

    pub(super) fn broken(&self, message: impl Into<String>) -> RemoteError {
        RemoteError::Broken {
            host: self.host.clone(),
            message: message.into(),
        }
    }
}

impl Remote {
    /// Opens a websocket, by the same way that every request goes.
    pub(super) async fn open(
        &self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket> {
        let request = Request::get(path);
        let name = format!("GET {path}");
        let key = generate_key();
        let mut all = self.identity(None, false)?;
        let origin = self.0.endpoint.url();
        let upgrade = [
            ("connection", "Upgrade"),
            ("origin", origin.as_str()),
            ("sec-websocket-key", key.as_str()),
            ("sec-websocket-version", "13"),
            ("upgrade", "websocket"),
        ];
        for (name, text) in upgrade.iter().chain(headers) {
            all.push((name, value("the command", text)?));
        }
        let all = self.compose(all, None)?;
        let sent = self.0.client.get(self.url(path, false)).headers(all);
        let response = sent.send().await;
        let response = response.map_err(|error| self.failed(&name, &error))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            // An answer of success is none here.
            let body = self.finish(&request, response).await?;
            let what = if body.trim_ascii_start().starts_with(b"<") {
                "a web page"
            } else {
                "something else than a websocket"
            };
            return Err(self.not_a_rack(&request, what));
        }
        let accepted = response.headers().get("sec-websocket-accept");
        if accepted.is_none_or(|accept| *accept != derive_accept_key(key.as_bytes())) {
            return Err(self.not_a_rack(&request, "a websocket that was meant for somebody else"));
        }
        let upgraded = response.upgrade().await;
        let upgraded = upgraded.map_err(|error| self.failed(&name, &error))?;
        Ok(Socket::new(
            self.host().to_owned(),
            upgraded,
            self.0.clock.clone(),
        ))
    }
}

/// Reads until the connection ends, and says so if that was not in order.
async fn read_all(
    mut reader: Reader<ReadHalf<Upgraded>>,
    received: mpsc::Sender<std::result::Result<Message, String>>,
    pongs: mpsc::Sender<Outgoing>,
) {
    loop {
        let message = match reader.next().await {
            Ok(Read::Message(message)) => Ok(message),
            Ok(Read::Ping(payload)) => {
                // One pong more or less matters to nobody.
                let _ = pongs.try_send(Outgoing::Pong(payload));
                continue;
            }
            Ok(Read::Sign) => continue,
            Ok(Read::Closed) => return,
            Err(message) => Err(message),
        };
        let is_last = message.is_err();
        if received.send(message).await.is_err() || is_last {
            return;
        }
    }
}

/// Writes what is to be sent, and a ping now and then; returns why it cannot any more.
async fn write_all(
    mut write: WriteHalf<Upgraded>,
    mut to_send: mpsc::Receiver<Outgoing>,
    clock: Clock,
) -> String {
    loop {
        let next = tokio::select! {
            next = to_send.recv() => next,
            () = clock.sleep(PING_EVERY) => Some(Outgoing::Ping),
        };
        let Some(next) = next else {
            // The reader holds a sender as long as it reads.
            return "it was closed".to_owned();
        };
        let written = async {
            write.write_all(&next.encode(Some(mask()))).await?;
            write.flush().await
        };
        if let Err(error) = written.await {
            return error.to_string();
        }
    }
}

/// Four bytes of the randomness that the websocket library makes its keys of.
fn mask() -> [u8; 4] {
    let key = STANDARD.decode(generate_key()).unwrap_or_default();
    key.first_chunk().copied().unwrap_or_default()
}
