//! Rolls in the background: what whoever waits for them hears, and how they end.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::environment::{Console, Person, on_both};
use crate::sandbox_api::accepts;

/// The password that the sandbox's rack begins with.
const OLD: &str = "sandbox-password";

/// Asks for the word of the rack again and again until the only roll has ended, and once more.
async fn words_until_ended(console: &Console, ada: &Person<'_>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut again = true;
    while again {
        let rolls = console.store.rolls(&console.rack, 1).await.unwrap();
        again = rolls.iter().any(|roll| roll.ended_at.is_none());
        let word = ada.get("/system").await.json()["status"].clone();
        let word = word.as_str().unwrap().to_owned();
        if words.last() != Some(&word) {
            words.push(word);
        }
        console.racks.clock.sleep(Duration::from_secs(2)).await;
    }
    words
}

#[tokio::test(flavor = "multi_thread")]
async fn running_is_not_said_before_every_instance_carries_the_new_key() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let before = console.racks.keys_of_instances().await;
        let asked = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let again = ada.ask(Method::POST, "/instances/keyroll", None).await;
        let roll = console
            .store
            .rolls(&console.rack, 1)
            .await
            .unwrap()
            .remove(0);
        let busy = format!("roll {} of the rack is under way\n", roll.id);
        assert_eq!(again.told(), (409, busy.as_str()));
        let parameters = Some("parameters=InstanceCount%3D4");
        let other = ada.ask(Method::PUT, "/system", parameters).await;
        assert!(other.body.contains("UPDATE_IN_PROGRESS"), "{}", other.body);
        assert_eq!(
            words_until_ended(console, &ada).await,
            ["updating", "running"]
        );
        let report = console.ended().await;
        assert_eq!(report["outcome"], json!("done"), "{report:#}");
        let after = console.racks.keys_of_instances().await;
        assert_eq!(after.len(), 1);
        assert!(before.is_disjoint(&after), "{before:?} {after:?}");
        let new = report["new_key"].as_str().unwrap().to_owned();
        assert_eq!(after, BTreeSet::from([Some(new)]));
        let audited = console.audited().await;
        let of = |actor: &str| {
            let lines = audited.iter().filter(|(who, _)| who.starts_with(actor));
            lines.map(|(_, told)| told.clone()).collect::<Vec<_>>()
        };
        assert_eq!(of("person:"), ["Began to roll the ssh key of prod"]);
        let ended = format!("Roll {} of acme/prod ended: ", roll.id);
        assert!(of("system").iter().any(|told| told.starts_with(&ended)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rollback_running_is_not_said_to_whoever_waits() {
    on_both("failure-signal", async |console: &Console| {
        let ada = console.operator().await;
        let before = console.racks.keys_of_instances().await;
        let asked = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let words = words_until_ended(console, &ada).await;
        assert_eq!(words, ["updating", "rollback"]);
        let report = console.ended().await;
        assert_eq!(report["outcome"], json!("rolled_back"), "{report:#}");
        assert_eq!(console.racks.keys_of_instances().await, before);
        let word = ada.get("/system").await.json()["status"].clone();
        assert_eq!(word, json!("rollback"));
        let listed = ada.get("/racks").await.json();
        assert_eq!(listed[0]["status"], json!("rollback"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_roll_that_is_refused_is_told_at_once_and_leaves_nothing() {
    on_both("group-without-room", async |console: &Console| {
        let ada = console.operator().await;
        let refused = ada.ask(Method::POST, "/instances/keyroll", None).await;
        assert_eq!(refused.status, 409, "{}", refused.body);
        assert!(refused.body.len() > 20, "{}", refused.body);
        assert!(
            console
                .store
                .rolls(&console.rack, 1)
                .await
                .unwrap()
                .is_empty()
        );
        let word = ada.get("/system").await.json()["status"].clone();
        assert_eq!(word, json!("running"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_protects_nothing_is_refused() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        for (value, told) in [
            ("", "opens the rack's API to everybody"),
            ("****", "is how a masked value reads"),
        ] {
            let form = format!("parameters=Password%3D{value}");
            let refused = ada.ask(Method::PUT, "/system", Some(&form)).await;
            assert_eq!(refused.status, 409, "{}", refused.body);
            assert!(refused.body.contains(told), "{}", refused.body);
        }
        let rolls = console.store.rolls(&console.rack, 1).await.unwrap();
        assert!(rolls.is_empty());
        assert!(accepts(&console.racks.sandbox, OLD).await.unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_rolled_and_only_the_record_has_it() {
    on_both("success", async |console: &Console| {
        let ada = console.operator().await;
        let new = "a=b&c d/+%";
        let form = "parameters=Password%3Da%253Db%2526c%2Bd%252F%252B%2525";
        let asked = ada.ask(Method::PUT, "/system", Some(form)).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let words = words_until_ended(console, &ada).await;
        assert_eq!(words, ["updating", "running"]);
        let report = console.ended().await;
        assert_eq!(report["outcome"], json!("done"), "{report:#}");
        let sandbox = &console.racks.sandbox;
        assert!(accepts(sandbox, new).await.unwrap());
        assert!(!accepts(sandbox, OLD).await.unwrap());
        let record = console.store.rack(&console.rack).await.unwrap();
        assert!(record.password.is_some() && record.next.is_none());
        let sealed = record.password.unwrap();
        assert!(!contains(&sealed, new.as_bytes()));
        for entry in std::fs::read_dir(console.directory()).unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert!(!contains(&bytes, new.as_bytes()), "{}", path.display());
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_rolled_back_leaves_the_record_as_it_was() {
    on_both("password/rollback", async |console: &Console| {
        let ada = console.operator().await;
        let before = console.store.rack(&console.rack).await.unwrap();
        let form = "parameters=InstanceType%3Dt3.large%26Password%3Danother-password";
        let asked = ada.ask(Method::PUT, "/system", Some(form)).await;
        assert_eq!(asked.told(), (200, "ok\n"));
        let words = words_until_ended(console, &ada).await;
        assert_eq!(words.last().unwrap(), "rollback");
        let report = console.ended().await;
        assert_eq!(report["outcome"], json!("rolled_back"), "{report:#}");
        let after = console.store.rack(&console.rack).await.unwrap();
        assert_eq!(after, before);
        assert!(accepts(&console.racks.sandbox, OLD).await.unwrap());
    })
    .await;
}

fn contains(bytes: &[u8], text: &[u8]) -> bool {
    bytes.windows(text.len()).any(|window| window == text)
}
