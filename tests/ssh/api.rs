//! Logging in through a rack's API: what is sent, what is printed, and how it ends.

use std::io::Write as _;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::rack::Told;
use crate::server::{Answer, Server, Step};

const MARKER: &str = "F1E49A85-0AD7-4AEF-A618-C249C6E6568D";
const ID: &str = "i-0123456789abcdef0";
const INSTANCES: &str = r#"[
  {"id":"i-0123456789abcdef0","private-ip":"10.0.1.4","public-ip":"","status":"active"},
  {"id":"i-0123456789abcdef1","private-ip":"10.0.1.5","public-ip":"","status":"active"},
  {"id":"i-0fedcba9876543210","private-ip":"10.0.2.4","public-ip":"","status":"active"}
]"#;

/// A rack whose shell does all of this.
fn rack(steps: impl Into<Vec<Step>>) -> Server {
    let steps = steps.into();
    Server::start(move |request| match request.what() {
        "GET /system?" => Answer::ok("{\"name\":\"prod\",\"version\":\"20230403123456\"}"),
        "GET /instances?" => Answer::ok(INSTANCES),
        "GET /racks?" => Answer::status(404, ""),
        _ => Answer::Socket(steps.clone()),
    })
}

fn said(text: &str) -> Step {
    Step::Text(text.as_bytes().to_vec())
}

/// A shell that prints, tells an exit code and ends.
fn exits(text: &str, code: i32) -> Vec<Step> {
    let marker = format!("{MARKER}:{code}\n");
    vec![said(text), said(&marker), Step::End, Step::Close]
}

fn command(server: &Server, home: &TempDir, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
    let host = server.url();
    let (scheme, host) = host.split_once("://").unwrap();
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home.path())
        .env("TERM", "xterm")
        .env("X_DEV_ALLOW_HTTP", "true")
        .env("RACK_URL", format!("{scheme}://convox:secret@{host}"))
        .args(["instances", "ssh"])
        .args(words)
        .stdin(Stdio::null());
    command
}

fn run(server: &Server, words: &[&str]) -> Told {
    let home = tempfile::tempdir().unwrap();
    command(server, &home, words).output().unwrap().into()
}

#[test]
fn the_remote_code_is_passed_on() {
    let server = rack(exits("up 3 days\r\n", 7));
    let told = run(&server, &[ID, "uptime", "--", "-p"]);
    assert_eq!((told.code, told.stdout.as_str()), (7, "up 3 days\r\n"));
    assert_eq!(told.stderr, "");
    let asked = server.asked();
    let shell = format!("GET /instances/{ID}/shell");
    assert_eq!(asked, ["GET /system?", "GET /racks?", &shell]);
    let requests = server.requests();
    assert_eq!(requests[2].header("command"), Some("uptime -p"));
    assert_eq!(requests[2].header("width"), None, "there is no terminal");
}

