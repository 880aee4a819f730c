//! How verifications end: in which order, and with which fields.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

#[tokio::test]
async fn the_first_fault_is_told_and_nothing_is_used_up() {
    on_both(async |server: &Server| {
        server.wait_for_half_past();
        let api = server.api().await;
        let limit = json!({ "name": "calls", "limit": 2, "duration": 3_600_000 });
        let with = json!({
            "expires": server.now() + 1_000, "ratelimits": [limit],
            "credits": { "remaining": 1 },
        });
        let (id, key) = server.key(&api, with).await;
        let verify = async |uses: i64, cost: i64| {
            let body = json!({
                "key": key, "permissions": "docs.read",
                "ratelimits": [{ "name": "calls", "cost": uses }], "credits": { "cost": cost },
            });
            server.post("keys.verifyKey", body).await.data()
        };
        let update = async |mut with: Value| {
            with["keyId"] = json!(id);
            server.post("keys.updateKey", with).await.data();
        };
        let refused = async |uses: i64, code: &str| {
            let verified = verify(uses, 2).await;
            let told = (&verified["valid"], &verified["code"], &verified["credits"]);
            assert_eq!(told, (&json!(false), &json!(code), &json!(1)), "{verified}");
            assert_eq!(server.get(&id).await["credits"]["remaining"], 1, "{code}");
            verified
        };
        // All of them at once, and then one fault less each time.
        server.wait(Duration::from_secs(2));
        update(json!({ "enabled": false })).await;
        assert_eq!(refused(3, "DISABLED").await["enabled"], false);
        update(json!({ "enabled": true })).await;
        refused(3, "EXPIRED").await;
        update(json!({ "expires": null })).await;
        refused(3, "INSUFFICIENT_PERMISSIONS").await;
        let body = json!({ "keyId": id, "permissions": ["docs.read"] });
        server.post("keys.addPermissions", body).await.data();
        let limited = refused(3, "RATE_LIMITED").await;
        assert_eq!(
            limited["ratelimits"][0]["remaining"], 2,
            "nobody has used it"
        );
        assert_eq!(limited["ratelimits"][0]["exceeded"], true);
        let exceeded = refused(2, "USAGE_EXCEEDED").await;
        assert_eq!(exceeded["ratelimits"][0]["exceeded"], false);
        let verified = verify(0, 1).await;
        assert_eq!(
            (&verified["code"], &verified["credits"]),
            (&json!("VALID"), &json!(0))
        );
    })
    .await;
}

#[tokio::test]
async fn a_refusal_tells_the_credits_as_they_are_now() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({ "credits": { "remaining": 5 } });
        let (old, old_key) = server.key(&api, with).await;
        assert_eq!(server.verify(&old_key).await, "VALID");
        let (_, new_key) = server.reroll(&old, json!(0)).await;
        // The old key is remembered from here on, and its balance is used by the new one.
        for left in [4, 3] {
            let refused = json!({ "key": old_key });
            let refused = server.post("keys.verifyKey", refused).await.data();
            let told = (&refused["code"], &refused["credits"]);
            assert_eq!(told, (&json!("EXPIRED"), &json!(left)));
            assert_eq!(server.verify(&new_key).await, "VALID");
        }
        let (_, free) = server.key(&api, json!({ "enabled": false })).await;
        let refused = server.post("keys.verifyKey", json!({ "key": free }));
        assert!(refused.await.data().get("credits").is_none());
    })
    .await;
}

