//! The real program, as an operator runs it.

use std::io::{BufRead as _, BufReader, Lines};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Output, Stdio};

/// The real program, with a home directory of its own.
pub struct Program {
    pub home: tempfile::TempDir,
}

/// A server that runs until it is let go.
pub struct Running {
    pub child: Child,
    /// What it says on stderr.
    pub lines: Lines<BufReader<ChildStderr>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    pub fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        Self { home }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("data/console.db")
    }

    /// A command of the console, on the database in the directory `data`.
    pub fn command(&self, data: &str, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        let home = self.home.path();
        command.env_clear().env("HOME", home).current_dir(home);
        command.arg("console").args(words);
        if !data.is_empty() {
            command.args(["--data", data]);
        }
        command
    }

    pub fn run(&self, data: &str, words: &[&str]) -> Output {
        self.command(data, words).output().unwrap()
    }

    /// Runs a command that succeeds, and returns its stdout.
    pub fn done(&self, data: &str, words: &[&str]) -> String {
        let output = self.run(data, words);
        assert_eq!(
            output.status.code(),
            Some(0),
            "{words:?}: {}",
            said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command that fails with 1, and returns all that it said.
    pub fn fails(&self, data: &str, words: &[&str]) -> String {
        let output = self.run(data, words);
        assert_eq!(
            output.status.code(),
            Some(1),
            "{words:?}: {}",
            said(&output)
        );
        said(&output)
    }

    pub fn serve(&self, words: &[&str]) -> (Running, String) {
        let words = [&["serve"], words].concat();
        let mut command = self.command("data", &words);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        (Running { child, lines }, line)
    }
}

/// Returns all that a command said.
pub fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    text(&output.stdout) + &text(&output.stderr)
}

/// Makes a client that trusts the certificate in `path` alone, and finds its name on this machine.
pub fn client_of(path: &std::path::Path) -> reqwest::Client {
    let authority = std::fs::read(path).unwrap();
    let authority = reqwest::Certificate::from_pem(&authority).unwrap();
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([authority])
        .resolve("keys.example.com", ([127, 0, 0, 1], 0).into())
        .build()
        .unwrap()
}