#[test]
fn what_is_typed_goes_there_and_its_end_too() {
    let mut steps = vec![Step::Await, Step::Await];
    steps.extend(exits("thanks", 0));
    let server = rack(steps);
    let home = tempfile::tempdir().unwrap();
    let mut child = command(&server, &home, &[ID, "cat"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"typed \xff\n").unwrap();
    drop(stdin);
    let told = Told::from(child.wait_with_output().unwrap());
    assert_eq!((told.code, told.stdout.as_str()), (0, "thanks"), "{told:?}");
    assert_eq!(server.frames(), ["text typed \\xff\\n", "binary "]);
}

#[test]
fn an_error_of_the_server_really_fails() {
    let server = rack([said("ERROR: no such host\n"), Step::End, Step::Close]);
    let told = run(&server, &[ID, "true"]);
    assert_eq!((told.code, told.stdout.as_str()), (1, ""));
    assert!(told.stderr.starts_with("ERROR: "), "{told:?}");
    assert!(told.stderr.contains("no such host"), "{told:?}");
    // A connection that is cut has no exit code, and so is no success.
    let server = rack([said("half an ans")]);
    let told = run(&server, &[ID, "true"]);
    assert_eq!((told.code, told.stdout.as_str()), (1, "half an ans"));
    assert!(told.stderr.starts_with("ERROR: "), "{told:?}");
}

#[test]
fn an_instance_is_looked_for_unless_its_id_is_whole() {
    let server = rack(exits("", 0));
    for wanted in ["10.0.2.4", "i-0f", "0fed"] {
        assert_eq!(run(&server, &[wanted, "true"]).code, 0, "{wanted}");
        let last = server.asked().pop().unwrap();
        assert_eq!(last, "GET /instances/i-0fedcba9876543210/shell", "{wanted}");
    }
    let told = run(&server, &["i-01", "true"]);
    assert_eq!(told.code, 1);
    let expected = "ERROR: `i-01` may be any of 2 instances\nhint: say which: \
                    i-0123456789abcdef0 (10.0.1.4), i-0123456789abcdef1 (10.0.1.5)\n";
    assert_eq!(told.stderr, expected);
    let told = run(&server, &["nonsense", "true"]);
    let expected = "ERROR: instance not found: nonsense\nhint: `convox instances` lists them\n";
    assert_eq!((told.code, told.stderr.as_str()), (1, expected));
}

#[test]
fn flags_of_ssh_are_refused() {
    let server = rack(exits("", 0));
    for flag in [["--jump", "bastion"], ["--user", "ada"], ["-o", "A=b"]] {
        let told = run(&server, &[flag[0], flag[1], ID, "true"]);
        assert_eq!(told.code, 2, "{told:?}");
        assert!(told.stderr.contains("`--via aws` logs in"), "{told:?}");
    }
    assert_eq!(server.asked(), Vec::<String>::new());
}

#[test]
fn all_of_them_at_once() {
    let server = rack(exits("up\r\n", 0));
    let told = run(&server, &["--all", "--output", "json", "--", "uptime"]);
    assert_eq!(told.code, 0, "{told:?}");
    let lines: Vec<serde_json::Value> = told
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3);
    for line in &lines {
        assert_eq!(line["exit_code"], 0);
        assert_eq!(line["stdout"], "up\r\n");
        assert!(line["key_used"].is_null(), "nobody tells");
    }
    let server = rack(exits("no\r\n", 1));
    let told = run(&server, &["--all", "--", "uptime"]);
    assert_eq!(told.code, 1);
    assert!(
        told.stderr.contains("3 of 3 instances did not do it"),
        "{told:?}"
    );
}

/// `script` gives a terminal to whatever it runs; `stty` tells how it is set before and after.
#[test]
fn a_terminal_is_raw_meanwhile_and_as_it_was_afterwards() {
    let wait_and_fail = vec![said("half"), Step::Await];
    for (steps, code) in [(exits("hello\r\n", 0), 0), (wait_and_fail, 1)] {
        let server = rack(steps);
        let home = tempfile::tempdir().unwrap();
        let inner = command(&server, &home, &[ID]);
        let words: Vec<_> = std::iter::once(inner.get_program())
            .chain(inner.get_args())
            .map(|word| format!("'{}'", word.to_str().unwrap()))
            .collect();
        let line = format!(
            "stty rows 33 cols 77; stty -g; {}; echo code $?; stty -g",
            words.join(" ")
        );
        let mut outer = Command::new("script");
        outer.args(["-qec", &line, "/dev/null"]).env_clear();
        for (name, value) in inner.get_envs() {
            outer.env(name, value.unwrap());
        }
        let mut outer = outer
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        outer.stdin.as_mut().unwrap().write_all(b"x\n").unwrap();
        let output = outer.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(&format!("code {code}")), "{text}");
        let settings: Vec<&str> = text
            .lines()
            .map(str::trim)
            .filter(|line| line.matches(':').count() > 20)
            .collect();
        assert_eq!(settings.len(), 2, "{text}");
        assert_eq!(settings[0], settings[1], "{text}");
        let requests = server.requests();
        let shell = requests.last().unwrap();
        assert_eq!(
            (shell.header("width"), shell.header("height")),
            (Some("77"), Some("33"))
        );
    }
}
