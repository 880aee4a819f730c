//! The command itself, on accounts that we did not write.

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use convox::clock::Clock;
use convox::rack::aws::KeyStoreChoice;
use convox::rack::{PrivateKey, Rack};
use serde_json::Value;

use crate::emulator::{Emulator, PASSWORD, settled};

/// After this long a command will not end any more.
const LONGEST: Duration = Duration::from_secs(240);

/// One run of the command, with a home of its own.
pub(crate) struct Run {
    home: tempfile::TempDir,
    output: Output,
}

impl Run {
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// Everything that the run said or left on the disk.
    pub(crate) fn traces(&self) -> String {
        let mut text = self.stdout();
        text += &String::from_utf8_lossy(&self.output.stderr);
        let mut directories = vec![self.home.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_dir() {
                    directories.push(entry.path());
                } else {
                    text += &String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap());
                }
            }
        }
        text
    }

    /// The event that ends the stream.
    pub(crate) fn last_event(&self) -> Value {
        let stdout = self.stdout();
        let line = stdout
            .lines()
            .last()
            .unwrap_or_else(|| panic!("no events: {}", self.traces()));
        serde_json::from_str(line).unwrap()
    }
}

/// Begins `convox ARGS` against an emulator.
pub(crate) fn begin(emulator: &Emulator, args: &[&str]) -> impl Future<Output = Run> + use<> {
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_convox"))
        .args(args)
        .args(["--region", "us-east-1", "--endpoint-url", &emulator.url])
        .env_clear()
        .env("HOME", home.path())
        .env("AWS_ACCESS_KEY_ID", "outside")
        .env("AWS_SECRET_ACCESS_KEY", "outside")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let process = child.id().to_string();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    async move {
        let clock = Clock::system();
        tokio::select! {
            output = ended => Run { home, output: output.unwrap().unwrap() },
            () = clock.sleep(LONGEST) => {
                Command::new("kill").arg(process).status().unwrap();
                panic!("the command did not end within {LONGEST:?}");
            }
        }
    }
}

fn keyroll(emulator: &Emulator, rack: &str) -> impl Future<Output = Run> + use<> {
    begin(
        emulator,
        &[
            "instances",
            "keyroll",
            "--yes",
            "--rack",
            rack,
            "--output",
            "json",
        ],
    )
}

/// Waits until the update of a rack stands at its gate.
pub(crate) async fn at_the_gate(rack: &Rack) {
    let clock = Clock::system();
    for _ in 0..600 {
        let page = rack.stacks.events(&rack.stack, None).await.unwrap();
        let newest = page
            .events
            .iter()
            .find(|event| event.logical_id == "Rolled");
        if newest.is_some_and(|event| event.status.ends_with("_IN_PROGRESS")) {
            return;
        }
        clock.sleep(Duration::from_millis(100)).await;
    }
    panic!("{} never came to its gate", rack.stack);
}

/// Makes a rack whose key is in its settings, as a classic keyroll leaves it.
async fn rack_of(emulator: &Emulator, name: &str, gate: &str) -> Rack {
    emulator.create(name, &format!("{name}-k1"), gate).await;
    with_its_key(emulator, name).await
}

async fn with_its_key(emulator: &Emulator, name: &str) -> Rack {
    let key = format!("{name}-k1");
    let rack = emulator.rack(name, KeyStoreChoice::Settings).await;
    settled(&rack).await;
    rack.keys
        .put(&key, &PrivateKey::new("the old key".to_owned()))
        .await
        .unwrap();
    rack.keys.promote(&key).await.unwrap();
    rack
}

