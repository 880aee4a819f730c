//! kill -9 under load: what was answered is there, whole, and credits are exact.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use convox::clock::Clock;
use serde_json::{Value, json};

use crate::database::texts_of;
use crate::environment::{new_database, text};

/// How many chains of rerolls there are, each with a balance of its own.
const CHAINS: usize = 4;
/// What each balance begins with: more than can be spent.
const CREDITS: i64 = 1_000_000;

/// The real program, on files that outlive it.
struct Program {
    home: tempfile::TempDir,
    /// Where its database is, if that is PostgreSQL.
    url: Option<String>,
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
            .env("HOME", self.home.path())
            .args(["console"])
            .args(words);
        if let Some(url) = &self.url {
            command.args(["--database-url", url]);
        }
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

    /// A program on a database that is made for it, of each kind that there is.
    async fn each() -> Vec<Self> {
        let mut urls = vec![None];
        if let Ok(url) = std::env::var("CONVOX_TEST_DATABASE_URL") {
            urls.push(Some(new_database(&url).await));
        }
        let programs = urls.into_iter().map(|url| Self {
            home: tempfile::tempdir().unwrap(),
            url,
        });
        programs.collect()
    }

    /// Runs a query beside the server.
    async fn texts(&self, query: &str) -> Vec<String> {
        let file = ".local/state/convox/console/console.db";
        let path: PathBuf = self.home.path().join(file);
        texts_of(self.url.as_deref(), &path, query).await
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
        Self::answer(request).await
    }

    /// Rerolls a key; what can be repeated is done the same way each time that it is asked for.
    async fn reroll(&self, id: &str, is_repeatable: bool) -> Option<(u16, Value)> {
        let body = json!({ "keyId": id, "expiration": 0 });
        let mut request = self
            .client
            .post(format!("{}/v2/keys.rerollKey", self.address))
            .bearer_auth(&self.root)
            .body(body.to_string());
        if is_repeatable {
            request = request.header("idempotency-key", id);
        }
        Self::answer(request).await
    }

