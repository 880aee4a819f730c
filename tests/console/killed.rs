//! Two consoles on one PostgreSQL database, of which one is killed in the middle of a roll.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use convox::clock::{Clock, system_now};
use convox::ids::Entropy;
use convox::sandbox::ec2::InstanceState;
use convox::sandbox::{self, Sandbox, Scenario};
use convox::store::{RollRow, Store};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::databases::new_database;
use crate::invariants::Watcher;

/// How often one is killed.
const ROUNDS: u64 = 20;
/// How many rounds go on at once: they mostly wait.
const AT_ONCE: usize = 4;
/// How much faster than the machine's everybody's time goes.
const SPEED: f64 = 20.0;
/// How long a roll takes in the sandbox, in its own seconds.
const ROLL: u64 = 420;
/// For how long the end of a roll is waited for, in the machine's seconds.
const PATIENCE: u64 = 120;

#[tokio::test(flavor = "multi_thread")]
async fn one_is_killed_twenty_times_and_the_other_ends_its_roll() {
    let Ok(server) = std::env::var("CONVOX_TEST_DATABASE_URL") else {
        eprintln!("skipped: PostgreSQL, `.ci/postgres cargo test --test console` runs it");
        return;
    };
    let entropy = Entropy::system().unwrap();
    let (mut rounds, mut terms) = (JoinSet::new(), Vec::new());
    for round in 0..ROUNDS {
        if rounds.len() == AT_ONCE {
            terms.push(rounds.join_next().await.unwrap().unwrap());
        }
        // Anywhere in the roll, and as often in each part of it.
        let part = ROLL / ROUNDS;
        let after = Duration::from_secs(part * round + entropy.next_u64() % part);
        let server = server.clone();
        rounds.spawn(async move { kill_one(&server, after).await });
    }
    terms.extend(rounds.join_all().await);
    // Else nobody was killed in the middle of anything.
    let taken_up = terms.iter().filter(|term| **term > 1).count();
    assert!(taken_up >= terms.len() / 2, "{terms:?}");
}

/// Kills the console that rolls a key so long after it was asked to, and looks how it ends; returns
/// how many terms of work it took.
async fn kill_one(server: &str, after: Duration) -> i64 {
    let context = format!("killed after {} s", after.as_secs());
    let home = tempfile::tempdir().unwrap();
    let epoch = system_now();
    let clock = Clock::since(epoch, SPEED);
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scenarios");
    let scenario = Scenario::load(&dir.join("success.yaml")).unwrap();
    let sandbox = Sandbox::new(&scenario, clock.clone()).unwrap();
    let watcher = Watcher::start(&sandbox, &clock);
    let listener = sandbox::bind(([127, 0, 0, 1], 0).into()).await.unwrap();
    let account = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(sandbox::serve(
        listener,
        sandbox.clone(),
        std::future::pending(),
    ));
    let programs = Programs {
        home,
        url: new_database(server).await,
        account,
        epoch,
    };
    programs.done(&["init", "--workspace", "acme"]);
    let key = programs.done(&["people", "add", "ada"]);
    programs.done(&["racks", "add", "prod", "--rack-region", "us-east-1"]);
    let (mut one, first) = programs.serve();
    let (_other, second) = programs.serve();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = |request: reqwest::RequestBuilder| {
        request
            .basic_auth("convox", Some(key.trim()))
            .header("Rack", "acme/prod")
            .send()
    };
    let asked = ask(client.post(format!("{first}/instances/keyroll"))).await;
    let asked = asked.unwrap();
    assert_eq!(
        asked.status(),
        200,
        "{context}: {}",
        asked.text().await.unwrap()
    );
    clock.sleep(after).await;
    one.0.kill().unwrap();
    one.0.wait().unwrap();
    let store = Store::postgres(&programs.url, Clock::system(), Entropy::system().unwrap());
    let roll = ended(&store.await.unwrap(), &context).await;
    let report: Value = serde_json::from_str(roll.report.as_deref().unwrap()).unwrap();
    assert_eq!(report["outcome"], json!("done"), "{context}: {report:#}");
    watcher.assert_whole(&context);
    let new = report["new_key"].as_str().unwrap();
    let (pairs, carried): (_, Vec<_>) = sandbox.peek(|world| {
        // Nobody logs in to an instance that is shutting down, and a roll does not wait for it.
        let live = world.live_instances();
        let open = live.filter(|instance| instance.state != InstanceState::ShuttingDown);
        let keys = open.map(|instance| instance.key_name.clone().unwrap());
        (world.key_pair_names(), keys.collect())
    });
    assert_eq!(
        pairs,
        [new],
        "{context}: one key pair was made, and the old one let go"
    );
    assert!(
        carried.iter().all(|key| key == new),
        "{context}: {carried:?}"
    );
    let system = ask(client.get(format!("{second}/system"))).await.unwrap();
    let system: Value = serde_json::from_slice(&system.bytes().await.unwrap()).unwrap();
    assert_eq!(system["status"], json!("running"), "{context}");
    roll.term
}

/// Waits for the end of the only roll.
async fn ended(store: &Store, context: &str) -> RollRow {
    let acme = store.workspaces().await.unwrap().remove(0).id;
    let rack = store.rack_called(&acme, "prod").await.unwrap();
    let machine = Clock::system();
    for _ in 0..PATIENCE * 4 {
        let roll = store.rolls(&rack.id, 1).await.unwrap().remove(0);
        if roll.ended_at.is_some() {
            return roll;
        }
        machine.sleep(Duration::from_millis(250)).await;
    }
    panic!("{context}: the roll does not end");
}

/// The real programs, on one database and one account.
struct Programs {
    home: tempfile::TempDir,
    url: String,
    account: String,
    epoch: Timestamp,
}

/// A server that is killed when it is let go.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Programs {
    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_convox"));
        command
            .env_clear()
            .env("HOME", self.home.path())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1")
            .env("CONVOX_TEST_SPEED", SPEED.to_string())
            .env("CONVOX_TEST_EPOCH", self.epoch.to_string())
            .current_dir(self.home.path())
            .arg("console")
            .args(words)
            .args(["--data", "data", "--database-url", &self.url])
            .args(["--endpoint-url", &self.account]);
        command
    }

    /// Runs a command that succeeds, and returns its stdout.
    fn done(&self, words: &[&str]) -> String {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{words:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a server, and returns where it listens.
    fn serve(&self) -> (Serving, String) {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0"]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let line = lines.next().unwrap().unwrap();
        let address = line.strip_prefix("Serving on ").unwrap().to_owned();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                eprintln!("console: {line}");
            }
        });
        (Serving(child), address)
    }
}
