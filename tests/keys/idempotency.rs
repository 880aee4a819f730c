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
