//! Root keys: nobody hands on more than they have.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

async fn make(server: &Server, with: Value) -> (String, String) {
    let made = server.post("rootKeys.createKey", with).await.data();
    (text(&made["keyId"]), text(&made["key"]))
}

#[tokio::test]
async fn a_root_key_does_what_it_may_until_it_is_deleted() {
    on_both(async |server: &Server| {
        let with = json!({ "permissions": ["api.*.create_api"], "name": "deploy" });
        let (id, root) = make(server, with).await;
        assert!(root.starts_with("root_"));
        let body = json!({ "name": "theirs" });
        let made = server
            .post_as(&root, "apis.createApi", body.clone(), &[])
            .await;
        let api = text(&made.data()["apiId"]);
        let refused = server
            .post_as(&root, "apis.getApi", json!({ "apiId": api }), &[])
            .await;
        assert_eq!(
            (refused.status, refused.kind()),
            (403, "insufficient_permissions")
        );
        let which = json!({ "keyId": id });
        server
            .post("rootKeys.deleteKey", which.clone())
            .await
            .data();
        let gone = server.post_as(&root, "apis.createApi", body, &[]).await;
        assert_eq!((gone.status, gone.kind()), (401, "key_not_found"));
        let again = server.post("rootKeys.deleteKey", which).await;
        assert_eq!(again.status, 404);
    })
    .await;
}

#[tokio::test]
async fn nobody_makes_a_root_key_that_may_more_or_lives_longer() {
    on_both(async |server: &Server| {
        let expires = server.now() + 60_000;
        let held = ["root_key.*.create_root_key", "api.*.read_key"];
        let (_, limited) = make(server, json!({ "permissions": held, "expires": expires })).await;
        for (permissions, child, status) in [
            (json!(["api.*.read_key"]), json!(expires), 200),
            (json!(["api.api_1.read_key"]), json!(expires - 1), 200),
            (json!(["api.*.create_key"]), json!(expires), 403),
            (json!(["api.*.read_key"]), json!(expires + 1), 403),
            (json!(["unkey:v1:*:keyspaces/*#*"]), json!(expires), 403),
            (json!([]), json!(1), 400),
        ] {
            let with = json!({ "permissions": permissions, "expires": child });
            let made = server
                .post_as(&limited, "rootKeys.createKey", with.clone(), &[])
                .await;
            assert_eq!(made.status, status, "{with}: {}", made.detail());
        }
        let endless = json!({ "permissions": ["api.*.read_key"] });
        let made = server
            .post_as(&limited, "rootKeys.createKey", endless, &[])
            .await;
        assert_eq!((made.status, made.kind()), (403, "forbidden"));
    })
    .await;
}

#[tokio::test]
async fn nobody_rerolls_a_root_key_that_may_more() {
    on_both(async |server: &Server| {
        let (strong, _) = make(server, json!({ "permissions": ["api.*.delete_api"] })).await;
        let weak = server.root_with(&["root_key.*.create_root_key"]).await;
        let body = json!({ "keyId": strong, "expiration": 0 });
        let refused = server.post_as(&weak, "rootKeys.rerollKey", body, &[]).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (403, "insufficient_permissions")
        );
    })
    .await;
}

#[tokio::test]
async fn a_root_key_is_rerolled_like_any_key() {
    on_both(async |server: &Server| {
        let (id, root) = make(server, json!({ "permissions": ["api.*.create_api"] })).await;
        let body = json!({ "name": "theirs" });
        let asks = async |root: &str| {
            let made = server
                .post_as(root, "apis.createApi", body.clone(), &[])
                .await;
            made.status
        };
        let reroll = json!({ "keyId": id, "expiration": 60_000 });
        let once = [("idempotency-key", "r1")];
        let rerolls = async || {
            let root = server.root.clone();
            server
                .post_as(&root, "rootKeys.rerollKey", reroll.clone(), &once)
                .await
        };
        let first = rerolls().await.data();
        assert_eq!(rerolls().await.data(), first, "the same answer to a retry");
        let (new_id, new) = (text(&first["keyId"]), text(&first["key"]));
        assert_eq!((asks(&root).await, asks(&new).await), (200, 200));
        let twice = server.post("rootKeys.rerollKey", reroll.clone()).await;
        assert_eq!((twice.status, twice.kind()), (409, "key_already_rerolled"));
        assert!(twice.detail().contains(&new_id));
        server.wait(Duration::from_mins(1));
        assert_eq!((asks(&root).await, asks(&new).await), (403, 200));
        let late = server.post("rootKeys.rerollKey", reroll.clone()).await;
        assert_eq!((late.status, late.kind()), (409, "key_expired"));
        let at_once = json!({ "keyId": new_id, "expiration": 0 });
        server.post("rootKeys.rerollKey", at_once).await.data();
        assert_eq!(asks(&new).await, 403);
    })
    .await;
}