#[tokio::test]
async fn a_valid_key_is_told_with_all_that_it_has() {
    on_both(async |server: &Server| {
        server.wait_for_half_past();
        let api = server.api().await;
        let role = json!({ "name": "reader", "permissions": ["docs.read"] });
        server.post("permissions.createRole", role).await.data();
        let shared = json!({ "name": "shared", "limit": 9, "duration": 3_600_000 });
        let identity = json!({
            "externalId": "acme", "meta": { "plan": "pro" }, "ratelimits": [shared],
        });
        server
            .post("identities.createIdentity", identity)
            .await
            .data();
        let expires = server.now() + 1_000_000;
        let calls = json!({
            "name": "calls", "limit": 5, "duration": 3_600_000, "autoApply": true,
        });
        let with = json!({
            "name": "main", "externalId": "acme", "meta": { "seats": [1, 2] },
            "roles": ["reader"], "permissions": ["docs.write"], "expires": expires,
            "credits": { "remaining": 10 }, "ratelimits": [calls],
        });
        let (id, key) = server.key(&api, with).await;
        let shown = server.get(&id).await;
        let verified = server.post("keys.verifyKey", json!({ "key": key })).await;
        let verified = verified.data();
        let hour = 3_600_000;
        let expected = json!({
            "valid": true,
            "code": "VALID",
            "keyId": id,
            "enabled": true,
            "name": "main",
            "expires": expires,
            "credits": 9,
            "meta": { "seats": [1, 2] },
            "permissions": ["docs.read", "docs.write"],
            "roles": ["reader"],
            "identity": {
                "id": shown["identity"]["id"],
                "externalId": "acme",
                "meta": { "plan": "pro" },
                "ratelimits": [{
                    "id": shown["identity"]["ratelimits"][0]["id"], "name": "shared",
                    "limit": 9, "duration": hour, "autoApply": false,
                }],
            },
            "ratelimits": [{
                "exceeded": false, "id": shown["ratelimits"][0]["id"], "name": "calls",
                "limit": 5, "duration": hour, "remaining": 4, "autoApply": true,
                "reset": (server.now() / hour + 1) * hour,
            }],
        });
        assert_eq!(verified, expected);
        // And one that has nothing is told with nothing.
        let (id, key) = server.key(&api, json!({})).await;
        let verified = server.post("keys.verifyKey", json!({ "key": key })).await;
        let expected = json!({ "valid": true, "code": "VALID", "keyId": id, "enabled": true });
        assert_eq!(verified.data(), expected);
        let nobody = server.post("keys.verifyKey", json!({ "key": "sk_nobody" }));
        let expected = json!({ "valid": false, "code": "NOT_FOUND" });
        assert_eq!(nobody.await.data(), expected);
    })
    .await;
}

/// Returns the status, the kind and the title of what an operation is refused with.
async fn refused(server: &Server, root: &str) -> (u16, String, String) {
    let refused = server.post_as(root, "apis.createApi", json!({ "name": "more" }), &[]);
    let refused = refused.await;
    let title = text(&refused.body["error"]["title"]);
    (refused.status, refused.kind().to_owned(), title)
}

fn told(status: u16, kind: &str, title: &str) -> (u16, String, String) {
    (status, kind.to_owned(), title.to_owned())
}

#[tokio::test]
async fn a_root_key_that_is_disabled_opens_nothing() {
    on_both(async |server: &Server| {
        let root = server.root_with(&["api.*.create_api"]).await;
        let made = server.post_as(&root, "apis.createApi", json!({ "name": "one" }), &[]);
        assert_eq!(made.await.status, 200);
        server
            .change("UPDATE root_keys SET enabled = 0 WHERE name IS NULL")
            .await;
        let expected = told(403, "key_disabled", "Key is disabled");
        assert_eq!(refused(server, &root).await, expected);
        assert_eq!(
            server
                .post("apis.createApi", json!({ "name": "two" }))
                .await
                .status,
            200
        );
    })
    .await;
}

#[tokio::test]
async fn a_workspace_that_is_disabled_is_closed_to_all_its_keys() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (_, key) = server.key(&api, json!({})).await;
        // The root key is remembered, and the key is not.
        while !server.service.store().may_remember() {
            tokio::task::yield_now().await;
        }
        server.verify("sk_nobody").await;
        server.execute("UPDATE workspaces SET enabled = 0").await;
        let verified = server
            .post("keys.verifyKey", json!({ "key": key }))
            .await
            .data();
        let said = (&verified["valid"], &verified["code"]);
        assert_eq!(said, (&json!(false), &json!("FORBIDDEN")));
        let root = server.root_with(&["api.*.create_api"]).await;
        let expected = told(403, "workspace_disabled", "Workspace is disabled");
        assert_eq!(refused(server, &root).await, expected);
    })
    .await;
}
