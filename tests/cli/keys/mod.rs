//! `convox keys`, `apis` and `identities` against `convox console serve`.

mod answers;
mod flags;
mod identities;
mod life;
mod lists;
mod wrong;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::Stdio;

use regex::Regex;

use super::environment::{Running, TestEnvironment};

/// What may be seen of a command.
struct Seen {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Seen {
    /// Returns the only line of stdout.
    fn line(&self) -> String {
        let line = self.stdout.strip_suffix('\n');
        let line = line.unwrap_or_else(|| panic!("no line: {}{}", self.stdout, self.stderr));
        assert!(!line.contains('\n'), "{line}");
        line.to_owned()
    }

    /// Returns the id of a key that was told on stderr.
    fn id(&self) -> String {
        let id = Regex::new("key_[0-9A-Za-z]+").unwrap();
        id.find(&self.stderr).unwrap().as_str().to_owned()
    }
}

/// A machine that serves keys, and its root key.
struct Served {
    env: TestEnvironment,
    root: String,
}

impl Served {
    fn new() -> Self {
        let env = TestEnvironment::in_real_time();
        let made = env.command("console init").output().unwrap();
        assert!(made.status.success());
        let root = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        assert!(root.starts_with("root_"), "{root}");
        Self { env, root }
    }

    fn start(&self) -> (Running<'_>, String) {
        let mut server = self.env.start("console serve --listen 127.0.0.1:0");
        let line = server.until("Serving on ");
        let (_, address) = line.split_once("Serving on ").unwrap();
        let address = address.to_owned();
        (server, address)
    }
}

/// Somebody on another machine.
struct Person {
    env: TestEnvironment,
    address: String,
    secrets: Vec<String>,
}

impl Person {
    fn new(address: &str, root: &str) -> Self {
        Self {
            env: TestEnvironment::in_real_time()
                .env("UNKEY_ROOT_KEY", root)
                .env("CONVOX_KEYS_HOST", address)
                .env("CONVOX_TEST_SPEED", "50"),
            address: address.to_owned(),
            secrets: vec![root.to_owned()],
        }
    }

    /// Runs a command, and makes sure that it tells no secret that is known already.
    fn run(&self, line: &str) -> Seen {
        self.run_with(line, "")
    }

    fn run_with(&self, line: &str, input: &str) -> Seen {
        let mut command = self.env.command(line);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads nothing may be gone already.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        let seen = Seen {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        for secret in &self.secrets {
            assert!(!seen.stdout.contains(secret), "{line}: {}", seen.stdout);
            assert!(!seen.stderr.contains(secret), "{line}: {}", seen.stderr);
        }
        seen
    }

    /// Runs a command that prints a new secret and nothing else, and returns its id and it.
    fn makes(&mut self, line: &str) -> (String, String) {
        let seen = self.run(line);
        assert_eq!(seen.code, 0, "{}", seen.stderr);
        let secret = seen.line();
        assert!(!seen.stderr.contains(&secret), "{}", seen.stderr);
        self.secrets.push(secret.clone());
        (seen.id(), secret)
    }

    /// Runs a command that succeeds and prints JSON, an object a line.
    fn reads(&self, line: &str) -> Vec<serde_json::Value> {
        let seen = self.run(&format!("{line} --output json"));
        assert_eq!(seen.code, 0, "{line}: {}", seen.stderr);
        let lines = seen.stdout.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Asks the service itself, for what no command asks, and returns the data of the answer.
    fn post(&self, operation: &str, body: &serde_json::Value) -> serde_json::Value {
        let asks = async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let request = client.post(format!("{}/v2/{operation}", self.address));
            let request = request.bearer_auth(&self.secrets[0]);
            let answer = request.body(body.to_string()).send().await.unwrap();
            let answer = answer.bytes().await.unwrap();
            serde_json::from_slice::<serde_json::Value>(&answer).unwrap()["data"].clone()
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(asks)
    }

    fn api(&self) -> String {
        self.run("apis create orders").line()
    }

    /// Returns the word for how a verification ends, and the exit code.
    fn verify(&self, secret: &str) -> (String, i32) {
        let seen = self.run_with("keys verify", &format!("{secret}\n"));
        let first = seen.stdout.lines().next().unwrap_or_default();
        (
            first.trim_start_matches("Code").trim().to_owned(),
            seen.code,
        )
    }

    /// Shows all that is seen of a command, with words in the place of names and times.
    fn shows(&self, line: &str, names: &BTreeMap<&str, &str>) -> String {
        let seen = self.run(line);
        let text = format!(
            "exit {}\n--- stdout\n{}--- stderr\n{}",
            seen.code, seen.stdout, seen.stderr
        );
        let text = text.replace(&self.address, "ADDRESS");
        let host = self.address.trim_start_matches("http://");
        let text = text.replace(host, "HOST");
        let text = names
            .iter()
            .fold(text, |text, (name, word)| text.replace(name, word));
        // Uses are counted a little later.
        let text = text.replace("Last used    never", "Last used    TIME");
        let text = text.replace("Last used  never", "Last used  TIME");
        let uses = Regex::new("(once|[0-9]+ times)").unwrap();
        let text = uses.replace_all(&text, "N times");
        let time = Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC").unwrap();
        time.replace_all(&text, "TIME").into_owned()
    }
}
