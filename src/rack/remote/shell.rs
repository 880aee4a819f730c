//! A shell, or one command, on an instance.

use bytes::Bytes;
use tokio::sync::mpsc;

use super::calls::{is_classic, segment};
use super::client::Remote;
use super::error::RemoteError;
use super::exchange::shorten;
use super::socket::{Message, Outgoing, Socket};

/// What a rack writes before the exit code.
const MARKER: &[u8] = b"F1E49A85-0AD7-4AEF-A618-C249C6E6568D:";

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// How many columns.
    pub width: u16,
    /// How many rows.
    pub height: u16,
}

/// What a shell tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ShellEvent {
    /// Something was printed. Standard output and standard error come as one.
    Output(Bytes),
    /// It has ended, with this exit code. Nothing comes after it.
    Exited(i32),
}

/// A shell that runs.
#[derive(Debug)]
pub struct Shell {
    socket: Socket,
    scan: Scan,
    /// A first message that may be a failure: it is held back until the next tells.
    held: Option<Vec<u8>>,
    is_first: bool,
    /// The last message, if it may have been a failure.
    suspect: Option<String>,
    exit: Option<i32>,
    closed: bool,
    ended: bool,
}

/// Sends what is typed. Clones send to the same shell.
#[derive(Debug, Clone)]
pub struct ShellInput {
    host: String,
    outgoing: mpsc::Sender<Outgoing>,
}

impl Remote {
    /// Runs a command on an instance, or a login shell where it is empty.
    ///
    /// The command is one string that the instance's shell takes apart. A terminal is always
    /// made; without a size the rack chooses one.
    ///
    /// # Errors
    /// Whatever may happen on the way. What the rack itself reports (`ERROR: ...`) comes from
    /// [`Shell::next`].
    pub async fn shell(
        &self,
        instance: &str,
        command: &str,
        size: Option<Size>,
    ) -> Result<Shell, RemoteError> {
        let instance = segment("the instance's id", instance)?;
        let system = self.system().await?;
        self.begin_session().await?;
        let is_classic = is_classic(&system.version);
        let size = size.map(|size| (size.width.to_string(), size.height.to_string()));
        let mut headers = vec![("command", command)];
        if let Some((width, height)) = &size {
            // Racks of 2018 and before take one for the other.
            let (width, height) = if is_classic {
                (height, width)
            } else {
                (width, height)
            };
            headers.extend([("height", height.as_str()), ("width", width.as_str())]);
        }
        let path = if is_classic {
            headers.push(("terminal", "xterm"));
            format!("/instances/{instance}/ssh")
        } else {
            format!("/instances/{instance}/shell")
        };
        let socket = self.open(&path, &headers).await?;
        Ok(Shell::new(socket))
    }
}

impl Shell {
    fn new(socket: Socket) -> Self {
        Self {
            socket,
            scan: Scan::default(),
            held: None,
            is_first: true,
            suspect: None,
            exit: None,
            closed: false,
            ended: false,
        }
    }

    /// Returns what sends to the shell.
    #[must_use]
    pub fn input(&self) -> ShellInput {
        ShellInput {
            host: self.socket.host().to_owned(),
            outgoing: self.socket.sender(),
        }
    }

    /// Returns what the shell tells next; none after it has ended.
    ///
    /// Nothing is lost when the future is dropped before it is done.
    ///
    /// # Errors
    /// [`RemoteError::Reported`] (or [`RemoteError::Unauthorized`]) when the rack could not run
    /// the command, [`RemoteError::Broken`] when the connection ended before the exit code came.
    pub async fn next(&mut self) -> Result<Option<ShellEvent>, RemoteError> {
        while !self.ended {
            let next = match self.closed {
                true => None,
                false => self.socket.next().await?,
            };
            let text = match next {
                Some(Message::Text(text)) => text,
                Some(Message::End) | None => {
                    // What looked like a marker until the end was none.
                    let rest = std::mem::take(&mut self.scan.kept);
                    if !rest.is_empty() {
                        self.closed = true;
                        return Ok(Some(ShellEvent::Output(Bytes::from(rest))));
                    }
                    self.ended = true;
                    return self.end().map(Some);
                }
            };
            if let Some(output) = self.output(text) {
                return Ok(Some(ShellEvent::Output(output)));
            }
        }
        Ok(None)
    }

    /// Takes a message in, and returns what is to be printed now.
    fn output(&mut self, text: Vec<u8>) -> Option<Bytes> {
        let is_first = std::mem::take(&mut self.is_first);
        self.suspect = failure(&text);
        if is_first && self.suspect.is_some() {
            self.held = Some(text);
            return None;
        }
        let text = match self.held.take() {
            Some(held) => [held, text].concat(),
            None => text,
        };
        let output = self.scan.push(&text);
        if self.scan.exit.is_some() {
            self.exit = self.scan.exit;
        }
        (!output.is_empty()).then(|| Bytes::from(output))
    }

