//! A machine with nothing on it but what a test puts there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use assert_cmd::Command;
use tempfile::TempDir;

use crate::server::Server;

pub struct TestEnvironment {
    home: TempDir,
    variables: Vec<(&'static str, String)>,
    hidden: Vec<(String, &'static str)>,
}

impl TestEnvironment {
    pub fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
            variables: Vec::new(),
            hidden: Vec::new(),
        }
    }

    /// The same, with the server's certificate in `ca.pem` and its address hidden.
    pub fn with_server(server: &Server) -> Self {
        let mut env = Self::new();
        env.write("ca.pem", &server.pem);
        env.hidden.push((server.host.clone(), "HOST"));
        env.hidden.push((server.fingerprint.clone(), "FINGERPRINT"));
        env
    }

    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    pub fn hide(mut self, text: &str, name: &'static str) -> Self {
        self.hidden.push((text.to_owned(), name));
        self
    }

    /// Writes a file of mode 0600.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.home.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        self.chmod(name, 0o600);
    }

    pub fn chmod(&self, name: &str, mode: u32) {
        let path = self.home.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Reads a file, `-` where there is none.
    pub fn read(&self, name: &str) -> String {
        let text = fs::read_to_string(self.home.path().join(name));
        self.shown(&text.unwrap_or_else(|_| "-".to_owned()))
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .env("COLUMNS", "100")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("CONVOX_TEST_EPOCH", "2026-11-22T03:00:00Z")
            .env("CONVOX_TEST_SEED", "7")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.home.path())
            .args(line.split_whitespace());
        command
    }

    /// Runs `convox` with the words of `line`, and returns all that can be seen of it.
    #[must_use]
    pub fn run(&self, line: &str) -> String {
        self.run_with(line, "")
    }

    /// The same, with `input` on its standard input.
    #[must_use]
    pub fn run_with(&self, line: &str, input: &str) -> String {
        let output = self.command(line).write_stdin(input).output().unwrap();
        let text = |bytes: &[u8]| {
            let text = self.shown(std::str::from_utf8(bytes).unwrap());
            if text.is_empty() || text.ends_with('\n') {
                text
            } else {
                text + "<no line break>\n"
            }
        };
        format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        )
    }

    /// Runs `convox`, and narrows its columns: a home may be long.
    #[must_use]
    pub fn explain(&self, line: &str) -> String {
        let mut text = self.run(line);
        while text.contains("   ") {
            text = text.replace("   ", "  ");
        }
        text
    }

    fn shown(&self, text: &str) -> String {
        let text = text.replace(self.home.path().to_str().unwrap(), "$HOME");
        self.hidden
            .iter()
            .fold(text, |text, (hidden, name)| text.replace(hidden, name))
    }
}
