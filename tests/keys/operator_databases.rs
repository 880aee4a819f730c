//! What an operator does with PostgreSQL, with databases of other versions, and with flags.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::environment::{execute, execute_on_file, new_database};
use crate::program::{Program, Running, client_of, said};

/// Makes a database, or says why not.
async fn database() -> Option<String> {
    let Ok(url) = std::env::var("CONVOX_TEST_DATABASE_URL") else {
        eprintln!("skipped: `.ci/postgres cargo test --test keys` runs it");
        return None;
    };
    Some(new_database(&url).await)
}

/// Runs a command for somebody who asks a server, and returns its stdout.
fn asks(program: &Program, address: &str, root: &str, words: &[&str], input: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
    command
        .env_clear()
        .env("HOME", program.home.path())
        .env("UNKEY_ROOT_KEY", root)
        .env("CONVOX_KEYS_HOST", address)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn address(line: &str) -> String {
    let address = line.strip_prefix("Serving on ");
    address.unwrap_or_else(|| panic!("{line}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_a_postgresql_database() {
    let Some(url) = database().await else { return };
    let program = Program::new();
    let here = ["--database-url", url.as_str()];
    let on = |words: &[&'static str]| [words, &here[..]].concat();
    let unprepared = program.fails("data", &on(&["serve", "--listen", "127.0.0.1:0"]));
    assert!(
        unprepared.contains("`convox console init` prepares it"),
        "{unprepared}"
    );
    let root = program.done("data", &on(&["init"]));
    let root = root.trim();
    assert!(root.starts_with("root_"), "{root}");
    let twice = program.fails("data", &on(&["init"]));
    assert!(twice.contains("has a workspace already"), "{twice}");
    assert_eq!(program.done("data", &on(&["migrate"])), "");
    let serve = on(&["--listen", "127.0.0.1:0"]);
    let (_running, line) = program.serve(&serve);
    let (_beside, other) = program.serve(&serve);
    let (address, other) = (address(&line), address(&other));
    let api = asks(&program, &address, root, &["apis", "create", "orders"], "");
    let create = ["keys", "create", "--api", &api, "--output", "json"];
    let made = asks(&program, &address, root, &create, "");
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let (id, old) = (
        made["keyId"].as_str().unwrap(),
        made["key"].as_str().unwrap(),
    );
    asks(&program, &other, root, &["keys", "verify"], old);
    let reroll = ["keys", "reroll", id, "--grace", "1h"];
    let new = asks(&program, &address, root, &reroll, "");
    let verified = asks(&program, &other, root, &["keys", "verify"], &new);
    assert!(verified.contains("VALID"), "{verified}");
    assert_eq!(program.done("data", &on(&["doctor"])), "");
    let backup = program.fails("data", &on(&["backup", "copy.db"]));
    assert!(backup.contains("pg_dump"), "{backup}");
    assert!(!program.path("copy.db").exists() && !program.database().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_database_that_is_newer_is_left_alone() {
    let Some(url) = database().await else { return };
    let program = Program::new();
    let on = |words: &[&'static str]| [words, &["--database-url", &url]].concat();
    // One that nobody prepared is brought to this version.
    let migrated = program.run("data", &on(&["migrate"]));
    assert!(
        said(&migrated).contains("now, and had 0"),
        "{}",
        said(&migrated)
    );
    execute(
        &url,
        "UPDATE _sqlx_migrations SET version = 99 WHERE version = 6",
    )
    .await;
    for words in [
        &["migrate"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["init"],
    ] {
        let newer = program.fails("data", &on(words));
        assert!(newer.contains("version 99"), "{words:?}: {newer}");
        assert!(newer.contains("or a newer one"), "{words:?}: {newer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_another_version_is_left_alone() {
    let program = Program::new();
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    let unprepared = program.fails("data", &serve);
    assert!(
        unprepared.contains("`convox console init` prepares it"),
        "{unprepared}"
    );
    program.done("data", &["init"]);
    execute_on_file(
        &program.database(),
        "UPDATE _sqlx_migrations SET version = 99 WHERE version = 6",
    )
    .await;
    for words in [&["migrate"][..], &serve, &["doctor"]] {
        let newer = program.fails("data", words);
        assert!(newer.contains("version 99"), "{words:?}: {newer}");
    }
    execute_on_file(&program.database(), "DELETE FROM _sqlx_migrations").await;
    let older = program.fails("data", &serve);
    assert!(older.contains("version 0"), "{older}");
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_one_first_root_key() {
    let program = Program::new();
    program.done("data", &["init"]);
    let again = program.run("data", &["init"]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(again.stdout, b"", "no root key");
    assert!(
        said(&again).contains("has a workspace already"),
        "{}",
        said(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_certificate_may_be_named() {
    let program = Program::new();
    program.done("data", &["init"]);
    program.done("other", &["init", "--tls-name", "keys.example.com"]);
    let named = ["--tls-cert", "other/tls.crt", "--tls-key", "other/tls.key"];
    let words = [&["--listen", "127.0.0.1:0"][..], &named].concat();
    let (_running, line) = program.serve(&words);
    assert!(line.starts_with("Serving on https://127.0.0.1:"), "{line}");
    let (_, port) = line.split_once("127.0.0.1:").unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    let answers = async |certificate: &str| {
        let client = client_of(&program.path(certificate));
        let url = format!("https://keys.example.com:{port}/v2/liveness");
        client.get(url).send().await.is_ok()
    };
    assert!(answers("other/tls.crt").await);
    assert!(!answers("data/tls.crt").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_every_workspace_is_a_flag() {
    let program = Program::new();
    let root = program.done("data", &["init"]);
    let limited = ["--listen", "127.0.0.1:0", "--workspace-limit", "2/24h"];
    let (running, line): (Running, _) = program.serve(&limited);
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v2/keys.verifyKey", address(&line));
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let request = client.post(&url).bearer_auth(root.trim());
        let answer = request.body(json!({ "key": "nobody" }).to_string()).send();
        statuses.push(answer.await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [200, 200, 429]);
    drop(running);
    let help = program.done("", &["serve", "--help"]);
    assert!(help.contains("[default: 127.0.0.1:8480]"), "{help}");
}