#[tokio::test]
async fn root_keys_are_listed_page_by_page_without_their_secrets() {
    on_both(async |server: &Server| {
        let mut secrets = vec![server.root.clone()];
        for number in 0..4 {
            let with = json!({ "permissions": [], "name": format!("n{number}") });
            secrets.push(make(server, with).await.1);
        }
        let (mut seen, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let mut body = json!({ "limit": 2 });
            if let Some(cursor) = &cursor {
                body["cursor"] = json!(cursor);
            }
            let page = server.post("rootKeys.listKeys", body).await;
            assert!(
                secrets
                    .iter()
                    .all(|secret| !page.body.to_string().contains(secret))
            );
            let roots = page.body["data"].as_array().unwrap().clone();
            assert!(roots.len() <= 2);
            seen.extend(roots.iter().map(|root| text(&root["keyId"])));
            cursor = page.body["pagination"]["cursor"]
                .as_str()
                .map(str::to_owned);
            assert_eq!(page.body["pagination"]["hasMore"], json!(cursor.is_some()));
            if cursor.is_none() {
                break;
            }
        }
        let mut once = seen.clone();
        once.dedup();
        assert_eq!((once.len(), seen.len()), (5, 5), "{seen:?}");
    })
    .await;
}

#[tokio::test]
async fn a_root_key_does_not_delete_itself() {
    on_both(async |server: &Server| {
        let shown = server.post("rootKeys.listKeys", json!({})).await.data();
        let body = json!({ "keyId": shown[0]["keyId"] });
        let refused = server.post("rootKeys.deleteKey", body.clone()).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (412, "protected_resource")
        );
        let weak = server.root_with(&["api.*.create_api"]).await;
        let refused = server.post_as(&weak, "rootKeys.deleteKey", body, &[]).await;
        assert_eq!(refused.status, 403);
    })
    .await;
}

#[tokio::test]
async fn a_root_key_that_was_cut_by_its_own_reroll_is_told_what_took_its_place() {
    on_both(async |server: &Server| {
        let held = ["root_key.*.create_root_key", "api.*.create_api"];
        let (id, root) = make(server, json!({ "permissions": held })).await;
        let once = [("idempotency-key", "b9c1f3f6-5b0e-4bb0-8f6c-0d2a")];
        let asks = async |operation: &str, body: Value| {
            server.post_as(&root, operation, body, &once).await
        };
        let other = json!({ "permissions": ["api.*.create_api"] });
        let further = [("idempotency-key", "a-key-that-nobody-guesses")];
        let create = async || {
            let body = other.clone();
            server
                .post_as(&root, "rootKeys.createKey", body, &further)
                .await
        };
        create().await.data();
        let reroll = json!({ "keyId": id, "expiration": 0 });
        let first = asks("rootKeys.rerollKey", reroll.clone()).await.data();
        assert_eq!(
            asks("rootKeys.rerollKey", reroll.clone()).await.data(),
            first
        );
        // Nothing else: no other request, and no other answer of its own.
        let later = json!({ "keyId": id, "expiration": 1 });
        for refused in [
            asks("rootKeys.rerollKey", later).await,
            asks("apis.createApi", json!({ "name": "mine" })).await,
            server
                .post_as(&root, "rootKeys.rerollKey", reroll.clone(), &[])
                .await,
            create().await,
        ] {
            assert_eq!((refused.status, refused.kind()), (403, "forbidden"));
        }
        let new = text(&first["key"]);
        let made = server
            .post_as(&new, "apis.createApi", json!({ "name": "mine" }), &[])
            .await;
        assert_eq!(made.status, 200);
        server.wait(Duration::from_hours(24));
        let late = asks("rootKeys.rerollKey", reroll).await;
        assert_eq!(late.status, 403, "forgotten");
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_that_is_guessed_tells_a_cut_root_key_nothing() {
    on_both(async |server: &Server| {
        let held = ["root_key.*.create_root_key"];
        let (id, root) = make(server, json!({ "permissions": held })).await;
        let once = [("idempotency-key", "deploy-17")];
        let body = json!({ "keyId": id, "expiration": 0 });
        let ask = || server.post_as(&root, "rootKeys.rerollKey", body.clone(), &once);
        ask().await.data();
        assert_eq!(ask().await.status, 403);
    })
    .await;
}
