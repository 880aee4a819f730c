//! Websocket frames, taken apart and put together by hand.
//!
//! A rack and whoever asks it send whatever a program prints or a person types as text frames, cut
//! anywhere, and the websocket library's own reader refuses a text frame that is not UTF-8. So only
//! the library's types are used.

use std::io::Cursor;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::frame::{Frame, FrameHeader};

/// No message of a rack comes near this, in bytes.
const LIMIT: usize = 4 << 20;

/// A message of the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Message {
    /// Text, as the bytes that it came as.
    Text(Vec<u8>),
    /// An empty binary frame: nothing more will come.
    End,
}

/// What is sent.
#[derive(Debug)]
pub(crate) enum Outgoing {
    Text(Vec<u8>),
    End,
    Ping,
    Pong(Vec<u8>),
    Close,
}

impl Outgoing {
    /// Writes it as one frame, with the mask that a client has to use and a server must not.
    pub(crate) fn encode(self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let mut frame = match self {
            Self::Text(text) => Frame::message(text, OpCode::Data(Data::Text), true),
            Self::End => Frame::message(Vec::new(), OpCode::Data(Data::Binary), true),
            Self::Ping => Frame::ping(Vec::new()),
            Self::Pong(payload) => Frame::pong(payload),
            Self::Close => Frame::close(None),
        };
        frame.header_mut().mask = mask;
        let mut bytes = Vec::new();
        // Writing to memory does not fail.
        let _ = frame.format(&mut bytes);
        bytes
    }
}

/// What was read.
#[derive(Debug)]
pub(crate) enum Read {
    Message(Message),
    Ping(Vec<u8>),
    /// Something that asks for nothing.
    Sign,
    Closed,
}

/// Reads one message after the other.
pub(crate) struct Reader<S> {
    stream: S,
    frames: Frames,
}

impl<S: AsyncRead + Unpin> Reader<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            frames: Frames::default(),
        }
    }

    /// Returns what comes next.
    ///
    /// # Errors
    /// Why the connection is of no use any more.
    pub(crate) async fn next(&mut self) -> Result<Read, String> {
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
    fn next(&mut self) -> Result<Option<Read>, String> {
        loop {
            let Some((header, payload)) = self.frame()? else {
                return Ok(None);
            };
            match header.opcode {
                OpCode::Control(Control::Ping) => return Ok(Some(Read::Ping(payload))),
                OpCode::Control(Control::Close) => return Ok(Some(Read::Closed)),
                OpCode::Control(_) => return Ok(Some(Read::Sign)),
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

    fn frame(&mut self) -> Result<Option<(FrameHeader, Vec<u8>)>, String> {
        let mut cursor = Cursor::new(&self.incoming[..]);
        let parsed = FrameHeader::parse(&mut cursor);
        let parsed = parsed.map_err(|error| error.to_string())?;
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
        let mut payload = self.incoming.split_to(length).to_vec();
        if let Some(mask) = header.mask {
            let keys = mask.iter().cycle();
            payload
                .iter_mut()
                .zip(keys)
                .for_each(|(byte, key)| *byte ^= key);
        }
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

    fn all(bytes: &[u8], at_once: usize) -> Result<Vec<Message>, String> {
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
    fn what_a_client_masks_is_read_as_it_was_meant() {
        let masked = Outgoing::Text(b"typed \xff".to_vec()).encode(Some([1, 2, 3, 250]));
        assert_ne!(&masked[6..], b"typed \xff");
        let pong = Outgoing::Pong(b"?".to_vec()).encode(Some([9; 4]));
        let end = Outgoing::End.encode(Some([7; 4]));
        let bytes = [masked, pong, end].concat();
        let read = all(&bytes, 3).unwrap();
        assert_eq!(read, [Message::Text(b"typed \xff".to_vec()), Message::End]);
        assert_eq!(Outgoing::Text(b"a".to_vec()).encode(None), b"\x81\x01a");
        assert_eq!(Outgoing::Close.encode(None), b"\x88\x00");
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
