//! A retry is answered as the first request was.

use std::time::Duration;

use serde_json::json;

use crate::environment::{Server, on_both};

#[tokio::test]
async fn a_retry_gets_the_same_key_for_a_day() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let body = json!({ "keyId": old, "expiration": 3_600_000 });
        let root = server.root.clone();
        let once = [("idempotency-key", "deploy-17")];
        let reroll = async |body| server.post_as(&root, "keys.rerollKey", body, &once).await;
        let first = reroll(body.clone()).await.data();
        let second = reroll(body.clone()).await.data();
        assert_eq!(first, second);
        let other = reroll(json!({ "keyId": old, "expiration": 0 })).await;
        assert_eq!(other.status, 400, "another request with the same key");
        server.wait(Duration::from_hours(24));
        let late = reroll(body).await;
        assert_eq!(
            late.status,
            409,
            "forgotten, and carried out: {}",
            late.detail()
        );
    })
    .await;
}

/// A retry may come when a colleague has cleaned up already: the new secret would be nowhere.
#[tokio::test]
async fn a_retry_is_answered_even_when_what_it_was_about_is_gone() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let root = server.root.clone();
        let reroll = json!({ "keyId": old, "expiration": 60_000 });
        let create = json!({ "apiId": api });
        let ask = async |operation: &str, body: &serde_json::Value| {
            let once = [("idempotency-key", operation)];
            let answer = server.post_as(&root, operation, body.clone(), &once).await;
            answer.data()
        };
        let rerolled = ask("keys.rerollKey", &reroll).await;
        let created = ask("keys.createKey", &create).await;
        server
            .post("keys.deleteKey", json!({ "keyId": old }))
            .await
            .data();
        assert_eq!(ask("keys.rerollKey", &reroll).await, rerolled);
        server
            .post("apis.deleteApi", json!({ "apiId": api }))
            .await
            .data();
        assert_eq!(ask("keys.rerollKey", &reroll).await, rerolled);
        assert_eq!(ask("keys.createKey", &create).await, created);
    })
    .await;
}

#[tokio::test]
async fn another_root_key_has_idempotency_keys_of_its_own() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let body = json!({ "apiId": api });
        let once = [("idempotency-key", "1")];
        let other = server.root_with(&["api.*.create_key"]).await;
        let mine = server.post_as(&server.root, "keys.createKey", body.clone(), &once);
        let mine = mine.await.data();
        let theirs = server.post_as(&other, "keys.createKey", body.clone(), &once);
        let theirs = theirs.await.data();
        assert_ne!(mine["keyId"], theirs["keyId"]);
        let again = server.post_as(&other, "keys.createKey", body, &once).await;
        assert_eq!(again.data(), theirs);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_retry_that_overlaps_the_first_request_gets_the_same_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let root = server.root.clone();
        for round in 0..10 {
            let (old, _) = server.key(&api, json!({})).await;
            let may = json!({ "permissions": [] });
            let made = server.post("rootKeys.createKey", may.clone()).await.data();
            for (operation, body) in [
                ("keys.createKey", json!({ "apiId": api })),
                (
                    "keys.rerollKey",
                    json!({ "keyId": old, "expiration": 60_000 }),
                ),
                ("rootKeys.createKey", may.clone()),
                (
                    "rootKeys.rerollKey",
                    json!({ "keyId": made["keyId"], "expiration": 60_000 }),
                ),
            ] {
                let key = format!("{operation}-{round}");
                let once = [("idempotency-key", key.as_str())];
                let ask = || server.post_as(&root, operation, body.clone(), &once);
                let (one, other) = tokio::join!(ask(), ask());
                assert_eq!(one.data(), other.data(), "{operation}");
            }
        }
    })
    .await;
}
