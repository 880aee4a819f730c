//! What an operator does: backup, restore, doctor, TLS, by the real program.

use std::path::Path;
#[cfg(unix)]
use std::process::Command;

use serde_json::json;

use crate::environment::execute_on_file;
use crate::program::{Program, client_of, said};

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// Makes an API and a recoverable key, and returns its secret.
async fn key(address: &str, root: &str) -> String {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |operation: &str, body: serde_json::Value| {
        let request = client
            .post(format!("{address}/v2/{operation}"))
            .bearer_auth(root);
        let answer = request.body(body.to_string()).send().await.unwrap();
        let bytes = answer.bytes().await.unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()["data"].clone()
    };
    let api = json!({ "name": "sealed", "storeEncryptedKeys": true });
    let api = post("apis.createApi", api).await["apiId"].clone();
    let with = json!({ "apiId": api, "recoverable": true, "credits": { "remaining": 5 } });
    let made = post("keys.createKey", with).await;
    made["key"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_a_server_that_runs_is_restored_elsewhere() {
    let program = Program::new();
    let root = program.done("data", &["init"]);
    let (running, line) = program.serve(&["--listen", "127.0.0.1:0"]);
    let address = line
        .strip_prefix("Serving on ")
        .unwrap_or_else(|| panic!("{line}"));
    let key = key(address, root.trim()).await;
    program.done("data", &["backup", "copy.db"]);
    #[cfg(unix)]
    assert_eq!(mode(&program.path("copy.db")), 0o600);
    let refused = program.fails("data", &["backup", "copy.db"]);
    assert!(refused.contains("exists already"), "{refused}");
    let taken = program.fails("data", &["serve", "--listen", "127.0.0.1:0"]);
    assert!(taken.contains("another server has the database"), "{taken}");
    drop(running);
    let bytes = std::fs::read(program.path("copy.db")).unwrap();
    assert!(!bytes.windows(key.len()).any(|part| part == key.as_bytes()));

    let occupied = program.fails("data", &["restore", "copy.db"]);
    assert!(occupied.contains("exists already"), "{occupied}");
    program.done("other", &["restore", "copy.db"]);
    #[cfg(unix)]
    assert_eq!(mode(&program.path("other/console.db")), 0o600);
    let locked = program.fails("other", &["doctor"]);
    assert!(
        locked.contains("1 of 1 recoverable secrets were sealed"),
        "{locked}"
    );
    std::fs::copy(
        program.path("data/master.key"),
        program.path("other/master.key"),
    )
    .unwrap();
    program.done("other", &["doctor"]);
    let names: Vec<_> = std::fs::read_dir(program.home.path()).unwrap().collect();
    assert!(
        names
            .iter()
            .all(|name| !format!("{name:?}").contains("partial")),
        "{names:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_backup_is_not_restored() {
    let program = Program::new();
    program.done("data", &["init"]);
    program.done("data", &["backup", "copy.db"]);
    let copy = program.path("copy.db");
    execute_on_file(
        &copy,
        "UPDATE _sqlx_migrations SET version = 99 WHERE version = 6",
    )
    .await;
    let newer = program.fails("other", &["restore", "copy.db"]);
    assert!(newer.contains("version 99"), "{newer}");
    std::fs::write(program.path("text.db"), "no database").unwrap();
    program.fails("other", &["restore", "text.db"]);
    program.fails("other", &["restore", "nothing.db"]);
    assert!(!program.path("other/console.db").exists());
    let postgres = [
        "restore",
        "copy.db",
        "--database-url",
        "postgres://x:secret@y/z",
    ];
    let other = program.fails("", &postgres);
    assert!(other.contains("pg_restore"), "{other}");
    assert!(!other.contains("secret"), "{other}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_what_is_wrong() {
    let program = Program::new();
    let missing = program.fails("data", &["doctor"]);
    assert!(missing.contains("there is no database"), "{missing}");
    assert!(!program.database().exists());
    program.done("data", &["init"]);
    assert_eq!(program.done("data", &["doctor"]), "");
    for (statement, expected) in [
        (
            "INSERT INTO pools (id, remaining, refilled_at) VALUES ('pool_1', 1, 0)",
            "1 balances of credits belong to no key",
        ),
        (
            "UPDATE audit_events SET at = 9000000000000",
            "in the future",
        ),
        (
            "PRAGMA foreign_keys = 0; INSERT INTO keys (id, hash, start, workspace_id, api_id, \
             bytes, sealed, created_at) SELECT 'key_1', x'00', 's', id, 'api_1', 16, x'01', 0 \
             FROM workspaces",
            "1 keys belong to no API",
        ),
    ] {
        execute_on_file(&program.database(), statement).await;
        let found = program.fails("data", &["doctor"]);
        assert!(found.contains(expected), "{found}");
    }
    let found = program.fails("data", &["doctor"]);
    assert!(
        found.contains("1 of 1 recoverable secrets are not as they were sealed"),
        "{found}"
    );
    assert!(
        found.contains("rows name others that are not there"),
        "{found}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_this_machine_the_way_is_encrypted() {
    let program = Program::new();
    let init = program.run("data", &["init", "--tls-name", "keys.example.com"]);
    let init = said(&init);
    let start = init.find("SHA256:").unwrap_or_else(|| panic!("{init}"));
    let fingerprint = init[start..].lines().next().unwrap().to_owned();
    #[cfg(unix)]
    assert_eq!(mode(&program.path("data/tls.key")), 0o600);
    let (_running, line) = program.serve(&["--listen", "0.0.0.0:0"]);
    assert!(line.starts_with("Serving on https://0.0.0.0:"), "{line}");
    assert!(line.ends_with(&fingerprint), "{line} {fingerprint}");
    let address = line.split("0.0.0.0:").nth(1).unwrap();
    let port: String = address.chars().take_while(char::is_ascii_digit).collect();
    let client = client_of(&program.path("data/tls.crt"));
    for name in ["127.0.0.1", "localhost", "keys.example.com"] {
        let url = format!("https://{name}:{port}/v2/liveness");
        let answer = client.get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{name}");
    }
    let plain = reqwest::Client::builder().no_proxy().build().unwrap();
    let plain = plain
        .get(format!("http://127.0.0.1:{port}/v2/liveness"))
        .send()
        .await;
    assert!(plain.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_http_beyond_this_machine_is_asked_for() {
    let program = Program::new();
    program.done("data", &["init"]);
    let (running, line) = program.serve(&["--listen", "0.0.0.0:0", "--insecure-http"]);
    assert!(line.contains("whoever reaches this address"), "{line}");
    drop(running);
    std::fs::remove_file(program.path("data/tls.crt")).unwrap();
    let refused = program.fails("data", &["serve", "--listen", "0.0.0.0:0"]);
    assert!(refused.contains("--insecure-http"), "{refused}");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_the_server_with_success() {
    let program = Program::new();
    program.done("data", &["init"]);
    let (mut running, line) = program.serve(&["--listen", "127.0.0.1:0"]);
    assert!(line.starts_with("Serving on http://127.0.0.1:"), "{line}");
    let id = running.child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
}
