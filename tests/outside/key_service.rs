//! Clients of the key service that others wrote, against `convox console serve` itself: Unkey's own
//! from npm and PyPI, and schemathesis, which makes requests of the OpenAPI document.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use convox::clock::system_now;
use convox::ids::Entropy;
use convox::keys::{IdKind, SecretFormat, new_id};
use convox::store::{Actor, Audited, NewRootKey, Store};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::emulator::outside;

/// A server on loopback with a database of its own. It is killed when the test is done with it.
struct Served {
    address: String,
    /// Its first root key, which may do everything.
    root: String,
    /// One that may read keys and nothing else.
    reader: String,
    server: Child,
    data: TempDir,
}

impl Served {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let made = console(&data, "init").output().unwrap();
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let root = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        let reader = reader(&data).await;
        let mut server = console(&data, "serve")
            .args(["--listen", "127.0.0.1:0"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(server.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let (_, address) = line.trim().split_once("Serving on ").unwrap();
        let address = address.to_owned();
        // What is said later must not fill the pipe.
        std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
        Self {
            address,
            root,
            reader,
            server,
            data,
        }
    }

    /// Tells a program where a server is that answers few requests.
    fn as_limited(&self) -> [(&str, &str); 2] {
        [
            ("UNKEY_LIMITED_ADDRESS", &self.address),
            ("UNKEY_LIMITED_KEY", &self.root),
        ]
    }

    /// Runs a program that finds the root keys in its environment, and returns what it prints.
    async fn drive(&self, command: &mut Command) -> String {
        command
            .env("UNKEY_ROOT_KEY", &self.root)
            .env("UNKEY_READER_KEY", &self.reader)
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("NO_PROXY", "127.0.0.1");
        let name = format!("{command:?}");
        let mut command = std::mem::replace(command, Command::new("true"));
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        for secret in [&self.root, &self.reader] {
            let tells = printed.contains(secret) || complained.contains(secret.as_str());
            assert!(!tells, "a root key is told");
        }
        let ended = output.status;
        assert!(ended.success(), "{name}: {ended}\n{printed}{complained}");
        printed
    }

    async fn post(&self, operation: &str, body: Value) -> Value {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let sent = client
            .post(format!("{}/v2/{operation}", self.address))
            .bearer_auth(&self.root)
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = sent.send().await.unwrap().bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        answer["data"].clone()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // One that has ended already cannot be killed, and need not be.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn console(data: &TempDir, command: &str) -> Command {
    let mut convox = Command::new(env!("CARGO_BIN_EXE_convox"));
    convox
        .env_clear()
        .env("HOME", data.path())
        .args(["console", command, "--data"])
        .arg(data.path());
    convox
}

/// Makes a root key that may only read keys, while nobody serves the database.
async fn reader(data: &TempDir) -> String {
    let entropy = Entropy::system().unwrap();
    let path = data.path().join("console.db");
    let store = Store::sqlite(&path, entropy.clone()).await.unwrap();
    let workspace = store.workspaces().await.unwrap().remove(0);
    let secret = SecretFormat::new(Some("root"), 32).unwrap().mint(&entropy);
    let text = secret.text.expose_secret().to_owned();
    let new = NewRootKey {
        id: new_id(IdKind::Key, 0, &entropy),
        secret,
        name: Some("reader".to_owned()),
        permissions: vec!["api.*.read_key".to_owned()],
        expires: None,
    };
    let now = system_now().as_millisecond();
    let by = Audited::new(&workspace.id, Actor::Operator, now, &entropy);
    store.create_root_key(new, by).await.unwrap();
    store.close().await;
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_from_npm_has_types_for_every_answer() {
    let Some(modules) = outside("CONVOX_TEST_UNKEY_NODE") else {
        return;
    };
    let served = Served::start().await;
    let limited = Served::start_with(&["--workspace-limit", "2/24h"]).await;
    let mut node = Command::new("node");
    node.args(["tests/outside/unkey_drive.mjs", &served.address, &modules]);
    node.envs(limited.as_limited());
    assert_eq!(served.drive(&mut node).await, "done\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_from_pypi_has_types_for_every_answer() {
    let Some(python) = outside("CONVOX_TEST_UNKEY_PYTHON") else {
        return;
    };
    let served = Served::start().await;
    let limited = Served::start_with(&["--workspace-limit", "2/24h"]).await;
    let mut python = Command::new(python);
    python.args(["tests/outside/unkey_drive.py", &served.address]);
    python.envs(limited.as_limited());
    assert_eq!(served.drive(&mut python).await, "done\n");
}

/// What schemathesis holds against an API that this one is not: upstream answers 400 to whoever
/// shows no root key, and so do we; and a body may be refused for more than a schema can say.
const NOT_OURS: &str = "missing_required_header,ignored_auth,positive_data_acceptance";

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_sent_the_answer_is_one_that_is_documented() {
    let Some(schemathesis) = outside("CONVOX_TEST_SCHEMATHESIS") else {
        return;
    };
    let served = Served::start().await;
    let api = served
        .post("apis.createApi", json!({ "name": "orders" }))
        .await;
    let api = &api["apiId"];
    let (mut ids, mut secrets) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        let made = json!({ "apiId": api, "credits": { "remaining": 100 } });
        let mut made = served.post("keys.createKey", made).await;
        ids.push(made["keyId"].take());
        secrets.push(made["key"].take());
    }
    // The root key is in the environment, so that it is in no list of processes.
    let config = format!(
        "[headers]\n\
         Authorization = \"Bearer ${{UNKEY_ROOT_KEY}}\"\n\
         [dictionaries.apis]\nvalues = [{api}]\n\
         [dictionaries.keys]\nvalues = {}\n\
         [dictionaries.secrets]\nvalues = {}\n\
         [parameters]\n\
         \"body.apiId\" = {{ dictionary = \"apis\", probability = 0.8 }}\n\
         \"body.keyId\" = {{ dictionary = \"keys\", probability = 0.8 }}\n\
         \"body.key\" = {{ dictionary = \"secrets\", probability = 0.8 }}\n",
        Value::from(ids),
        Value::from(secrets),
    );
    let file = served.data.path().join("schemathesis.toml");
    std::fs::write(&file, config).unwrap();
    // The same requests each time; a machine that has the time makes more of them.
    let examples = std::env::var("CONVOX_TEST_EXAMPLES");
    let examples = examples.unwrap_or_else(|_| "15".to_owned());
    let document = format!("{}/openapi.json", served.address);
    let mut command = Command::new(schemathesis);
    command
        .current_dir(served.data.path())
        .arg("--config-file")
        .arg(&file)
        .args(["run", &document, "--no-color", "--generation-deterministic"])
        // That the whole API is deleted leaves nothing to ask for.
        .args(["--exclude-path", "/v2/apis.deleteApi"])
        .args(["--exclude-checks", NOT_OURS, "--max-examples", &examples]);
    let printed = served.drive(&mut command).await;
    assert!(printed.contains("✅ Fuzzing"), "{printed}");
}
