//! The real programs: a console with TLS, and this command line, which logs in to it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The server's machine, with a console that serves until this is let go, and a person's machine.
pub struct Programs {
    pub server: tempfile::TempDir,
    person: tempfile::TempDir,
    serving: Option<Child>,
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
        }
    }

    /// A command of the console, on the server's machine.
    pub fn of_console(&self, words: &[&str]) -> Command {
        let mut command = at(&self.server);
        command.arg("console").args(words).args(["--data", "data"]);
        command
    }

    /// A command on the person's machine, which believes the console's own certificate.
    fn of_person(&self, words: &[&str]) -> Command {
        let mut command = at(&self.person);
        let certificate = self.server.path().join("data/tls.crt");
        command.args(words).arg("--tls-ca").arg(certificate);
        command
    }

    /// Starts the console with the certificate that it was given; returns host and port.
    fn serve(&mut self) -> String {
        let mut command = self.of_console(&["serve", "--listen", "127.0.0.1:0"]);
        command.args(["--tls-cert", "data/tls.crt", "--tls-key", "data/tls.key"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
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

fn at(machine: &tempfile::TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
    let home = machine.path();
    command.env_clear().env("HOME", home).current_dir(home);
    command
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

#[test]
fn a_person_logs_in_rolls_a_rack_and_then_their_own_key() {
    let mut programs = Programs::new();
    done(programs.of_console(&["init", "--workspace", "acme"]));
    let key = done(programs.of_console(&["people", "add", "ada"]));
    let key = key.trim();
    done(programs.of_console(&["racks", "add", "prod", "--kind", "sandbox"]));
    let host = programs.serve();
    let person = |words: &[&str]| done(programs.of_person(words));
    let with_old = |words: &[&str]| {
        let mut command = programs.of_person(words);
        command.env("CONVOX_PASSWORD", key).output().unwrap()
    };
    let login = with_old(&["login", &host]);
    let said = format!("Authenticating with {host}... OK\n");
    assert_eq!(text(&login.stdout), said, "{}", text(&login.stderr));
    let listed = person(&["racks"]);
    assert_eq!(listed, "NAME       STATUS\nacme/prod  running\n");
    assert_eq!(person(&["switch", "prod"]), "Switched to acme/prod\n");
    let rack = person(&["rack"]);
    assert!(rack.contains("Name      prod\n"), "{rack}");
    let rolled = person(&["instances", "keyroll", "--wait"]);
    assert!(rolled.ends_with("OK\n"), "{rolled}");
    // The login has the new key, and the old one opens nothing.
    let said = format!("Rolling the account key of {host}... OK\n");
    assert_eq!(person(&["account", "keyroll", "--grace", "0"]), said);
    assert_eq!(person(&["racks"]), listed);
    let old = with_old(&["rack"]);
    assert_eq!(old.status.code(), Some(1), "{}", text(&old.stderr));
    // With grace, the old one goes on.
    let keyroll = ["account", "keyroll", "--grace", "2h"];
    let rolled = programs.of_person(&keyroll).output().unwrap();
    assert_eq!(text(&rolled.stdout), said);
    let says = "the old key opens nothing from ";
    assert!(
        text(&rolled.stderr).contains(says),
        "{}",
        text(&rolled.stderr)
    );
    let audited = done(programs.of_console(&["audit", "--since", "1h"]));
    let told = audited.lines().map(|line| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["event"].as_str().unwrap().to_owned()
    });
    let expected = [
        "root_key.create",
        "person.create",
        "person.key",
        "rack.create",
        "roll.begin",
        "roll.end",
        "account.keyroll",
        "account.keyroll.finish",
        "account.keyroll",
    ];
    let mut told: Vec<_> = told.collect();
    // What happens within one millisecond has no order.
    told[1..3].sort();
    assert_eq!(told, expected);
    assert!(!audited.contains(key));
    let people = done(programs.of_console(&["people", "list"]));
    let expected = "NAME  ROLE      ID\nada   operator  person_";
    assert!(people.starts_with(expected), "{people}");
}
