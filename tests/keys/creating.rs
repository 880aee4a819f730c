//! Making keys: what is refused, and what is made along with them.

use serde_json::{Map, Value, json};

use crate::environment::{Server, on_both};

async fn create(server: &Server, api: &str, mut with: Value) -> crate::environment::Answer {
    with["apiId"] = json!(api);
    server.post("keys.createKey", with).await
}

#[tokio::test]
async fn what_makes_no_sense_makes_no_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let limit = json!({ "name": "calls", "limit": 1, "duration": 1_000 });
        let many: Map<_, _> = (0..101).map(|n| (n.to_string(), json!(n))).collect();
        let daily = json!({ "interval": "daily", "amount": 1 });
        let monthly = json!({ "interval": "monthly", "amount": 1 });
        let daily_on = json!({ "interval": "daily", "amount": 1, "refillDay": 3 });
        for (with, says) in [
            (
                json!({ "credits": { "remaining": null, "refill": daily } }),
                "need a number",
            ),
            (
                json!({ "credits": { "remaining": 1, "refill": monthly } }),
                "day of the month",
            ),
            (
                json!({ "credits": { "remaining": 1, "refill": daily_on } }),
                "no day of the month",
            ),
            (
                json!({ "credits": { "remaining": -1 } }),
                "failed to validate",
            ),
            (json!({ "credits": {} }), "failed to validate"),
            (
                json!({ "ratelimits": [limit, limit] }),
                "two rate limits called 'calls'",
            ),
            (json!({ "meta": many }), "more than 100 properties"),
            (json!({ "permissions": ["no blanks"] }), "letters, digits"),
            (json!({ "permissions": [""] }), "letters, digits"),
            (json!({ "byteLength": 15 }), "failed to validate"),
            (json!({ "prefix": "no-dash" }), "failed to validate"),
            (json!({ "externalId": "no blank" }), "failed to validate"),
            (json!({ "expires": -1 }), "failed to validate"),
            (json!({ "more": 1 }), "failed to validate"),
        ] {
            let refused = create(server, &api, with.clone()).await;
            let told = (refused.status, refused.kind());
            assert_eq!(told, (400, "invalid_input"), "{with}");
            assert!(
                refused.detail().contains(says),
                "{with}: {}",
                refused.detail()
            );
            let errors = refused.body["error"]["errors"].as_array().unwrap();
            assert!(!errors.is_empty(), "{with}");
        }
        let unknown = json!({ "roles": ["nobody"], "permissions": ["left.behind"] });
        let unknown = create(server, &api, unknown).await;
        assert_eq!((unknown.status, unknown.kind()), (404, "role_not_found"));
        assert_eq!(unknown.detail(), "Role 'nobody' was not found.");
        // All of it or nothing.
        let listed = server.post("apis.listKeys", json!({ "apiId": api })).await;
        assert_eq!(listed.data(), json!([]));
        let left = json!({ "permission": "left.behind" });
        let left = server.post("permissions.getPermission", left).await;
        assert_eq!(left.status, 404);
    })
    .await;
}

#[tokio::test]
async fn what_is_as_large_as_it_may_be_is_made() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let many: Map<_, _> = (0..100).map(|n| (n.to_string(), json!(n))).collect();
        let with = json!({
            "meta": many, "prefix": "a".repeat(16), "byteLength": 255,
            "credits": { "remaining": 0, "refill":
                { "interval": "monthly", "amount": 1, "refillDay": 31 } },
        });
        let (id, key) = server.key(&api, with).await;
        let shown = server.get(&id).await;
        assert_eq!(shown["meta"].as_object().unwrap().len(), 100);
        assert_eq!(shown["credits"]["refill"]["refillDay"], 31);
        assert_eq!(server.verify(&key).await, "USAGE_EXCEEDED");
    })
    .await;
}

#[tokio::test]
async fn permissions_and_whom_it_is_for_are_made_with_a_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let root = server.root_with(&["api.*.create_key"]).await;
        let body = json!({ "apiId": api, "permissions": ["new.one"], "externalId": "acme" });
        server
            .post_as(&root, "keys.createKey", body, &[])
            .await
            .data();
        let slug = json!({ "permission": "new.one" });
        let made = server.post("permissions.getPermission", slug).await.data();
        assert_eq!(
            (&made["name"], &made["slug"]),
            (&json!("new.one"), &json!("new.one"))
        );
        let whom = json!({ "identity": "acme" });
        let made = server.post("identities.getIdentity", whom).await.data();
        assert_eq!(made["externalId"], "acme");
    })
    .await;
}
