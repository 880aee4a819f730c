//! Rerolling root keys: grace periods, and two at once.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

async fn make(server: &Server, expires: Option<i64>) -> (String, String) {
    let mut with = json!({ "permissions": ["api.*.create_api"], "name": "deploy" });
    if let Some(expires) = expires {
        with["expires"] = json!(expires);
    }
    let made = server.post("rootKeys.createKey", with).await.data();
    (text(&made["keyId"]), text(&made["key"]))
}

/// Finds a root key in the list of them.
async fn listed(server: &Server, id: &str) -> Value {
    let all = server.post("rootKeys.listKeys", json!({})).await.data();
    let mut all = all.as_array().unwrap().iter();
    all.find(|root| root["keyId"] == json!(id)).unwrap().clone()
}

async fn asks(server: &Server, root: &str) -> (u16, String) {
    let body = json!({ "name": "theirs" });
    let answer = server.post_as(root, "apis.createApi", body, &[]).await;
    (answer.status, answer.kind().to_owned())
}

#[tokio::test]
async fn the_life_of_a_root_key_is_never_lengthened() {
    on_both(async |server: &Server| {
        let soon = server.now() + 1_800_000;
        let late = server.now() + 7_200_000;
        for (expires, expiration) in [
            (None, json!(3_600_000)),
            (Some(soon), json!(3_600_000)),
            (Some(late), json!(3_600_000)),
            (Some(late), json!(0)),
            (None, Value::Null),
            (Some(soon), Value::Null),
        ] {
            let (old, _) = make(server, expires).await;
            let before = server.now();
            let body = json!({ "keyId": old, "expiration": expiration });
            let made = server.post("rootKeys.rerollKey", body).await.data();
            let now = before..=server.now();
            let (old, new) = (
                listed(server, &old).await,
                listed(server, &text(&made["keyId"])).await,
            );
            assert_eq!(new["expires"], json!(expires), "inherited");
            let ends = old["expires"].as_i64();
            match expiration.as_i64() {
                None => assert_eq!(ends, expires),
                Some(_) if expires == Some(soon) => assert_eq!(ends, expires),
                Some(grace) => assert!(now.contains(&(ends.unwrap() - grace)), "{old}"),
            }
            assert_eq!(new["permissions"], old["permissions"]);
            assert_eq!(new["name"], "deploy");
            assert_eq!(old["successorId"], new["keyId"]);
            assert_eq!(new["predecessorId"], old["keyId"]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_root_key_that_has_expired_is_forbidden_and_not_revived() {
    on_both(async |server: &Server| {
        let (old, root) = make(server, Some(server.now() + 60_000)).await;
        assert_eq!(asks(server, &root).await.0, 200);
        server.wait(Duration::from_mins(1));
        assert_eq!(asks(server, &root).await, (403, "forbidden".to_owned()));
        let body = json!({ "keyId": old, "expiration": 3_600_000 });
        let refused = server.post("rootKeys.rerollKey", body).await;
        assert_eq!((refused.status, refused.kind()), (409, "key_expired"));
        assert_eq!(asks(server, &root).await.0, 403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_rerolls_of_a_root_key_at_once_one_succeeds() {
    on_both(async |server: &Server| {
        for _ in 0..5 {
            let (old, _) = make(server, None).await;
            let body = json!({ "keyId": old, "expiration": 60_000 });
            let reroll = || server.post("rootKeys.rerollKey", body.clone());
            let (one, other) = tokio::join!(reroll(), reroll());
            let (made, refused) = if one.status == 200 {
                (one, other)
            } else {
                (other, one)
            };
            assert_eq!(
                (refused.status, refused.kind()),
                (409, "key_already_rerolled")
            );
            let new = text(&made.data()["keyId"]);
            assert!(refused.detail().contains(&new), "{}", refused.detail());
        }
    })
    .await;
}
