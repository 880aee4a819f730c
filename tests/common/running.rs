//! A command that a test has to do with before its end.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};

use super::TestEnvironment;

/// A command that has not ended yet. It is killed when the test is done with it.
pub(crate) struct Running<'a> {
    environment: &'a TestEnvironment,
    child: Child,
    heard: Receiver<(Stream, Vec<u8>)>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl<'a> Running<'a> {
    pub(super) fn start(environment: &'a TestEnvironment, mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (tell, heard) = mpsc::channel();
        listen(Stream::Stdout, child.stdout.take().unwrap(), tell.clone());
        listen(Stream::Stderr, child.stderr.take().unwrap(), tell);
        Self {
            environment,
            child,
            heard,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    /// Reads on until a line, of either stream, has `text` in it, and returns that line.
    pub(crate) fn until(&mut self, text: &str) -> String {
        while let Ok((stream, line)) = self.heard.recv() {
            let words = String::from_utf8_lossy(&line).trim_end().to_owned();
            self.keep(stream, &line);
            if words.contains(text) {
                return words;
            }
        }
        panic!("`{text}` was never said:\n{}", self.end());
    }

    /// Reads on until stdout has a line, and returns it: the two streams come in any order.
    pub(crate) fn first_data(&mut self) -> String {
        while let Ok((stream, line)) = self.heard.recv() {
            self.keep(stream, &line);
            if stream == Stream::Stdout {
                return String::from_utf8_lossy(&line).trim_end().to_owned();
            }
        }
        panic!("there was no data:\n{}", self.end());
    }

    /// Sends a signal, such as `INT`.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &process])
            .status()
            .unwrap();
        assert!(sent.success(), "{name} cannot be sent");
    }

    /// Waits for the end, and returns all that could be seen of the command, redacted.
    #[must_use]
    pub(crate) fn end(&mut self) -> String {
        while let Ok((stream, line)) = self.heard.recv() {
            self.keep(stream, &line);
        }
        let output = Output {
            status: self.child.wait().unwrap(),
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
        };
        self.environment.shown(&output)
    }

    fn keep(&mut self, stream: Stream, line: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(line),
            Stream::Stderr => self.stderr.extend_from_slice(line),
        }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Passes on what a stream says, line by line, until it is closed.
fn listen(stream: Stream, pipe: impl Read + Send + 'static, tell: Sender<(Stream, Vec<u8>)>) {
    std::thread::spawn(move || {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            if tell.send((stream, std::mem::take(&mut line))).is_err() {
                return;
            }
        }
    });
}
