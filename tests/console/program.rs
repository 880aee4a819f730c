//! The real programs: a console with TLS, and this command line, which logs in to it.

use crate::programs::{Programs, done, text};

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
    let output = programs.of_console(&["people", "sign-out", "ada"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "ada is signed out, and had no password\n");
}
