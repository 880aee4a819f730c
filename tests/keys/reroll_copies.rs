//! What a reroll copies, what it makes anew, and what it refuses to copy.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// Returns the prefix of a secret, if it has one, and how many random bytes follow.
fn format(secret: &str) -> (Option<&str>, usize) {
    let (prefix, chance) = match secret.rsplit_once('_') {
        Some((prefix, chance)) => (Some(prefix), chance),
        None => (None, secret),
    };
    (prefix, bs58::decode(chance).into_vec().unwrap().len())
}

/// Returns the permissions that a key was given directly.
async fn direct(server: &Server, id: &str) -> Value {
    let none = json!({ "keyId": id, "permissions": ["never.given"] });
    server.post("keys.removePermissions", none).await.data()
}

#[tokio::test]
async fn roles_and_direct_permissions_are_copied_each_as_such() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for (name, permissions) in [("reader", ["docs.read"]), ("lister", ["docs.list"])] {
            let role = json!({ "name": name, "permissions": permissions });
            server.post("permissions.createRole", role).await.data();
        }
        let with = json!({
            "roles": ["reader", "lister"], "permissions": ["docs.write", "docs.read"],
        });
        let (old, _) = server.key(&api, with).await;
        let (new, _) = server.reroll(&old, json!(60_000)).await;
        let shown = server.get(&new).await;
        assert_eq!(shown["roles"], server.get(&old).await["roles"]);
        assert_eq!(shown["roles"].as_array().unwrap().len(), 2);
        let all = json!(["docs.list", "docs.read", "docs.write"]);
        assert_eq!(shown["permissions"], all);
        let given = direct(server, &new).await;
        assert_eq!(given, direct(server, &old).await);
        assert_eq!(given.as_array().unwrap().len(), 2);
        // Without the roles, what was given directly is left.
        let none = json!({ "keyId": new, "roles": [] });
        server.post("keys.setRoles", none).await.data();
        let left = json!(["docs.read", "docs.write"]);
        assert_eq!(server.get(&new).await["permissions"], left);
        assert_eq!(server.get(&old).await["permissions"], all);
    })
    .await;
}

#[tokio::test]
async fn the_new_key_is_made_now_and_the_old_one_is_changed_now() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let made = server.get(&old).await;
        assert!(made.get("updatedAt").is_none(), "{made}");
        server.wait(Duration::from_hours(1));
        let before = server.now();
        let (new, _) = server.reroll(&old, json!(60_000)).await;
        let now = before..=server.now();
        let (old, new) = (server.get(&old).await, server.get(&new).await);
        assert!(now.contains(&old["updatedAt"].as_i64().unwrap()), "{old}");
        assert!(now.contains(&new["createdAt"].as_i64().unwrap()), "{new}");
        assert_eq!(old["createdAt"], made["createdAt"]);
        assert!(new.get("updatedAt").is_none(), "{new}");
        assert!(new.get("lastUsedAt").is_none(), "{new}");
    })
    .await;
}

#[tokio::test]
async fn what_a_key_does_not_say_of_its_secret_its_api_says() {
    on_both(async |server: &Server| {
        let plain = server.api().await;
        let body = json!({ "name": "orders", "defaultPrefix": "or_live", "defaultBytes": 32 });
        let api = text(&server.post("apis.createApi", body).await.data()["apiId"]);
        for (api, with, expected) in [
            (&plain, json!({}), (None, 16)),
            (
                &plain,
                json!({ "prefix": "a_b", "byteLength": 20 }),
                (Some("a_b"), 20),
            ),
            (&api, json!({}), (Some("or_live"), 32)),
            (&api, json!({ "prefix": "sk" }), (Some("sk"), 32)),
            (&api, json!({ "byteLength": 16 }), (Some("or_live"), 16)),
        ] {
            let (id, secret) = server.key(api, with.clone()).await;
            assert_eq!(format(&secret), expected, "{with}");
            let (_, secret) = server.reroll(&id, json!(0)).await;
            assert_eq!(format(&secret), expected, "{with}, rerolled");
        }
        // An API that got its defaults later has keys without a prefix.
        let (id, _) = server.key(&plain, json!({ "byteLength": 20 })).await;
        let later = "UPDATE apis SET default_prefix = 'late', default_bytes = 64 WHERE id = ";
        server.change(&format!("{later}'{plain}'")).await;
        let (_, secret) = server.reroll(&id, json!(0)).await;
        assert_eq!(format(&secret), (Some("late"), 20));
    })
    .await;
}

#[tokio::test]
async fn what_an_identity_has_used_up_is_used_up_for_the_new_key() {
    on_both(async |server: &Server| {
        server.wait_for_half_past();
        let api = server.api().await;
        let limit = json!({
            "name": "calls", "limit": 3, "duration": 3_600_000, "autoApply": true,
        });
        let identity = json!({ "externalId": "acme", "ratelimits": [limit] });
        server
            .post("identities.createIdentity", identity)
            .await
            .data();
        let (old, old_key) = server.key(&api, json!({ "externalId": "acme" })).await;
        assert_eq!(server.verify(&old_key).await, "VALID");
        let (_, new_key) = server.reroll(&old, json!(600_000)).await;
        assert_eq!(server.verify(&new_key).await, "VALID");
        assert_eq!(server.verify(&old_key).await, "VALID");
        for key in [&new_key, &old_key] {
            assert_eq!(server.verify(key).await, "RATE_LIMITED");
        }
    })
    .await;
}

#[tokio::test]
async fn a_secret_is_not_kept_where_the_api_keeps_none() {
    on_both(async |server: &Server| {
        let plain = server.api().await;
        let body = json!({ "apiId": plain, "recoverable": true });
        let refused = server.post("keys.createKey", body).await;
        let told = (refused.status, refused.kind(), refused.detail());
        let expected = "This API does not support key encryption.";
        assert_eq!(told, (412, "precondition_failed", expected));
        let sealed = json!({ "name": "sealed", "storeEncryptedKeys": true });
        let api = text(&server.post("apis.createApi", sealed).await.data()["apiId"]);
        let (id, key) = server.key(&api, json!({ "recoverable": true })).await;
        let no_more = "UPDATE apis SET stores_sealed_keys = 0 WHERE id = ";
        server.change(&format!("{no_more}'{api}'")).await;
        let body = json!({ "keyId": id, "expiration": 0 });
        let refused = server.post("keys.rerollKey", body).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (412, "precondition_failed")
        );
        assert_eq!(server.verify(&key).await, "VALID");
        assert!(server.get(&id).await.get("successorId").is_none());
    })
    .await;
}
