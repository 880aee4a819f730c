//! kill -9 in the middle of a rotation of the master key, by the real program.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::environment::text;

/// More than are sealed anew in one transaction.
const KEYS: usize = 150;

/// A server that is killed when the test is done with it.
struct Served {
    child: Child,
    address: String,
    root: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Served {
    fn start(home: &Path, root: &str) -> Self {
        let mut command = console(home, &["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("Serving on ").map(str::to_owned);
        Self {
            address: address.unwrap_or_else(|| panic!("{line}")),
            root: root.to_owned(),
            child,
        }
    }

    async fn post(&self, operation: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client
            .post(format!("{}/v2/{operation}", self.address))
            .bearer_auth(&self.root)
            .body(body.to_string());
        let answer = request.send().await.unwrap().bytes().await.unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["data"].clone()
    }

    async fn read_back(&self, id: &str) -> String {
        let body = json!({ "keyId": id, "decrypt": true });
        text(&self.post("keys.getKey", body).await["plaintext"])
    }
}

fn console(home: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
    command.env_clear().env("HOME", home);
    command.arg("console").args(words);
    command
}

fn done(home: &Path, words: &[&str]) -> (String, String) {
    let output = console(home, words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(0), "{words:?}: {stderr}");
    (stdout, stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_under_a_server_loses_nothing() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let root = done(home, &["init"]).0.trim().to_owned();
    let server = Served::start(home, &root);
    let api = json!({ "name": "kept", "storeEncryptedKeys": true });
    let api = server.post("apis.createApi", api).await["apiId"].clone();
    let mut keys = Vec::new();
    for _ in 0..KEYS {
        let body = json!({ "apiId": api, "recoverable": true });
        let made = server.post("keys.createKey", body).await;
        keys.push((text(&made["keyId"]), text(&made["key"])));
    }
    // Killed as soon as the new key is named, whichever step that comes upon.
    let mut command = console(home, &["master-key", "rotate"]);
    let mut rotation = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(rotation.stderr.take().unwrap()).lines();
    let line = lines.next().unwrap().unwrap();
    rotation.kill().unwrap();
    rotation.wait().unwrap();
    assert!(line.contains("seals from now on"), "{line}");
    for (id, key) in [&keys[0], &keys[KEYS - 1]] {
        assert_eq!(&server.read_back(id).await, key);
    }
    done(home, &["master-key", "rotate"]);
    for (id, key) in &keys {
        assert_eq!(&server.read_back(id).await, key);
    }
    let (_, said) = done(home, &["doctor"]);
    let sealed = format!("seals: {KEYS} secrets, 0 answers");
    assert_eq!(said.matches("master key").count(), 1, "{said}");
    assert!(said.contains(&sealed), "{said}");
    drop(server);
    let server = Served::start(home, &root);
    assert_eq!(server.read_back(&keys[0].0).await, keys[0].1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_first_init_makes_a_master_key() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let file = home.join(".local/state/convox/console/master.key");
    done(home, &["init"]);
    let made = std::fs::read(&file).unwrap();
    std::fs::remove_file(&file).unwrap();
    for words in [["init", "--workspace=b"], ["serve", "--listen=127.0.0.1:0"]] {
        let output = console(home, &words).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{words:?}");
        assert!(!file.exists(), "{words:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        if words[0] == "serve" {
            assert!(said.contains("is not in"), "{said}");
            assert!(said.contains("copy it from the server"), "{said}");
        }
    }
    // One that is there before `init` is taken, and never written over.
    let other = tempfile::tempdir().unwrap();
    let data = other.path().join(".local/state/convox/console");
    convox::private::create_dir(&data).unwrap();
    convox::private::replace(&data.join("master.key"), &made).unwrap();
    done(other.path(), &["init"]);
    assert_eq!(std::fs::read(data.join("master.key")).unwrap(), made);
}
