//! A key from its making to its end.

use std::time::Duration;

use serde_json::json;

use crate::environment::{Server, on_both, text};

#[tokio::test]
async fn a_key_opens_until_it_is_deleted() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server
            .key(&api, json!({ "prefix": "sk_live", "name": "one" }))
            .await;
        assert!(key.starts_with("sk_live_"), "the prefix");
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify("sk_live_nobody").await, "NOT_FOUND");
        let shown = server.get(&id).await;
        assert_eq!(shown["name"], "one");
        assert!(key.starts_with(shown["start"].as_str().unwrap()));
        assert!(
            shown.get("expires").is_none(),
            "what is empty is left out: {shown}"
        );
        server
            .post("keys.deleteKey", json!({ "keyId": id }))
            .await
            .data();
        assert_eq!(server.verify(&key).await, "NOT_FOUND");
        let gone = server.post("keys.getKey", json!({ "keyId": id })).await;
        assert_eq!((gone.status, gone.kind()), (404, "key_not_found"));
    })
    .await;
}

#[tokio::test]
async fn a_key_expires_to_the_millisecond() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let expires = server.now() + 60_000;
        let (_, key) = server.key(&api, json!({ "expires": expires })).await;
        assert_eq!(server.verify(&key).await, "VALID");
        server.wait(Duration::from_secs(60));
        assert_eq!(server.verify(&key).await, "EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn a_disabled_key_opens_nothing() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (_, key) = server.key(&api, json!({ "enabled": false })).await;
        assert_eq!(server.verify(&key).await, "DISABLED");
    })
    .await;
}

#[tokio::test]
async fn credits_are_used_up_and_fill_up_again() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let credits = json!({ "remaining": 3, "refill": { "interval": "daily", "amount": 5 } });
        let (id, key) = server.key(&api, json!({ "credits": credits })).await;
        let cost = |cost: i64| json!({ "key": key, "credits": { "cost": cost } });
        let spend = async |body| server.post("keys.verifyKey", body).await.data();
        assert_eq!(spend(cost(2)).await["credits"], 1);
        let refused = spend(cost(2)).await;
        assert_eq!(
            (&refused["code"], &refused["credits"]),
            (&json!("USAGE_EXCEEDED"), &json!(1))
        );
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "USAGE_EXCEEDED");
        assert_eq!(spend(cost(0)).await["code"], "VALID");
        server.wait(Duration::from_hours(24));
        assert_eq!(server.get(&id).await["credits"]["remaining"], 5);
        assert_eq!(spend(cost(5)).await["credits"], 0);
    })
    .await;
}

#[tokio::test]
async fn rate_limits_forbid_for_a_while() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let limit =
            json!({ "name": "requests", "limit": 2, "duration": 60_000, "autoApply": true });
        let (_, key) = server.key(&api, json!({ "ratelimits": [limit] })).await;
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "VALID");
        let denied = server
            .post("keys.verifyKey", json!({ "key": key }))
            .await
            .data();
        assert_eq!(denied["code"], "RATE_LIMITED");
        assert_eq!(denied["ratelimits"][0]["exceeded"], true);
        assert_eq!(denied["ratelimits"][0]["remaining"], 0);
        server.wait(Duration::from_mins(2));
        assert_eq!(server.verify(&key).await, "VALID");
        let asked = json!({ "key": key, "ratelimits": [{ "name": "other" }] });
        let unknown = server.post("keys.verifyKey", asked).await;
        assert_eq!(
            (unknown.status, unknown.kind()),
            (412, "precondition_failed")
        );
    })
    .await;
}

#[tokio::test]
async fn permissions_are_asked_for_by_a_query() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({ "permissions": ["docs.read", "docs.write"] });
        let (_, key) = server.key(&api, with).await;
        let code = async |query: &str| {
            let body = json!({ "key": key, "permissions": query });
            text(&server.post("keys.verifyKey", body).await.data()["code"])
        };
        assert_eq!(code("docs.read AND (docs.write OR admin)").await, "VALID");
        assert_eq!(code("admin").await, "INSUFFICIENT_PERMISSIONS");
        let body = json!({ "key": key, "permissions": "docs.read AND" });
        let broken = server.post("keys.verifyKey", body).await;
        assert_eq!(
            (broken.status, broken.kind()),
            (400, "permissions_query_syntax_error")
        );
    })
    .await;
}
