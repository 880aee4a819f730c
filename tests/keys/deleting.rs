//! Deleting: for good, and what must not be deleted.

use serde_json::json;

use crate::analytics::ALL;
use crate::environment::{Server, on_both, text};

#[tokio::test]
async fn nothing_is_left_of_a_key_that_is_deleted_for_good() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        server
            .post("permissions.createRole", json!({ "name": "reader" }))
            .await
            .data();
        let with = || {
            json!({
                "roles": ["reader"], "permissions": ["docs.read"], "credits": { "remaining": 5 },
                "ratelimits": [{ "name": "calls", "limit": 9, "duration": 60_000 }],
            })
        };
        let left = async |id: &str| {
            [
                server.count("keys", &format!("id = '{id}'")).await,
                server
                    .count("ratelimits", &format!("key_id = '{id}'"))
                    .await,
                server
                    .count("keys_permissions", &format!("key_id = '{id}'"))
                    .await,
                server
                    .count("keys_roles", &format!("key_id = '{id}'"))
                    .await,
                server.count("last_uses", &format!("id = '{id}'")).await,
                server.count("pools", "1 = 1").await,
            ]
        };
        let (id, key) = server.key(&api, with()).await;
        assert_eq!(server.verify(&key).await, "VALID");
        server.service.write_counts(ALL).await.unwrap();
        assert_eq!(left(&id).await, [1; 6]);
        let body = json!({ "keyId": id, "permanent": true });
        server.post("keys.deleteKey", body.clone()).await.data();
        assert_eq!(left(&id).await, [0; 6]);
        assert_eq!(server.verify(&key).await, "NOT_FOUND");
        assert_eq!(server.post("keys.deleteKey", body).await.status, 404);
        // Deleted as usual, it is gone for everybody, and kept.
        let (id, key) = server.key(&api, with()).await;
        let body = json!({ "keyId": id });
        server.post("keys.deleteKey", body).await.data();
        assert_eq!(server.verify(&key).await, "NOT_FOUND");
        assert_eq!(server.count("keys", &format!("id = '{id}'")).await, 1);
    })
    .await;
}

#[tokio::test]
async fn a_balance_stays_with_the_key_that_took_the_place() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({ "credits": { "remaining": 3 } });
        let (old, old_key) = server.key(&api, with).await;
        let (new, new_key) = server.reroll(&old, json!(60_000)).await;
        assert_eq!(server.verify(&old_key).await, "VALID");
        let body = json!({ "keyId": old, "permanent": true });
        server.post("keys.deleteKey", body).await.data();
        assert_eq!(server.get(&new).await["credits"]["remaining"], 2);
        for code in ["VALID", "VALID", "USAGE_EXCEEDED"] {
            assert_eq!(server.verify(&new_key).await, code);
        }
        let body = json!({ "keyId": new, "permanent": true });
        server.post("keys.deleteKey", body).await.data();
        assert_eq!(server.count("pools", "1 = 1").await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_api_that_is_protected_is_not_deleted() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (_, key) = server.key(&api, json!({})).await;
        let protect =
            |on: u8| format!("UPDATE apis SET delete_protection = {on} WHERE id = '{api}'");
        server.change(&protect(1)).await;
        let body = json!({ "apiId": api });
        let refused = server.post("apis.deleteApi", body.clone()).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (412, "protected_resource")
        );
        let title = text(&refused.body["error"]["title"]);
        assert_eq!(title, "Resource is protected");
        assert_eq!(refused.detail(), "This API is protected from deletion.");
        assert_eq!(server.verify(&key).await, "VALID");
        server.change(&protect(0)).await;
        server.post("apis.deleteApi", body).await.data();
        assert_eq!(server.verify(&key).await, "NOT_FOUND");
    })
    .await;
}
