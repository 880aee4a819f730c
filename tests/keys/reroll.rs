//! Rerolling: what upstream does, and what it does wrong.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// What a key is made with so that all of it can be lost.
fn everything() -> Value {
    json!({
        "prefix": "sk_live",
        "byteLength": 24,
        "name": "main",
        "externalId": "acme",
        "meta": { "plan": "pro" },
        "permissions": ["docs.read"],
        "credits": { "remaining": 100, "refill": { "interval": "monthly", "amount": 100, "refillDay": 3 } },
        "ratelimits": [{ "name": "requests", "limit": 50, "duration": 60_000, "autoApply": true }],
    })
}

#[tokio::test]
async fn the_new_key_has_everything_that_the_old_one_had() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, everything()).await;
        let before = server.get(&old).await;
        let (new, new_key) = server.reroll(&old, json!(0)).await;
        let mut after = server.get(&new).await;
        assert_ne!(old, new);
        assert_eq!(after["predecessorId"], json!(old));
        for fresh in ["keyId", "start", "createdAt", "predecessorId"] {
            after[fresh] = before[fresh].clone();
        }
        after["ratelimits"][0]["id"] = before["ratelimits"][0]["id"].clone();
        if after["predecessorId"].is_null() {
            after.as_object_mut().unwrap().remove("predecessorId");
        }
        assert_eq!(after, before);
        // The prefix, with its underscore, and the number of bytes are kept.
        let chance = new_key.strip_prefix("sk_live_").unwrap();
        assert_eq!(bs58::decode(chance).into_vec().unwrap().len(), 24);
        assert_ne!(old_key, new_key);
        assert_eq!(server.get(&old).await["successorId"], json!(new));
    })
    .await;
}

#[tokio::test]
async fn nothing_revokes_at_once() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        // Remembered by now.
        assert_eq!(server.verify(&old_key).await, "VALID");
        let (_, new_key) = server.reroll(&old, json!(0)).await;
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        assert_eq!(server.verify(&new_key).await, "VALID");
    })
    .await;
}

#[tokio::test]
async fn a_grace_period_is_exact() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let before = server.now();
        let (_, new_key) = server.reroll(&old, json!(3_600_000)).await;
        let ends = server.get(&old).await["expires"].as_i64().unwrap() - 3_600_000;
        assert!((before..=server.now()).contains(&ends), "not rounded");
        assert_eq!(server.verify(&old_key).await, "VALID");
        server.wait(Duration::from_hours(1));
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        assert_eq!(server.verify(&new_key).await, "VALID");
    })
    .await;
}

#[tokio::test]
async fn null_leaves_the_old_expiry() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let (new, _) = server.reroll(&old, Value::Null).await;
        assert!(server.get(&old).await.get("expires").is_none());
        assert_eq!(server.verify(&old_key).await, "VALID");
        let expires = server.now() + 90_000;
        let (other, _) = server.key(&api, json!({ "expires": expires })).await;
        server.reroll(&other, Value::Null).await;
        assert_eq!(server.get(&other).await["expires"], json!(expires));
        assert!(server.get(&new).await.get("expires").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_life_is_never_lengthened_and_the_new_key_inherits_it() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let expires = server.now() + 90_000;
        let (old, old_key) = server.key(&api, json!({ "expires": expires })).await;
        let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
        assert_eq!(server.get(&old).await["expires"], json!(expires));
        assert_eq!(server.get(&new).await["expires"], json!(expires));
        server.wait(Duration::from_secs(90));
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        assert_eq!(server.verify(&new_key).await, "EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn an_expired_key_is_not_revived() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let expires = server.now() + 1_000;
        let (old, old_key) = server.key(&api, json!({ "expires": expires })).await;
        server.wait(Duration::from_secs(2));
        let body = json!({ "keyId": old, "expiration": 3_600_000 });
        let refused = server.post("keys.rerollKey", body).await;
        assert_eq!((refused.status, refused.kind()), (409, "key_expired"));
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn a_key_is_rerolled_once_and_the_successor_is_named() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let (new, _) = server.reroll(&old, json!(60_000)).await;
        let body = json!({ "keyId": old, "expiration": 60_000 });
        let again = server.post("keys.rerollKey", body.clone()).await;
        assert_eq!((again.status, again.kind()), (409, "key_already_rerolled"));
        assert!(again.detail().contains(&new), "{}", again.detail());
        server.wait(Duration::from_mins(2));
        let late = server.post("keys.rerollKey", body).await;
        assert_eq!((late.status, late.kind()), (409, "key_expired"));
        assert!(late.detail().contains(&new), "{}", late.detail());
        // The new one may be rerolled in its turn.
        server.reroll(&new, json!(0)).await;
    })
    .await;
}

