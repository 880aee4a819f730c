//! The rack's log, followed over websockets that come and go.

use std::collections::VecDeque;
use std::time::Duration;

use super::client::Remote;
use super::error::RemoteError;
use super::exchange::shorten;
use super::overlap::Overlap;
use super::socket::{Message, Socket};

/// How long the pause before a log is followed anew is.
const PAUSE: Duration = Duration::from_secs(1);

/// What is followed.
#[derive(Debug, Clone)]
pub struct LogOptions {
    /// How far back to begin.
    pub since: Duration,
    /// Only lines that match, in the words of CloudWatch's filters.
    pub filter: Option<String>,
}

impl Default for LogOptions {
    /// As `--wait` does: the last five seconds, and on.
    fn default() -> Self {
        Self {
            since: Duration::from_secs(5),
            filter: None,
        }
    }
}

/// The rack's log, line by line: `RFC3339 STREAM MESSAGE`.
#[derive(Debug)]
pub struct Logs {
    remote: Remote,
    options: LogOptions,
    overlap: Overlap,
    socket: Option<Socket>,
    /// What has come of a line that is not whole yet.
    part: Vec<u8>,
    lines: VecDeque<String>,
    /// Whether the next connection waits first.
    is_again: bool,
}

impl Remote {
    /// Follows the rack's log; nothing is asked for before the first line is.
    #[must_use]
    pub fn logs(&self, options: LogOptions) -> Logs {
        Logs {
            overlap: Overlap::new(options.since),
            remote: self.clone(),
            options,
            socket: None,
            part: Vec::new(),
            lines: VecDeque::new(),
            is_again: false,
        }
    }
}

impl Logs {
    /// Returns the next line that was not returned before.
    ///
    /// A connection that ends is made again a second later, and reads so far back that no line
    /// is lost. No line is lost either when the future is dropped before it is done.
    ///
    /// # Errors
    /// When the log cannot be followed. Asking again tries again, a second later: whoever
    /// follows a rack through an update does just that.
    pub async fn next(&mut self) -> Result<String, RemoteError> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Ok(line);
            }
            let Some(socket) = &mut self.socket else {
                self.connect().await?;
                continue;
            };
            match socket.next().await {
                Ok(Some(Message::Text(text))) => self.take(&text)?,
                // A line that was cut off comes whole next time.
                Ok(Some(Message::End) | None) | Err(_) => self.disconnect(),
            }
        }
    }

    async fn connect(&mut self) -> Result<(), RemoteError> {
        if self.is_again {
            self.remote.0.clock.sleep(PAUSE).await;
        }
        self.is_again = true;
        self.remote.begin_session().await?;
        let since = self.overlap.connect(self.remote.0.clock.now());
        let since = format!("{}s", since.as_secs());
        let mut headers = vec![("prefix", "true"), ("since", since.as_str())];
        if let Some(filter) = &self.options.filter {
            headers.push(("filter", filter));
        }
        self.socket = Some(self.remote.open("/system/logs", &headers).await?);
        Ok(())
    }

    fn disconnect(&mut self) {
        self.socket = None;
        self.part.clear();
    }

    /// Takes lines out of what has come.
    fn take(&mut self, text: &[u8]) -> Result<(), RemoteError> {
        // The upgrade comes before the password is looked at.
        let refused = text
            .strip_prefix(b"ERROR: ")
            .filter(|_| self.part.is_empty());
        if let Some(message) = refused {
            let message = shorten(&String::from_utf8_lossy(message));
            let host = self.remote.host().to_owned();
            self.disconnect();
            return Err(if message.starts_with("invalid authentication") {
                RemoteError::Unauthorized { host, message }
            } else {
                RemoteError::Reported { message }
            });
        }
        let now = self.remote.0.clock.now();
        self.part.extend_from_slice(text);
        while let Some(end) = self.part.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.part.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end();
            if !line.is_empty() && self.overlap.is_new(line, now) {
                self.lines.push_back(line.to_owned());
            }
        }
        Ok(())
    }
}

impl Remote {
    /// Has a console ask for a session now if it wants one: it cannot over a websocket.
    pub(super) async fn begin_session(&self) -> Result<(), RemoteError> {
        match self.racks().await {
            // A rack knows no racks; whatever else is wrong, the websocket will say.
            Err(error @ (RemoteError::SecurityKey { .. } | RemoteError::SessionRefused { .. })) => {
                Err(error)
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }
}
