//! The real programs with a rack that is reached over its own API: how the console is told of it,
//! and what becomes of a roll when the console is killed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use convox::clock::{Clock, system_now};
use convox::sandbox::{self, Sandbox, Scenario};
use serde_json::Value;

use crate::programs::{Programs, done, text};
use crate::rolling_over_api::template_of_before_2023;
use crate::sandbox_api::accepts;
use crate::server::{Answer, Certificate, Server};

/// How much faster than the machine's everybody's time goes.
const SPEED: f64 = 20.0;
/// The password that the sandbox's rack begins with.
const OLD: &str = "sandbox-password";

/// Runs a command that ends with `code`; returns what it says on stderr.
fn ends(code: i32, mut command: std::process::Command) -> String {
    let output = command.output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}: {said}");
    assert!(!said.contains("hunter"), "{said}");
    said
}

#[test]
fn a_rack_is_added_with_a_password_that_it_takes_and_a_certificate_that_somebody_vouches_for() {
    let certificate = Certificate::self_signed(&["127.0.0.1"]);
    let fingerprint = certificate.fingerprint.to_string();
    // convox:hunter2, and what somebody else sets later: convox:hunter3
    let (before, after) = ("Basic Y29udm94Omh1bnRlcjI=", "Basic Y29udm94Omh1bnRlcjM=");
    let is_changed = Arc::new(AtomicBool::new(false));
    let changed = Arc::clone(&is_changed);
    let server = Server::start_tls(certificate, move |request| {
        let good = if changed.load(Ordering::SeqCst) {
            after
        } else {
            before
        };
        match (request.header("authorization"), request.what()) {
            (Some(given), "GET /auth?") if given == good => Answer::ok("ok\n"),
            (Some(given), "GET /instances?") if given == good => Answer::ok("[]"),
            _ => Answer::status(401, "invalid authentication\n"),
        }
    });
    let mut programs = Programs::new();
    done(programs.of_console(&["init", "--workspace", "acme"]));
    let key = done(programs.of_console(&["people", "add", "ada"]));
    for (file, password) in [("right", "hunter2\n"), ("wrong", "hunter3\n")] {
        std::fs::write(programs.server.path().join(file), password).unwrap();
    }
    let host = server.address().to_string();
    let add = |more: &[&str]| {
        let words = ["racks", "add", "far", "--kind", "api", "--host", &host];
        programs.of_console(&[&words, more].concat())
    };
    let said = ends(1, add(&["--password-file", "right"]));
    let trusts = format!("--tls-fingerprint {fingerprint} trusts it");
    assert!(said.contains(&trusts), "{said}");
    let said = ends(
        1,
        add(&[
            "--password-file",
            "wrong",
            "--tls-fingerprint",
            &fingerprint,
        ]),
    );
    assert!(said.contains("refuses that password"), "{said}");
    let said = ends(2, add(&["--password-file", "right", "--stack", "far"]));
    assert!(said.contains("--stack is for a rack"), "{said}");
    let said = ends(
        2,
        programs.of_console(&["racks", "add", "far", "--host", &host]),
    );
    assert!(said.contains("--host goes with --kind api"), "{said}");
    let said = ends(
        0,
        add(&[
            "--password-file",
            "right",
            "--tls-fingerprint",
            &fingerprint,
        ]),
    );
    assert_eq!(said, "The console knows acme/far\n");
    let database = std::fs::read(programs.server.path().join("data/console.db")).unwrap();
    assert!(!database.windows(7).any(|window| window == b"hunter2"));
    let console = programs.serve();
    let mut login = programs.of_person(&["login", &console]);
    login.env("CONVOX_PASSWORD", key.trim());
    done(login);
    let listed = done(programs.of_person(&["instances", "-r", "acme/far"]));
    assert!(listed.starts_with("ID  STATUS"), "{listed}");

    is_changed.store(true, Ordering::SeqCst);
    ends(1, programs.of_person(&["instances", "-r", "acme/far"]));
    let change = |more: &[&str]| {
        let words = ["racks", "change", "far"];
        programs.of_console(&[&words, more].concat())
    };
    let said = ends(1, change(&["--password-file", "right"]));
    assert!(said.contains("refuses that password"), "{said}");
    let said = ends(2, change(&["--role-arn", "arn:aws:iam::1:role/a"]));
    assert!(said.contains("--role-arn is for a rack"), "{said}");
    // Where it is and who vouched for it stay.
    let said = ends(0, change(&["--password-file", "wrong"]));
    assert_eq!(said, "The console knows how acme/far is reached now\n");
    let listed = done(programs.of_person(&["instances", "-r", "acme/far"]));
    assert!(listed.starts_with("ID  STATUS"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_console_is_killed_and_goes_on_with_a_password_that_nobody_else_knows() {
    let runtime = tokio::runtime::Handle::current();
    // On threads of their own: they wait for programs, and the racks are served meanwhile.
    let rounds = [200, 1500, 4000].map(|ms| {
        let runtime = runtime.clone();
        std::thread::spawn(move || runtime.block_on(kill_after(Duration::from_millis(ms))))
    });
    let ends = rounds.map(|round| round.join().unwrap());
    // Else nobody was killed in the middle of anything.
    assert!(
        ends.iter().filter(|end| *end == "done").count() >= 2,
        "{ends:?}"
    );
}

/// Kills the console so long after it has begun a roll, starts it again, and returns how the roll
/// ends.
async fn kill_after(after: Duration) -> String {
    let home = tempfile::tempdir().unwrap();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let mut scenario = Scenario::load(&dir.join("success.yaml")).unwrap();
    scenario.template = Some(template_of_before_2023(home.path()));
    let epoch = system_now();
    let sandbox = Sandbox::new(&scenario, Clock::since(epoch, SPEED)).unwrap();
    let listener = sandbox::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let rack = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(sandbox::serve(
        listener,
        sandbox.clone(),
        std::future::pending(),
    ));
    let mut programs = Programs::new()
        .with("CONVOX_TEST_SPEED", SPEED.to_string())
        .with("CONVOX_TEST_EPOCH", epoch.to_string());
    std::fs::write(programs.server.path().join("password"), OLD).unwrap();
    done(programs.of_console(&["init", "--workspace", "acme"]));
    let key = done(programs.of_console(&["people", "add", "ada"]));
    let words = ["racks", "add", "far", "--kind", "api", "--host", &rack];
    done(programs.of_console(&[&words[..], &["--password-file", "password"]].concat()));
    // The server's clock is a test's only with an account on this machine.
    let clock = ["--endpoint-url", rack.as_str()];
    let host = programs.serve_with(&clock);
    let mut login = programs.of_person(&["login", &host]);
    login.env("CONVOX_PASSWORD", key.trim());
    done(login);
    done(programs.of_person(&["switch", "acme/far"]));
    let words = ["rack", "params", "set", "Password=", "--detach"];
    let said = ends(
        6,
        programs.of_person(&[&words[..], &["--password-out", "new"]].concat()),
    );
    assert!(said.contains("goes on in the console"), "{said}");
    let new = std::fs::read_to_string(programs.person.path().join("new")).unwrap();
    let machine = Clock::system();
    machine.sleep(after).await;
    programs.kill();
    programs.serve_at(&host, &clock);
    let roll = loop {
        let system = done(programs.of_person(&["api", "get", "/system"]));
        let system: Value = serde_json::from_str(&system).unwrap();
        if system["roll"]["report"].is_object() {
            break system["roll"].clone();
        }
        machine.sleep(Duration::from_millis(500)).await;
    };
    let outcome = roll["report"]["outcome"].as_str().unwrap().to_owned();
    let takes = async |password: &str| accepts(&sandbox, password).await.unwrap();
    match outcome.as_str() {
        "done" => assert!(takes(new.trim_end()).await && !takes(OLD).await),
        "nothing_changed" => assert!(takes(OLD).await),
        other => panic!("{after:?}: {other}: {roll:#}"),
    }
    // Whichever it is, the console has it.
    let rack = done(programs.of_person(&["rack"]));
    assert!(rack.contains("running"), "{rack}");
    outcome
}
