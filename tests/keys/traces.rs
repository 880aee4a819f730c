//! What is left of a request in the database: the audit log, and no secret.

use std::time::Duration;

use serde_json::{Value, json};

use crate::analytics::ALL;
use crate::environment::{Server, on_both, text};

/// Returns a column of the one audit event of a kind about a key, which is JSON.
async fn event(server: &Server, kind: &str, id: &str, column: &str) -> Value {
    let query = format!(
        "SELECT {column} FROM audit_events WHERE event = '{kind}' AND targets LIKE '%{id}%' \
         ORDER BY at"
    );
    let found = server.texts(&query).await;
    assert_eq!(found.len(), 1, "{kind} {id}");
    serde_json::from_str(&found[0]).unwrap_or_else(|_| json!(found[0]))
}

#[tokio::test]
async fn the_audit_log_says_who_rerolled_what_and_when_the_grace_ends() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let roots = server.post("rootKeys.listKeys", json!({})).await.data();
        let actor = format!("root_key:{}", text(&roots[0]["keyId"]));
        let soon = server.now() + 3_000_000;
        for (expires, expiration) in [
            (None, json!(0)),
            (None, json!(3_600_000)),
            // Ends before the grace period would.
            (Some(soon), json!(3_600_000)),
            (None, Value::Null),
            (Some(soon), Value::Null),
        ] {
            let with = expires.map_or_else(|| json!({}), |at| json!({ "expires": at }));
            let (old, _) = server.key(&api, with).await;
            let before = server.now();
            let (new, _) = server.reroll(&old, expiration.clone()).await;
            let now = before..=server.now();
            let meta = event(server, "key.reroll", &new, "meta").await;
            let end = meta.get("grace_end").unwrap();
            let shown = server.get(&old).await;
            assert_eq!(end, shown.get("expires").unwrap_or(&Value::Null));
            match (expires, expiration.as_i64()) {
                (Some(soon), _) => assert_eq!(end, &json!(soon)),
                (None, Some(grace)) => assert!(now.contains(&(end.as_i64().unwrap() - grace))),
                (None, None) => assert_eq!(end, &Value::Null),
            }
            let at = event(server, "key.reroll", &new, "CAST(at AS TEXT)").await;
            assert!(now.contains(&at.as_i64().unwrap()), "{at}");
            let by = event(server, "key.reroll", &new, "actor").await;
            assert_eq!(by, json!(actor));
            let targets = event(server, "key.reroll", &new, "targets").await;
            assert_eq!(targets, json!([new, old, api]));
        }
    })
    .await;
}

/// Returns what is kept of a secret nowhere: all that is not shown of it later.
fn hidden(secret: &str) -> &str {
    // `start` is the prefix and four characters.
    let chance = secret.rfind('_').map_or(0, |at| at + 1);
    &secret[chance + 4..]
}

#[tokio::test]
async fn no_secret_is_in_the_database() {
    on_both(async |server: &Server| {
        let root = server.root.clone();
        let makes = async |operation: &str, body: Value, once: &str| -> (String, String) {
            let once = [("idempotency-key", once)];
            let made = server.post_as(&root, operation, body, &once).await.data();
            (text(&made["keyId"]), text(&made["key"]))
        };
        let sealed = json!({ "name": "sealed", "storeEncryptedKeys": true });
        let api = text(&server.post("apis.createApi", sealed).await.data()["apiId"]);
        let (_, plain) = server
            .key(&api, json!({ "prefix": "sk", "name": "visible" }))
            .await;
        let (id, kept) = server.key(&api, json!({ "recoverable": true })).await;
        let (_, kept_again) = server.reroll(&id, json!(60_000)).await;
        let (id, made) = makes("keys.createKey", json!({ "apiId": api }), "1").await;
        let body = json!({ "keyId": id, "expiration": 60_000 });
        let (_, rerolled) = makes("keys.rerollKey", body, "2").await;
        let body = json!({ "permissions": [] });
        let (id, made_root) = makes("rootKeys.createKey", body, "3").await;
        let body = json!({ "keyId": id, "expiration": null });
        let (_, rerolled_root) = makes("rootKeys.rerollKey", body, "4").await;
        let all = [
            root.clone(),
            plain,
            kept,
            kept_again,
            made,
            rerolled,
            made_root,
            rerolled_root,
        ];
        for secret in &all {
            server.verify(secret).await;
            let body = json!({ "key": secret });
            server.post("keys.whoami", body).await;
        }
        server.service.write_counts(ALL).await.unwrap();
        assert!(server.holds("visible").await, "what is there is found");
        assert_eq!(server.count("idempotent_answers", "1 = 1").await, 4);
        for secret in &all {
            assert!(
                !server.holds(hidden(secret)).await,
                "a secret is in the database"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_may_be_repeated_is_gone_after_a_day() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let root = server.root.clone();
        let once = [("idempotency-key", "deploy-17")];
        let asks = async || {
            let body = json!({ "apiId": api });
            server
                .post_as(&root, "keys.createKey", body, &once)
                .await
                .data()
        };
        let first = asks().await;
        let secret = text(&first["key"]);
        assert_eq!(server.count("idempotent_answers", "1 = 1").await, 1);
        assert!(!server.holds(hidden(&secret)).await, "kept, but sealed");
        server.wait(Duration::from_mins(24 * 60 - 1));
        server.service.tidy().await.unwrap();
        assert_eq!(asks().await, first);
        server.wait(Duration::from_mins(1));
        server.service.tidy().await.unwrap();
        assert_eq!(server.count("idempotent_answers", "1 = 1").await, 0);
        assert_ne!(asks().await, first);
    })
    .await;
}
