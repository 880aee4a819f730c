//! Listing the keys of an API.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both, text};

async fn list(server: &Server, api: &str, mut with: Value) -> Answer {
    with["apiId"] = json!(api);
    server.post("apis.listKeys", with).await
}

fn ids(listed: &Value) -> Vec<String> {
    let listed = listed.as_array().unwrap();
    listed.iter().map(|key| text(&key["keyId"])).collect()
}

#[tokio::test]
async fn keys_are_listed_in_pages() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let other = server.api().await;
        server.key(&other, json!({})).await;
        let mut made = Vec::new();
        for _ in 0..5 {
            made.push(server.key(&api, json!({})).await.0);
        }
        made.sort();
        let mut cursor = None;
        let mut seen = Vec::new();
        for (size, has_more) in [(2, true), (2, true), (1, false)] {
            let mut with = json!({ "limit": 2 });
            if let Some(cursor) = &cursor {
                with["cursor"] = json!(cursor);
            }
            let page = list(server, &api, with).await;
            let next = page.body["pagination"].clone();
            assert_eq!(next["hasMore"], has_more);
            let page = ids(&page.data());
            assert_eq!(page.len(), size);
            seen.extend(page);
            cursor = next.get("cursor").map(text);
            // The first of the next page, which is no secret and can be made up.
            assert_eq!(cursor.as_ref(), made.get(seen.len()));
        }
        assert_eq!(seen, made);
        server
            .post("keys.deleteKey", json!({ "keyId": made[0] }))
            .await
            .data();
        assert_eq!(ids(&list(server, &api, json!({})).await.data()), made[1..]);
        let body = json!({ "apiId": server.api().await });
        let empty = server.post("apis.listKeys", body).await;
        assert_eq!(empty.body["pagination"], json!({ "hasMore": false }));
        assert_eq!(empty.data(), json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_listed_key_is_shown_as_it_is_alone() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for (role, permissions) in [("reader", vec!["docs.read"]), ("editor", vec!["docs.read", "docs.write"]), ("none", vec![])] {
            let body = json!({ "name": role, "permissions": permissions });
            server.post("permissions.createRole", body).await.data();
        }
        let limit = |name: &str| json!({ "name": name, "limit": 5, "duration": 1000 });
        let of_acme = json!({ "externalId": "acme", "ratelimits": [limit("shared"), limit("also")] });
        server.post("identities.createIdentity", of_acme).await.data();
        for with in [
            json!({}),
            json!({
                "name": "full", "externalId": "acme", "meta": { "a": 1 },
                "roles": ["reader", "editor"], "permissions": ["admin", "docs.read"],
                "credits": { "remaining": 5, "refill": { "interval": "daily", "amount": 7 } },
                "ratelimits": [limit("two"), limit("one")],
            }),
            json!({ "externalId": "acme", "roles": ["none", "editor"], "ratelimits": [limit("one")] }),
            json!({ "externalId": "other", "permissions": ["admin"] }),
        ] {
            server.key(&api, with).await;
        }
        let listed = list(server, &api, json!({})).await.data();
        assert_eq!(listed.as_array().unwrap().len(), 4);
        for key in listed.as_array().unwrap() {
            assert_eq!(key, &server.get(&text(&key["keyId"])).await);
        }
    })
    .await;
}

#[tokio::test]
async fn keys_are_listed_by_whom_they_were_issued_to() {
    on_both(async |server: &Server| {
        let (api, other) = (server.api().await, server.api().await);
        let acme = || json!({ "externalId": "acme" });
        let mut made = vec![
            server.key(&api, acme()).await.0,
            server.key(&api, acme()).await.0,
        ];
        made.sort();
        server.key(&api, json!({ "externalId": "acme2" })).await;
        server.key(&api, json!({})).await;
        server.key(&other, acme()).await;
        assert_eq!(ids(&list(server, &api, acme()).await.data()), made);
        let page = list(server, &api, json!({ "externalId": "acme", "limit": 1 })).await;
        assert_eq!(
            page.body["pagination"],
            json!({ "cursor": made[1], "hasMore": true })
        );
        let nobody = list(server, &api, json!({ "externalId": "nobody" })).await;
        assert_eq!(nobody.data(), json!([]));
    })
    .await;
}

#[tokio::test]
async fn secrets_are_read_back_for_those_who_may() {
    on_both(async |server: &Server| {
        let body = json!({ "name": "sealed", "storeEncryptedKeys": true });
        let api = text(&server.post("apis.createApi", body).await.data()["apiId"]);
        let (kept, secret) = server.key(&api, json!({ "recoverable": true })).await;
        let (lost, _) = server.key(&api, json!({})).await;
        let shown = list(server, &api, json!({ "decrypt": true })).await.data();
        for key in shown.as_array().unwrap() {
            if key["keyId"] == json!(kept) {
                assert_eq!(key["plaintext"], json!(secret));
            } else {
                assert_eq!(key["keyId"], json!(lost));
                assert!(key.get("plaintext").is_none());
            }
        }
        let plain = list(server, &api, json!({})).await;
        assert!(!plain.body.to_string().contains(&secret));
        let root = server
            .root_with(&["api.*.read_api", "api.*.read_key"])
            .await;
        let body = json!({ "apiId": api, "decrypt": true });
        let refused = server.post_as(&root, "apis.listKeys", body, &[]).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (403, "insufficient_permissions")
        );
        assert!(
            refused.detail().contains("decrypt_key"),
            "{}",
            refused.detail()
        );
    })
    .await;
}

#[tokio::test]
async fn an_api_that_may_not_be_listed_is_none() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        server.key(&api, json!({})).await;
        let workspace = server.service.store().workspaces().await.unwrap().remove(0);
        let store = server.service.store();
        let key_space = store.api(&workspace.id, &api).await.unwrap().key_space;
        let named =
            |action: &str| format!("unkey:v1:{}:keyspaces/{key_space}#{action}", workspace.id);
        for (permissions, status) in [
            (vec!["api.*.read_key".to_owned()], 404),
            (vec!["api.*.read_api".to_owned()], 404),
            (
                vec![
                    "api.api_other.read_key".to_owned(),
                    "api.*.read_api".to_owned(),
                ],
                404,
            ),
            (
                vec![format!("api.{api}.read_key"), format!("api.{api}.read_api")],
                200,
            ),
            (vec![named("read_key"), named("read_api")], 200),
        ] {
            let granted: Vec<_> = permissions.iter().map(String::as_str).collect();
            let root = server.root_with(&granted).await;
            let body = json!({ "apiId": api });
            let answer = server.post_as(&root, "apis.listKeys", body, &[]).await;
            assert_eq!(answer.status, status, "{permissions:?}");
            if status == 404 {
                assert_eq!(answer.kind(), "api_not_found");
                assert_eq!(answer.detail(), "The specified API was not found.");
            }
        }
        let unknown = list(server, "api_unknown", json!({})).await;
        assert_eq!(unknown.detail(), "The specified API was not found.");
        server
            .post("apis.deleteApi", json!({ "apiId": api }))
            .await
            .data();
        assert_eq!(list(server, &api, json!({})).await.status, 404);
        for with in [
            json!({ "limit": 0 }),
            json!({ "limit": 101 }),
            json!({ "more": 1 }),
        ] {
            assert_eq!(list(server, &api, with).await.status, 400);
        }
    })
    .await;
}
