//! The real programs on two machines: a console with TLS, and this command line.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The server's machine, with a console that serves until this is let go, and a person's machine.
pub struct Programs {
    pub server: tempfile::TempDir,
    pub person: tempfile::TempDir,
    serving: Option<Child>,
    /// What every program is told of its surroundings.
    variables: Vec<(&'static str, String)>,
}

impl Drop for Programs {
    fn drop(&mut self) {
        if let Some(child) = &mut self.serving {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Programs {
    pub fn new() -> Self {
        Self {
            server: tempfile::tempdir().unwrap(),
            person: tempfile::tempdir().unwrap(),
            serving: None,
            variables: Vec::new(),
        }
    }

    /// The same, whose every program has a variable in its environment.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.variables.push((name, value.into()));
        self
    }

    fn at(&self, machine: &tempfile::TempDir) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        let home = machine.path();
        command.env_clear().env("HOME", home).current_dir(home);
        command.envs(self.variables.iter().cloned());
        command
    }

    /// A command of the console, on the server's machine.
    pub fn of_console(&self, words: &[&str]) -> Command {
        let mut command = self.at(&self.server);
        command.arg("console").args(words).args(["--data", "data"]);
        command
    }

    /// A command on the person's machine, which believes the console's own certificate.
    pub fn of_person(&self, words: &[&str]) -> Command {
        let mut command = self.at(&self.person);
        let certificate = self.server.path().join("data/tls.crt");
        command.args(words).arg("--tls-ca").arg(certificate);
        command
    }

    /// Starts the console with the certificate that it was given; returns host and port.
    pub fn serve(&mut self) -> String {
        self.serve_with(&[])
    }

    /// The same, with more on its command line.
    pub fn serve_with(&mut self, more: &[&str]) -> String {
        self.serve_at("127.0.0.1:0", more)
    }

    /// Kills the console that was started.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.serving.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts a console at this address.
    pub fn serve_at(&mut self, address: &str, more: &[&str]) -> String {
        let mut command = self.of_console(&["serve", "--listen", address]);
        command.args(["--tls-cert", "data/tls.crt", "--tls-key", "data/tls.key"]);
        let mut child = command.args(more).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        self.serving = Some(child);
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("console: {line}");
            }
        });
        let address = line.strip_prefix("Serving on https://").unwrap();
        address.split(',').next().unwrap().to_owned()
    }
}

/// Runs a command that succeeds, and returns its stdout.
pub fn done(mut command: Command) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{command:?}: {said}");
    text(&output.stdout)
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
