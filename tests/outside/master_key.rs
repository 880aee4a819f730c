//! The console's master key, wrapped by a KMS that we did not write.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::emulator::Emulator;

const PLACE: &str = "kms:alias/convox-console";

/// The real program, with the emulator in AWS's place.
struct Program {
    home: TempDir,
    url: String,
}

/// A server that is killed when the test is done with it.
struct Served {
    child: Child,
    address: String,
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Program {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        let home = self.home.path();
        command
            .env_clear()
            .env("HOME", home)
            .env("AWS_ACCESS_KEY_ID", "outside")
            .env("AWS_SECRET_ACCESS_KEY", "outside")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .args(["--region", "us-east-1", "--endpoint-url", &self.url])
            .arg("console")
            .args(words);
        command
    }

    fn ended(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let output = self.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        (output.status.code(), stdout, stderr)
    }

    fn done(&self, words: &[&str]) -> (String, String) {
        let (code, stdout, stderr) = self.ended(words);
        assert_eq!(code, Some(0), "{words:?}: {stderr}");
        (stdout, stderr)
    }

    fn serve(&self) -> Served {
        self.serve_with(&["--master-key", PLACE])
    }

    fn serve_with(&self, flags: &[&str]) -> Served {
        let words = ["serve", "--listen", "127.0.0.1:0"];
        let mut command = self.command(&words);
        command.args(flags);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("Serving on ").map(str::to_owned);
        Served {
            address: address.unwrap_or_else(|| panic!("{line}")),
            child,
        }
    }
}

async fn post(server: &Served, root: &str, operation: &str, body: Value) -> Value {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client
        .post(format!("{}/v2/{operation}", server.address))
        .bearer_auth(root)
        .body(body.to_string());
    let answer = request.send().await.unwrap().bytes().await.unwrap();
    serde_json::from_slice::<Value>(&answer).unwrap()["data"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn kms_wraps_the_master_key_and_it_is_rotated_under_a_server() {
    let Some(moto) = Emulator::find("CONVOX_TEST_MOTO").await else {
        return;
    };
    moto.kms_key("alias/convox-console").await;
    let home = tempfile::tempdir().unwrap();
    let url = moto.url.clone();
    let program = Program { home, url };
    let (code, _, said) = program.ended(&["init", "--master-key", "kms:alias/no-such-key"]);
    assert_eq!(code, Some(1), "{said}");
    let (root, _) = program.done(&["init", "--master-key", PLACE]);
    let root = root.trim();
    let data = program.home.path().join(".local/state/convox/console");
    assert!(!data.join("master.key").exists());

    let server = program.serve();
    let api = json!({ "name": "kept", "storeEncryptedKeys": true });
    let api = post(&server, root, "apis.createApi", api).await["apiId"].clone();
    let body = json!({ "apiId": api, "recoverable": true });
    let made = post(&server, root, "keys.createKey", body).await;
    let shown = json!({ "keyId": made["keyId"], "decrypt": true });
    let rotate = ["master-key", "rotate", "--master-key", PLACE];
    let (_, said) = program.done(&rotate);
    assert!(said.contains("1 things were sealed anew"), "{said}");
    let read = post(&server, root, "keys.getKey", shown.clone()).await;
    assert_eq!(read["plaintext"], made["key"]);
    drop(server);

    let server = program.serve();
    let read = post(&server, root, "keys.getKey", shown.clone()).await;
    assert_eq!(read["plaintext"], made["key"]);
    let (_, said) = program.done(&["doctor", "--master-key", PLACE]);
    assert!(said.contains("seals: 1 secrets, 0 answers"), "{said}");
    let (code, _, said) = program.ended(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("is not in"), "{said}");

    let back = [&rotate[..], &["--to-file"]].concat();
    let (_, said) = program.done(&back);
    assert!(said.contains("1 things were sealed anew"), "{said}");
    let read = post(&server, root, "keys.getKey", shown.clone()).await;
    assert_eq!(read["plaintext"], made["key"]);
    drop(server);
    let server = program.serve_with(&[]);
    let read = post(&server, root, "keys.getKey", shown).await;
    assert_eq!(read["plaintext"], made["key"]);
}