#[tokio::test]
async fn of_many_rerolls_at_once_one_succeeds() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let body = json!({ "keyId": old, "expiration": 60_000 });
        let all = (0..16).map(|_| server.post("keys.rerollKey", body.clone()));
        let answers = join_all(all).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        let made = statuses.iter().filter(|status| **status == 200).count();
        let refused = statuses.iter().filter(|status| **status == 409).count();
        assert_eq!((made, refused), (1, 15), "{statuses:?}");
    })
    .await;
}

async fn join_all<T>(futures: impl Iterator<Item = impl Future<Output = T>>) -> Vec<T> {
    let mut waiting: Vec<_> = futures.map(|future| Box::pin(future)).collect();
    let mut done: Vec<Option<T>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, done) in waiting.iter_mut().zip(&mut done) {
            if done.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *done = Some(value);
            }
        }
        if done.iter().all(Option::is_some) {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
    done.into_iter().flatten().collect()
}

#[tokio::test]
async fn old_and_new_share_one_balance_and_one_window() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({
            "credits": { "remaining": 5 },
            "ratelimits": [{ "name": "requests", "limit": 4, "duration": 60_000, "autoApply": true }],
        });
        let (old, old_key) = server.key(&api, with).await;
        assert_eq!(server.verify(&old_key).await, "VALID");
        let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
        for key in [&new_key, &old_key, &new_key] {
            assert_eq!(server.verify(key).await, "VALID");
        }
        assert_eq!(server.get(&old).await["credits"]["remaining"], 1);
        assert_eq!(server.get(&new).await["credits"]["remaining"], 1);
        assert_eq!(server.verify(&old_key).await, "RATE_LIMITED");
        assert_eq!(server.verify(&new_key).await, "RATE_LIMITED");
        server.wait(Duration::from_mins(2));
        assert_eq!(server.verify(&old_key).await, "VALID");
        assert_eq!(server.verify(&new_key).await, "USAGE_EXCEEDED");
    })
    .await;
}

#[tokio::test]
async fn a_disabled_key_yields_a_disabled_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({ "enabled": false })).await;
        let (_, new_key) = server.reroll(&old, json!(0)).await;
        assert_eq!(server.verify(&new_key).await, "DISABLED");
    })
    .await;
}

#[tokio::test]
async fn a_secret_that_can_be_read_back_still_can() {
    on_both(async |server: &Server| {
        let body = json!({ "name": "sealed", "storeEncryptedKeys": true });
        let api = text(&server.post("apis.createApi", body).await.data()["apiId"]);
        let (old, _) = server.key(&api, json!({ "recoverable": true })).await;
        let (new, new_key) = server.reroll(&old, json!(0)).await;
        let body = json!({ "keyId": new, "decrypt": true });
        let shown = server.post("keys.getKey", body).await.data();
        assert_eq!(shown["plaintext"], json!(new_key));
        assert!(server.get(&new).await.get("plaintext").is_none());
        let root = server.root_with(&["api.*.create_key"]).await;
        let body = json!({ "keyId": new, "expiration": 0 });
        let refused = server.post_as(&root, "keys.rerollKey", body, &[]).await;
        assert_eq!(refused.status, 403, "without encrypt_key");
    })
    .await;
}

#[tokio::test]
async fn a_rotation_is_finished_or_taken_back() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let (_, new_key) = server.reroll(&old, json!(3_600_000)).await;
        let which = json!({ "keyId": old });
        let shown = server.post("keys.getRotation", which.clone()).await.data();
        assert_eq!(shown["active"], true);
        let undone = server
            .post("keys.cancelRotation", which.clone())
            .await
            .data();
        assert!(undone.get("successorId").is_none(), "{undone}");
        assert_eq!(server.verify(&old_key).await, "VALID");
        assert_eq!(server.verify(&new_key).await, "EXPIRED");
        assert!(server.get(&old).await.get("expires").is_none());
        let twice = server.post("keys.cancelRotation", which.clone()).await;
        assert_eq!((twice.status, twice.kind()), (409, "key_not_rotating"));
        let (_, newer_key) = server.reroll(&old, json!(3_600_000)).await;
        server
            .post("keys.finishRotation", which.clone())
            .await
            .data();
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        assert_eq!(server.verify(&newer_key).await, "VALID");
        let late = server.post("keys.cancelRotation", which).await;
        assert_eq!((late.status, late.kind()), (409, "key_expired"));
    })
    .await;
}
