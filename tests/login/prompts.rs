//! What `login` asks a person for, on a real terminal.
//!
//! `script` gives it one; it comes with util-linux. Where it is absent, each test says that it
//! was skipped and passes.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::environment::TestEnvironment;
use crate::server::{Answer, Server};

const RACK: &[Answer] = &[("/auth", 200, "text/plain", "ok\n")];

/// How often the terminal's settings are looked at before they are given up: each look starts a
/// process, so that this is much longer than any machine takes.
const LOOKS: usize = 4000;

/// A command on a terminal of its own.
struct Terminal {
    child: Child,
    keyboard: Option<ChildStdin>,
    screen: ChildStdout,
    device: String,
    shown: String,
}

impl Terminal {
    /// Runs `convox` with the words of `line`; none where no terminal can be had.
    fn run(env: &TestEnvironment, line: &str) -> Option<Self> {
        if !Path::new("/usr/bin/script").exists() {
            let note = "skipped: there is no /usr/bin/script (see util-linux)\n";
            let _ = std::io::stderr().write_all(note.as_bytes());
            return None;
        }
        let inner = env.command(line);
        let words = std::iter::once(inner.get_program()).chain(inner.get_args());
        let words: Vec<_> = words
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        // The first line names the terminal, so that it can be looked at from outside.
        let commands = format!("tty; {}; echo exit $?", words.join(" "));
        let mut command = Command::new("/usr/bin/script");
        command.args(["-qec", &commands, "/dev/null"]).env_clear();
        command.env("NO_COLOR", "1");
        for (name, value) in inner.get_envs() {
            command.env(name, value.unwrap());
        }
        let mut child = command
            .current_dir(env.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (keyboard, screen) = (child.stdin.take(), child.stdout.take().unwrap());
        let mut terminal = Self {
            child,
            keyboard,
            screen,
            device: String::new(),
            shown: String::new(),
        };
        terminal.shows("\n");
        terminal.device = std::mem::take(&mut terminal.shown).trim().to_owned();
        Some(terminal)
    }

    /// Reads on until this is the end of what is shown.
    fn shows(&mut self, text: &str) {
        let mut byte = [0];
        while !self.shown.ends_with(text) {
            let read = self.screen.read(&mut byte).unwrap();
            assert!(read > 0, "no {text:?} in {:?}", self.shown);
            self.shown.push(char::from(byte[0]));
        }
    }

    /// Waits until what is typed is not shown.
    fn hides_what_is_typed(&self) {
        for _ in 0..LOOKS {
            let settings = Command::new("stty")
                .args(["-a", "-F", &self.device])
                .output()
                .unwrap();
            let settings = String::from_utf8(settings.stdout).unwrap();
            if settings.split([' ', ';', '\n']).any(|word| word == "-echo") {
                return;
            }
        }
        panic!("{} shows what is typed", self.device);
    }

    fn type_in(&mut self, line: &str) {
        let keyboard = self.keyboard.as_mut().unwrap();
        keyboard.write_all(line.as_bytes()).unwrap();
    }

    /// Waits for the end, and returns all that was shown.
    fn end(mut self, env: &TestEnvironment) -> String {
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        self.shown += std::str::from_utf8(&rest).unwrap();
        drop(self.keyboard.take());
        self.child.wait().unwrap();
        env.named(&self.shown.replace("\r\n", "\n"))
    }
}

#[test]
fn a_password_is_asked_for_and_not_shown() {
    let server = Server::start("correct horse", RACK);
    let env = server.environment();
    let line = format!("login {} --tls-ca ca.pem", server.host);
    let Some(mut terminal) = Terminal::run(&env, &line) else {
        return;
    };
    terminal.shows("Password: ");
    terminal.hides_what_is_typed();
    terminal.type_in("correct horse\n");
    insta::assert_snapshot!(terminal.end(&env), @r"
    Password: 
    Authenticating with HOST... OK
    exit 0
    ");
    assert_eq!(server.seen(), ["GET /auth? convox:correct horse"]);
    let auth = env.left(".config/convox2/auth");
    assert!(auth.contains("\"HOST\": \"correct horse\""), "{auth}");
}

#[test]
fn nothing_typed_is_no_password() {
    let env = TestEnvironment::new();
    let Some(mut terminal) = Terminal::run(&env, "login rack.example") else {
        return;
    };
    terminal.shows("Password: ");
    terminal.hides_what_is_typed();
    terminal.type_in("\n");
    insta::assert_snapshot!(terminal.end(&env), @r"
    Password: 
    ERROR: the password is empty
    hint: nothing is stored
    exit 1
    ");
}

#[test]
fn a_password_that_is_outdated_is_asked_for_again() {
    let server = Server::start("new", RACK);
    let env = server.environment();
    let auth = format!("{{\"{}\": \"old\"}}", server.host);
    env.write(".config/convox2/auth", &auth);
    let line = format!("login {} --tls-ca ca.pem", server.host);
    let Some(mut terminal) = Terminal::run(&env, &line) else {
        return;
    };
    terminal.shows("Password: ");
    terminal.hides_what_is_typed();
    terminal.type_in("new\n");
    insta::assert_snapshot!(terminal.end(&env), @r"
    HOST does not accept the stored password any more
    Password: 
    Authenticating with HOST... OK
    exit 0
    ");
    let seen = ["GET /auth? convox:old", "GET /auth? convox:new"];
    assert_eq!(server.seen(), seen);
}

#[test]
fn a_certificate_that_nobody_has_signed_is_asked_about_once() {
    const QUESTION: &str = "Is that the rack's, and to be trusted from now on? [y/N] ";
    let server = Server::start("secret", RACK);
    let env = server.environment().env("CONVOX_PASSWORD", "secret");
    let line = format!("login {}", server.host);
    for (answer, is_yes) in [("n\n", false), ("\n", false), ("yes\n", true)] {
        let Some(mut terminal) = Terminal::run(&env, &line) else {
            return;
        };
        terminal.shows(QUESTION);
        assert_eq!(server.seen(), [""; 0], "no password before the answer");
        terminal.type_in(answer);
        let shown = terminal.end(&env);
        if is_yes {
            insta::assert_snapshot!(shown, @r"
            WARNING: cannot verify the certificate of HOST: no authority that this machine knows has signed it
            its SHA-256 fingerprint is FINGERPRINT
            Is that the rack's, and to be trusted from now on? [y/N] yes
            Authenticating with HOST... OK
            exit 0
            ");
        } else if answer == "n\n" {
            insta::assert_snapshot!(shown, @r"
            WARNING: cannot verify the certificate of HOST: no authority that this machine knows has signed it
            its SHA-256 fingerprint is FINGERPRINT
            Is that the rack's, and to be trusted from now on? [y/N] n
            ERROR: not logged in, nothing is stored
            hint: compare it with what the rack's operator says
            exit 1
            ");
        } else {
            assert!(shown.ends_with("exit 1\n"), "{shown}");
        }
        let is_stored = env.left(".config/convox2/auth") != "-";
        assert_eq!(is_stored, is_yes, "{shown}");
    }
    assert_eq!(server.seen().len(), 1);
    // From then on it is known.
    let Some(terminal) = Terminal::run(&env, &line) else {
        return;
    };
    insta::assert_snapshot!(terminal.end(&env), @r"
    Authenticating with HOST... OK
    exit 0
    ");
}