    fn end(&self) -> Result<ShellEvent, RemoteError> {
        if let Some(code) = self.exit {
            return Ok(ShellEvent::Exited(code));
        }
        Err(match &self.suspect {
            Some(message) if message.starts_with("invalid authentication") => {
                RemoteError::Unauthorized {
                    host: self.socket.host().to_owned(),
                    message: message.clone(),
                }
            }
            Some(message) => RemoteError::Reported {
                message: message.clone(),
            },
            None => self
                .socket
                .broken("it ended before the command's exit code came"),
        })
    }
}

impl ShellInput {
    /// Sends what was typed, whatever bytes it is made of.
    ///
    /// # Errors
    /// [`RemoteError::Broken`] when the shell has ended.
    pub async fn send(&self, bytes: &[u8]) -> Result<(), RemoteError> {
        self.push(Outgoing::Text(bytes.to_vec())).await
    }

    /// Says that nothing more will be typed.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub async fn end(&self) -> Result<(), RemoteError> {
        self.push(Outgoing::End).await
    }

    async fn push(&self, outgoing: Outgoing) -> Result<(), RemoteError> {
        let sent = self.outgoing.send(outgoing).await;
        sent.map_err(|_| RemoteError::Broken {
            host: self.host.clone(),
            message: "it has ended".to_owned(),
        })
    }
}

/// Reads a message as the report of a failure, which is one line of its own.
fn failure(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?;
    let message = text.strip_prefix("ERROR: ")?.strip_suffix('\n')?;
    (!message.trim().is_empty()).then(|| shorten(message))
}

/// Looks for the exit marker, which may be cut anywhere and follow other text.
#[derive(Debug, Default)]
struct Scan {
    /// What may be the beginning of a marker.
    kept: Vec<u8>,
    exit: Option<i32>,
}

impl Scan {
    /// Takes text in, and returns what is surely no marker.
    fn push(&mut self, text: &[u8]) -> Vec<u8> {
        self.kept.extend_from_slice(text);
        let mut output = Vec::new();
        loop {
            let found = self
                .kept
                .windows(MARKER.len())
                .position(|window| window == MARKER);
            let Some(at) = found else {
                let keep = partial(&self.kept);
                output.extend(self.kept.drain(..self.kept.len() - keep));
                return output;
            };
            let after = at + MARKER.len();
            let length = self.kept[after..]
                .iter()
                .position(|byte| !(byte.is_ascii_digit() || *byte == b'-'));
            let Some(length) = length else {
                // The code is not whole yet; no code is longer than this.
                if self.kept.len() - after <= 11 {
                    output.extend(self.kept.drain(..at));
                    return output;
                }
                output.extend(self.kept.drain(..after));
                continue;
            };
            let code = std::str::from_utf8(&self.kept[after..after + length])
                .ok()
                .and_then(|code| code.parse().ok());
            match code {
                Some(code) if self.kept[after + length] == b'\n' => {
                    self.exit = Some(code);
                    output.extend(self.kept.drain(..at));
                    self.kept.drain(..=MARKER.len() + length);
                }
                _ => output.extend(self.kept.drain(..after)),
            }
        }
    }
}

/// Returns how long an end of `text` is that may be the beginning of a marker.
fn partial(text: &[u8]) -> usize {
    (1..MARKER.len().min(text.len() + 1))
        .rev()
        .find(|length| text.ends_with(&MARKER[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &[u8], at_once: usize) -> (Vec<u8>, Option<i32>) {
        let mut scan = Scan::default();
        let output = text
            .chunks(at_once)
            .flat_map(|chunk| scan.push(chunk))
            .collect();
        (output, scan.exit)
    }

    #[test]
    fn the_exit_code_is_found_however_it_is_cut() {
        let marker = "F1E49A85-0AD7-4AEF-A618-C249C6E6568D";
        for (text, output, exit) in [
            (
                format!("hello\n{marker}:0\n"),
                "hello\n".to_owned(),
                Some(0),
            ),
            (
                format!("no break{marker}:255\n"),
                "no break".to_owned(),
                Some(255),
            ),
            (format!("{marker}:-1\n"), String::new(), Some(-1)),
            (format!("{marker}:3\nafter"), "after".to_owned(), Some(3)),
            (
                "F1E49A85-0AD7 only\n".to_owned(),
                "F1E49A85-0AD7 only\n".to_owned(),
                None,
            ),
            (format!("{marker}: no\n"), format!("{marker}: no\n"), None),
            (format!("F1E49{marker}:7\n"), "F1E49".to_owned(), Some(7)),
        ] {
            for at_once in [1, 2, 5, 36, 37, 38, 1000] {
                let found = scan(text.as_bytes(), at_once);
                assert_eq!(
                    found,
                    (output.clone().into_bytes(), exit),
                    "{text} by {at_once}"
                );
            }
        }
    }

    #[test]
    fn only_a_line_of_its_own_is_a_failure() {
        assert_eq!(failure(b"ERROR: no such\n"), Some("no such".to_owned()));
        for text in ["ERROR: prompt", "ERROR: \n", "an ERROR: x\n", "ERROR\n"] {
            assert_eq!(failure(text.as_bytes()), None, "{text}");
        }
    }
}