    async fn answer(request: reqwest::RequestBuilder) -> Option<(u16, Value)> {
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
    /// Whether its rerolls can be repeated; else several chains' are one transaction.
    is_repeatable: bool,
    /// Ids and secrets of keys whose making was answered, and at last perhaps the id alone.
    keys: Vec<(String, String)>,
    /// Whether the last reroll was not answered: the newest key may be unknown.
    is_open: bool,
    /// Verifications that were answered VALID, and those that were not answered.
    spent: i64,
    perhaps: i64,
}

impl Chain {
    async fn new(server: &Asks, api: &str, is_repeatable: bool) -> Self {
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
            is_repeatable,
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
            let Some((status, data)) = server.reroll(&id, self.is_repeatable).await else {
                self.is_open = true;
                return;
            };
            assert_eq!(status, 200, "{data}");
            self.keys.push((text(&data["keyId"]), text(&data["key"])));
            answered.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Asks again for the key whose making was not answered, if there is one.
    async fn recover(&mut self, server: &Asks) {
        if !self.is_open {
            return;
        }
        let (id, _) = self.keys.last().unwrap();
        if self.is_repeatable {
            let (status, data) = server.reroll(id, true).await.unwrap();
            assert_eq!(status, 200, "carried out or not, it is answered: {data}");
            self.keys.push((text(&data["keyId"]), text(&data["key"])));
        } else {
            let shown = server.data("keys.getKey", json!({ "keyId": id })).await;
            if let Some(new) = shown.get("successorId") {
                // Nobody knows its secret.
                self.keys.push((text(new), String::new()));
            }
        }
        self.is_open = false;
    }

    /// Looks whether all that was answered is there, and nothing else.
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
        assert!(!is_rerolled, "a reroll that nobody asked for");
        assert_eq!(shown["permissions"], json!(["docs.read", "docs.write"]));
        let left = shown["credits"]["remaining"].as_i64().unwrap();
        let gone = CREDITS - left;
        let may = self.spent..=self.spent + self.perhaps;
        assert!(
            may.contains(&gone),
            "{gone} credits are gone, {may:?} may be"
        );
        if !key.is_empty() {
            let asks = json!({ "key": key, "credits": { "cost": 0 } });
            let verified = server.data("keys.verifyKey", asks).await;
            assert_eq!(verified["code"], "VALID");
        }
    }
}

/// Looks for keys without the rows that each of them has.
async fn no_key_is_half(program: &Program) {
    let query = "SELECT k.id || '|' || \
                 (SELECT count(*) FROM ratelimits r WHERE r.key_id = k.id) || ' ' || \
                 (SELECT count(*) FROM keys_permissions p WHERE p.key_id = k.id) || ' ' || \
                 (SELECT count(*) FROM pools p WHERE p.id = k.pool_id) || ' ' || \
                 (SELECT count(*) FROM audit_events e WHERE e.event IN ('key.create', 'key.reroll') \
                  AND e.targets LIKE '[\"' || k.id || '\"%') || '|' || \
                 COALESCE(k.predecessor_id, '') || '|' || COALESCE(k.successor_id, '') FROM keys k";
    let mut links = BTreeMap::new();
    for row in program.texts(query).await {
        let parts: Vec<_> = row.split('|').map(str::to_owned).collect();
        let [id, counts, before, after] = <[String; 4]>::try_from(parts).unwrap();
        assert_eq!(
            counts, "1 2 1 1",
            "{id} lacks limits, permissions, its balance or its audit event"
        );
        links.insert(id, (before, after));
    }
    for (id, (before, after)) in &links {
        let of = |other: &String| (!other.is_empty()).then(|| links[other].clone());
        assert!(of(before).is_none_or(|(_, after)| &after == id), "{id}");
        assert!(of(after).is_none_or(|(before, _)| &before == id), "{id}");
    }
}

/// Says how often a server is killed: more often where there is time.
fn rounds() -> usize {
    let rounds = std::env::var("CONVOX_TEST_KILLS").ok();
    rounds.map_or(6, |rounds| rounds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_survives_a_kill() {
    for program in Program::each().await {
        kill_under_load(&program, rounds()).await;
    }
}

async fn kill_under_load(program: &Program, rounds: usize) {
    let root = program.init();
    let mut server = program.serve(&root);
    let api = api(&server.asks).await;
    for round in 0..rounds {
        let Running { child, asks } = &mut server;
        let mut chains = Vec::new();
        for _ in 0..CHAINS {
            chains.push(Chain::new(asks, &api, round % 2 == 0).await);
        }
        // At another place in the work each time.
        let enough = i64::try_from(5 + (round * 7) % 40).unwrap();
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
        no_key_is_half(program).await;
        server = program.serve(&root);
        for chain in &mut chains {
            chain.recover(&server.asks).await;
            chain.check(&server.asks).await;
        }
        no_key_is_half(program).await;
    }
    drop(server);
    let doctor = program.command(&["doctor"]).output().unwrap();
    let said = String::from_utf8_lossy(&doctor.stdout);
    assert!(doctor.status.success(), "{said}");
}

async fn api(asks: &Asks) -> String {
    let made = asks.data("apis.createApi", json!({ "name": "load" })).await;
    text(&made["apiId"])
}

/// Verifies a key time and again, kills the server, and returns how long before that the first
/// verification was answered that is not counted.
async fn oldest_lost(program: &Program, root: &str, load: Duration) -> Duration {
    let clock = Clock::system();
    let mut server = program.serve(root);
    let api = api(&server.asks).await;
    let with = json!({ "apiId": api });
    let made = server.asks.data("keys.createKey", with).await;
    let (begin, mut answered) = (clock.passed(), Vec::new());
    while clock.passed() < begin + load {
        let body = json!({ "key": made["key"] });
        let verified = server.asks.data("keys.verifyKey", body).await;
        assert_eq!(verified["code"], "VALID");
        answered.push(clock.passed());
    }
    server.child.kill().unwrap();
    let killed = clock.passed();
    server.child.wait().unwrap();
    // The next server adds up what this one wrote down.
    let next = program.serve(root);
    let waiting = "SELECT CAST(count(*) AS TEXT) FROM counted_verifications";
    while program.texts(waiting).await != ["0"] {
        clock.sleep(Duration::from_millis(50)).await;
    }
    drop(next);
    let id = text(&made["keyId"]);
    let count = async |query: &str| {
        let query = query.replace("KEY", &id);
        let counts = program.texts(&query).await;
        counts[0].parse::<usize>().unwrap()
    };
    let kept = count(
        "SELECT CAST(count(*) AS TEXT) FROM verifications v \
         JOIN verification_series s ON s.id = v.series_id WHERE s.key_id = 'KEY'",
    );
    let kept = kept.await;
    for grain in ["minute", "hour", "day", "month"] {
        let sum = format!(
            "SELECT CAST(sum(uses) AS TEXT) FROM verifications_per_{grain} v \
             JOIN verification_series s ON s.id = v.series_id WHERE s.key_id = 'KEY'"
        );
        assert_eq!(count(&sum).await, kept, "by {grain}");
    }
    let last = count("SELECT CAST(at AS TEXT) FROM last_uses WHERE id = 'KEY'").await;
    assert!(last > 0, "no last use");
    // They are written down in the order in which they came.
    answered
        .get(kept)
        .map_or(Duration::ZERO, |lost| killed - *lost)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn at_most_the_last_second_of_counts_is_lost_with_a_kill() {
    for program in Program::each().await {
        let root = program.init();
        let mut lost = Vec::new();
        // Killed at another place between two writings each time.
        for round in 0..5 {
            let load = Duration::from_millis(1_700 + 130 * round);
            lost.push(oldest_lost(&program, &root, load).await);
        }
        lost.sort();
        // The machine may be held up once, and has much else to do; it is not held up each time.
        assert!(lost[2] <= Duration::from_secs(1), "{lost:?}");
        assert!(
            lost[4] > Duration::ZERO,
            "nothing is ever lost: what is tested?"
        );
    }
}
