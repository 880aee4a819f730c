//! Websockets, frame by frame.
//!
//! The frames are taken apart here, on the types of the websocket library: a rack sends whatever
//! a program prints as text frames, cut anywhere, and the library's own reader refuses a text
//! frame that is not UTF-8.

use std::io::Cursor;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Buf as _, BytesMut};
use reqwest::{StatusCode, Upgraded};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

use super::client::Remote;
use super::error::RemoteError;
use super::exchange::{Request, shorten, value};
use crate::clock::Clock;

type Result<T> = std::result::Result<T, RemoteError>;

/// How often the other side is pinged, so that nobody on the way thinks us gone.
const PING_EVERY: Duration = Duration::from_secs(5);

/// No message of a rack comes near this, in bytes.
const LIMIT: usize = 4 << 20;

/// How many messages wait to be read before the other side has to.
const WAITING: usize = 64;

/// A message of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Message {
    /// Text, as the bytes that it came as.
    Text(Vec<u8>),
    /// An empty binary frame: nothing more will come.
    End,
}

/// What is sent.
#[derive(Debug)]
pub(super) enum Outgoing {
    Text(Vec<u8>),
    End,
    Ping,
    Pong(Vec<u8>),
}

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
    mut reader: Reader,
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
            write.write_all(&encode(next)).await?;
            write.flush().await
        };
        if let Err(error) = written.await {
            return error.to_string();
        }
    }
}

fn encode(outgoing: Outgoing) -> Vec<u8> {
    let mut frame = match outgoing {
        Outgoing::Text(text) => Frame::message(text, OpCode::Data(Data::Text), true),
        Outgoing::End => Frame::message(Vec::new(), OpCode::Data(Data::Binary), true),
        Outgoing::Ping => Frame::ping(Vec::new()),
        Outgoing::Pong(payload) => Frame::pong(payload),
    };
    frame.header_mut().mask = Some(mask());
    let mut bytes = Vec::new();
    // Writing to memory does not fail.
    let _ = frame.format(&mut bytes);
    bytes
}

/// Four bytes of the randomness that the websocket library makes its keys of.
fn mask() -> [u8; 4] {
    let key = STANDARD.decode(generate_key()).unwrap_or_default();
    key.first_chunk().copied().unwrap_or_default()
}

#[derive(Debug)]
enum Read {
    Message(Message),
    Ping(Vec<u8>),
    Closed,
}

struct Reader {
    stream: ReadHalf<Upgraded>,
    frames: Frames,
}

impl Reader {
    fn new(stream: ReadHalf<Upgraded>) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }

    async fn next(&mut self) -> std::result::Result<Read, String> {
        loop {
            if let Some(read) = self.frames.next()? {
                return Ok(read);
            }
            let count = self.stream.read_buf(&mut self.frames.incoming).await;
            match count {
                Ok(0) if self.frames.is_between() => return Ok(Read::Closed),
                Ok(0) => return Err("it ended in the middle of a message".to_owned()),
                Ok(_) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
}

/// The bytes that have come and are no whole message yet.
#[derive(Debug, Default)]
struct Frames {
    incoming: BytesMut,
    /// A message of which some fragments have come, and whether it is text.
    started: Option<(bool, Vec<u8>)>,
}

impl Frames {
    fn is_between(&self) -> bool {
        self.incoming.is_empty() && self.started.is_none()
    }

    /// Takes the next message out, if it is whole.
    fn next(&mut self) -> std::result::Result<Option<Read>, String> {
        loop {
            let Some((header, payload)) = self.frame()? else {
                return Ok(None);
            };
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Some(Read::Ping(payload))),
                OpCode::Control(Control::Close) => return Ok(Some(Read::Closed)),
                OpCode::Control(_) => continue,
                OpCode::Data(Data::Continue) => match &mut self.started {
                    Some((_, message)) => message.extend_from_slice(&payload),
                    None => return Err("it goes on with a message that never began".to_owned()),
                },
                OpCode::Data(_) if self.started.is_some() => {
                    return Err("it begins a message inside another".to_owned());
                }
                OpCode::Data(kind) => self.started = Some((kind == Data::Text, payload)),
            }
            if self.started.as_ref().is_some_and(|(_, m)| m.len() > LIMIT) {
                return Err("it sends a message that is too long".to_owned());
            }
            if !header.is_final {
                continue;
            }
            match self.started.take() {
                Some((true, text)) => return Ok(Some(Read::Message(Message::Text(text)))),
                Some((false, bytes)) if bytes.is_empty() => {
                    return Ok(Some(Read::Message(Message::End)));
                }
                // No rack sends any; the classic does not look at them.
                _ => {}
            }
        }
    }

    fn frame(&mut self) -> std::result::Result<Option<(FrameHeader, Vec<u8>)>, String> {
        let mut cursor = Cursor::new(&self.incoming[..]);
        let parsed = FrameHeader::parse(&mut cursor);
        let parsed = parsed.map_err(|error| shorten(&error.to_string()))?;
        let Some((header, length)) = parsed else {
            return Ok(None);
        };
        let begin = usize::try_from(cursor.position()).unwrap_or(usize::MAX);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LIMIT {
            return Err("it sends a message that is too long".to_owned());
        }
        if self.incoming.len() < begin + length {
            return Ok(None);
        }
        self.incoming.advance(begin);
        let payload = self.incoming.split_to(length).to_vec();
        Ok(Some((header, payload)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first, u8::try_from(payload.len()).unwrap()];
        frame.extend_from_slice(payload);
        frame
    }

    fn all(bytes: &[u8], at_once: usize) -> std::result::Result<Vec<Message>, String> {
        let mut frames = Frames::default();
        let mut messages = Vec::new();
        for chunk in bytes.chunks(at_once) {
            frames.incoming.extend_from_slice(chunk);
            while let Some(read) = frames.next()? {
                if let Read::Message(message) = read {
                    messages.push(message);
                }
            }
        }
        assert!(frames.is_between());
        Ok(messages)
    }

    #[test]
    fn messages_come_whole_however_they_are_cut() {
        let text = |bytes: &[u8]| Message::Text(bytes.to_vec());
        let bytes = [
            frame(0x81, b"one"),
            frame(0x01, b"tw"),
            frame(0x89, b"ping"),
            frame(0x80, b"o"),
            frame(0x81, b"\xe2\x82"),
            frame(0x81, b"\xac"),
            frame(0x82, b"ignored"),
            frame(0x82, b""),
        ]
        .concat();
        for at_once in [1, 2, 3, 7, 1000] {
            assert_eq!(
                all(&bytes, at_once).unwrap(),
                [
                    text(b"one"),
                    text(b"two"),
                    text(b"\xe2\x82"),
                    text(b"\xac"),
                    Message::End
                ]
            );
        }
    }

    #[test]
    fn nonsense_is_an_error_and_takes_no_memory() {
        for bytes in [
            frame(0x80, b"continues nothing"),
            [frame(0x01, b"a"), frame(0x81, b"b")].concat(),
            [&[0x81, 127][..], &u64::MAX.to_be_bytes()].concat(),
            [&[0x81, 127][..], &(1_u64 << 40).to_be_bytes()].concat(),
            frame(0x83, b"reserved"),
        ] {
            let mut frames = Frames::default();
            frames.incoming.extend_from_slice(&bytes);
            let error = std::iter::repeat_with(|| frames.next())
                .find_map(|read| match read {
                    Ok(Some(_)) => None,
                    Ok(None) => Some(None),
                    Err(error) => Some(Some(error)),
                })
                .unwrap();
            assert!(error.is_some(), "{bytes:?}");
        }
    }
}
