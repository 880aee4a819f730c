//! kill -9 under load: what was answered is there, whole, and credits are exact.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, Row as _};

use crate::environment::text;

/// How many chains of rerolls there are, each with a balance of its own.
const CHAINS: usize = 4;
/// What each balance begins with: more than can be spent.
const CREDITS: i64 = 1_000_000;

/// The real program, on files that outlive it.
struct Program {
    home: PathBuf,
}

/// A server that runs until it is killed.
struct Running {
    child: Child,
    asks: Asks,
}

/// Whoever asks a server.
struct Asks {
    address: String,
    root: String,
    client: reqwest::Client,
}

impl Program {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("HOME", &self.home)
            .args(["console"])
            .args(words);
        command
    }

    fn init(&self) -> String {
        let output = self.command(&["init"]).output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn serve(&self, root: &str) -> Running {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line
            .strip_prefix("Serving on ")
            .unwrap_or_else(|| panic!("{line}"));
        let asks = Asks {
            address: address.to_owned(),
            root: root.to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        Running { child, asks }
    }

    fn database(&self) -> PathBuf {
        self.home.join(".local/state/convox/console/console.db")
    }
}

impl Asks {
    /// Sends a request; none when it was not answered.
    async fn post(&self, operation: &str, body: Value) -> Option<(u16, Value)> {
        let request = self
            .client
            .post(format!("{}/v2/{operation}", self.address))
            .bearer_auth(&self.root)
            .body(body.to_string());
        let answer = request.send().await.ok()?;
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
        Some((status, body["data"].clone()))
    }

    async fn data(&self, operation: &str, body: Value) -> Value {
        let (status, data) = self.post(operation, body).await.unwrap();
        assert_eq!(status, 200, "{operation}");
        data
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is known of a chain of keys: each but the last was rerolled.
#[derive(Default)]
struct Chain {
    /// Ids and secrets of keys whose making was answered.
    keys: Vec<(String, String)>,
    /// Whether the last reroll was not answered: the newest key may be unknown.
    is_open: bool,
    /// Verifications that were answered VALID, and those that were not answered.
    spent: i64,
    perhaps: i64,
}

impl Chain {
    async fn new(server: &Asks, api: &str) -> Self {
        let with = json!({
            "apiId": api,
            "credits": { "remaining": CREDITS },
            "permissions": ["docs.read", "docs.write"],
            "ratelimits": [
                { "name": "requests", "limit": CREDITS, "duration": 60_000, "autoApply": true },
            ],
        });
        let made = server.data("keys.createKey", with).await;
        Self {
            keys: vec![(text(&made["keyId"]), text(&made["key"]))],
            ..Self::default()
        }
    }

    /// Rerolls and verifies until the server does not answer any more.
    async fn load(&mut self, server: &Asks, answered: &AtomicI64) {
        loop {
            let (id, key) = self.keys.last().unwrap().clone();
            for _ in 0..3 {
                let body = json!({ "key": key });
                let Some((status, data)) = server.post("keys.verifyKey", body).await else {
                    self.perhaps += 1;
                    return;
                };
                assert_eq!((status, &data["code"]), (200, &json!("VALID")), "{data}");
                self.spent += 1;
                answered.fetch_add(1, Ordering::Relaxed);
            }
            let body = json!({ "keyId": id, "expiration": 0 });
            let Some((status, data)) = server.post("keys.rerollKey", body).await else {
                self.is_open = true;
                return;
            };
            assert_eq!(status, 200, "{data}");
            self.keys.push((text(&data["keyId"]), text(&data["key"])));
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Looks whether all that was answered is there.
    async fn check(&self, server: &Asks) {
        for pair in self.keys.windows(2) {
            let ((old, old_key), (new, _)) = (&pair[0], &pair[1]);
            let shown = server.data("keys.getKey", json!({ "keyId": old })).await;
            assert_eq!(
                shown["successorId"],
                json!(new),
                "an answered reroll is gone"
            );
            let asks = json!({ "key": old_key, "credits": { "cost": 0 } });
            let verified = server.data("keys.verifyKey", asks).await;
            assert_eq!(verified["code"], "EXPIRED");
        }
        let (id, key) = self.keys.last().unwrap();
        let shown = server.data("keys.getKey", json!({ "keyId": id })).await;
        let is_rerolled = shown.get("successorId").is_some();
        assert!(
            !is_rerolled || self.is_open,
            "a reroll that nobody asked for"
        );
        assert_eq!(shown["permissions"], json!(["docs.read", "docs.write"]));
        let left = shown["credits"]["remaining"].as_i64().unwrap();
        let gone = CREDITS - left;
        let may = self.spent..=self.spent + self.perhaps;
        assert!(
            may.contains(&gone),
            "{gone} credits are gone, {may:?} may be"
        );
        let asks = json!({ "key": key, "credits": { "cost": 0 } });
        let verified = server.data("keys.verifyKey", asks).await;
        let expected = if is_rerolled { "EXPIRED" } else { "VALID" };
        assert_eq!(verified["code"], expected);
    }
}

/// Looks for keys without the rows that each of them has.
async fn no_key_is_half(database: &Path) {
    let options = SqliteConnectOptions::new()
        .filename(database)
        .read_only(true);
    let mut connection = options.connect().await.unwrap();
    let query = "SELECT k.id, \
                 (SELECT count(*) FROM ratelimits r WHERE r.key_id = k.id), \
                 (SELECT count(*) FROM keys_permissions p WHERE p.key_id = k.id), \
                 (SELECT count(*) FROM pools p WHERE p.id = k.pool_id), \
                 (SELECT count(*) FROM audit_events e WHERE e.targets LIKE '%' || k.id || '%'), \
                 k.predecessor_id, k.successor_id FROM keys k";
    let mut links = BTreeMap::new();
    for row in sqlx::query(query).fetch_all(&mut connection).await.unwrap() {
        let id: String = row.get(0);
        let counts: [i64; 3] = [row.get(1), row.get(2), row.get(3)];
        assert_eq!(
            counts,
            [1, 2, 1],
            "{id} lacks limits, permissions or its balance"
        );
        assert!(row.get::<i64, _>(4) > 0, "{id} is in no audit event");
        links.insert(
            id,
            (
                row.get::<Option<String>, _>(5),
                row.get::<Option<String>, _>(6),
            ),
        );
    }
    for (id, (before, after)) in &links {
        let of = |other: &Option<String>| other.as_ref().map(|other| links[other].clone());
        assert!(
            of(before).is_none_or(|(_, after)| after.as_ref() == Some(id)),
            "{id}"
        );
        assert!(
            of(after).is_none_or(|(before, _)| before.as_ref() == Some(id)),
            "{id}"
        );
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_survives_a_kill() {
    let rounds = if std::env::var_os("CI").is_some() {
        50
    } else {
        6
    };
    let home = tempfile::tempdir().unwrap();
    let program = Program {
        home: home.path().to_owned(),
    };
    let root = program.init();
    let mut server = program.serve(&root);
    let made = server
        .asks
        .data("apis.createApi", json!({ "name": "load" }))
        .await;
    let api = text(&made["apiId"]);
    for round in 0..rounds {
        let Running { child, asks } = &mut server;
        let mut chains = Vec::new();
        for _ in 0..CHAINS {
            chains.push(Chain::new(asks, &api).await);
        }
        // At another place in the work each time.
        let enough = 5 + (round * 7) % 40;
        let answered = AtomicI64::new(0);
        let killing = async {
            while answered.load(Ordering::Relaxed) < enough {
                tokio::task::yield_now().await;
            }
            child.kill().unwrap();
            child.wait().unwrap();
        };
        let [one, two, three, four] = chains.as_mut_slice() else {
            panic!("{CHAINS} chains");
        };
        tokio::join!(
            killing,
            one.load(asks, &answered),
            two.load(asks, &answered),
            three.load(asks, &answered),
            four.load(asks, &answered),
        );
        no_key_is_half(&program.database()).await;
        server = program.serve(&root);
        for chain in &chains {
            chain.check(&server.asks).await;
        }
    }
    drop(server);
    let doctor = program.command(&["doctor"]).output().unwrap();
    assert!(
        doctor.status.success(),
        "{}",
        String::from_utf8_lossy(&doctor.stdout)
    );
}