/// The key pairs that rolls of a rack have made and left.
async fn made_by_rolls(rack: &Rack) -> Vec<String> {
    // By name: MiniStack does not show the tags of a key pair.
    let prefix = format!("{}-keypair-", rack.name);
    let pairs = rack.key_pairs.tagged(&BTreeMap::new()).await.unwrap();
    pairs
        .into_iter()
        .map(|pair| pair.name)
        .filter(|name| name.starts_with(&prefix))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn on_moto_nothing_is_replaced_and_so_nothing_is_promoted() {
    let Some(moto) = Emulator::find("CONVOX_TEST_MOTO").await else {
        return;
    };
    let rack = rack_of(&moto, "roll-moto", "no").await;
    let before = rack.stacks.describe("roll-moto").await.unwrap();
    let run = keyroll(&moto, "roll-moto").await;
    assert_eq!(run.code(), 4, "{}", run.traces());

    let after = rack.stacks.describe("roll-moto").await.unwrap();
    let new = after.parameter("Key").unwrap().to_owned();
    assert!(new.starts_with("roll-moto-keypair-"), "{new}");
    for parameter in before
        .parameters
        .iter()
        .filter(|parameter| parameter.key != "Key")
    {
        assert_eq!(
            after.parameter(&parameter.key),
            Some(parameter.value.as_str())
        );
    }
    assert_eq!(after.parameter("Password"), Some(PASSWORD));
    assert_eq!(after.tags, before.tags);
    assert!(
        rack.key_pairs.find("roll-moto-k1").await.unwrap().is_some(),
        "the old key pair stays"
    );
    assert_eq!(made_by_rolls(&rack).await, std::slice::from_ref(&new));
    let current = rack.keys.current().await.unwrap().unwrap();
    assert_eq!(current.expose(), "the old key");
    let secret = rack
        .keys
        .get(&new)
        .await
        .unwrap()
        .expect("the new key is kept");

    let last = run.last_event().to_string();
    for instance in rack
        .fleet
        .instances(&["roll-moto-instances".to_owned()], &[])
        .await
        .unwrap()
    {
        assert!(last.contains(&instance.id), "{last}");
    }
    assert_no_secret(&run, &secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_ministack_a_held_update_is_followed_to_its_end() {
    let Some(ministack) = Emulator::find("CONVOX_TEST_MINISTACK").await else {
        return;
    };
    let rack = rack_of(&ministack, "roll-done", "yes").await;
    let run = keyroll(&ministack, "roll-done");
    at_the_gate(&rack).await;
    ministack.signal("roll-done", "SUCCESS").await;
    let run = run.await;
    let after = settled(&rack).await;
    assert_eq!(after.status.0, "UPDATE_COMPLETE");
    assert_eq!(
        made_by_rolls(&rack).await,
        [after.parameter("Key").unwrap()]
    );
    // Its groups have no instances, so nothing can prove the new key.
    assert_eq!(run.code(), 4, "{}", run.traces());
    assert!(rack.key_pairs.find("roll-done-k1").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn on_ministack_a_failure_is_followed_through_its_rollback() {
    let Some(ministack) = Emulator::find("CONVOX_TEST_MINISTACK").await else {
        return;
    };
    let rack = rack_of(&ministack, "roll-back", "yes").await;
    let run = keyroll(&ministack, "roll-back");
    at_the_gate(&rack).await;
    let made = made_by_rolls(&rack).await;
    assert_eq!(made.len(), 1, "{made:?}");
    assert!(
        rack.keys.get(&made[0]).await.unwrap().is_some(),
        "kept before it is rolled out"
    );
    ministack.signal("roll-back", "FAILURE").await;
    let run = run.await;
    assert_eq!(run.code(), 3, "{}", run.traces());
    let after = settled(&rack).await;
    assert_eq!(after.parameter("Key"), Some("roll-back-k1"));
    assert!(
        made_by_rolls(&rack).await.is_empty(),
        "the new key pair is gone"
    );
    assert!(
        rack.keys.get(&made[0]).await.unwrap().is_none(),
        "and so is its private half"
    );
    assert_eq!(
        rack.keys.current().await.unwrap().unwrap().expose(),
        "the old key"
    );
    let last = run.last_event().to_string();
    assert!(last.contains("Rolled") && last.contains("failed"), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_ministack_a_failure_without_rollback_is_for_a_person() {
    let Some(ministack) = Emulator::find("CONVOX_TEST_MINISTACK").await else {
        return;
    };
    ministack
        .create_with("roll-stuck", "roll-stuck-k1", "yes", true)
        .await;
    let rack = with_its_key(&ministack, "roll-stuck").await;
    assert!(
        rack.stacks
            .describe("roll-stuck")
            .await
            .unwrap()
            .disable_rollback
    );
    let run = keyroll(&ministack, "roll-stuck");
    at_the_gate(&rack).await;
    ministack.signal("roll-stuck", "FAILURE").await;
    let run = run.await;
    assert_eq!(settled(&rack).await.status.0, "UPDATE_FAILED");
    assert_eq!(run.code(), 5, "{}", run.traces());
    assert!(
        run.traces().contains("convox rolls"),
        "the way out is told: {}",
        run.traces()
    );
}

/// No line of a key, and not the password, may be in anything that a run said or left.
fn assert_no_secret(run: &Run, key: &PrivateKey) {
    let traces = run.traces();
    let lines = key
        .expose()
        .lines()
        .filter(|line| !line.starts_with("-----"));
    for line in lines.chain(["PRIVATE KEY", PASSWORD]) {
        assert!(!traces.contains(line), "a secret is in what the run left");
    }
}
