//! What a root key must be allowed to do to show, verify, roll and delete keys.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both, text};

async fn key_space(server: &Server, api: &str) -> (String, String) {
    let store = server.service.store();
    let workspace = store.workspaces().await.unwrap().remove(0);
    let api = store.api(&workspace.id, api).await.unwrap();
    (workspace.id, api.key_space)
}

#[tokio::test]
async fn every_operation_on_keys_needs_all_that_it_needs_and_no_more() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let on_api = |action: &str| format!("api.{api}.{action}");
        let (key, _) = server.key(&api, json!({})).await;
        let (cut, _) = server.key(&api, json!({})).await;
        server.reroll(&cut, json!(60_000)).await;
        let (whole, _) = server.key(&api, json!({})).await;
        server.reroll(&whole, json!(60_000)).await;
        let count = json!({ "query": "SELECT COUNT(*) AS n FROM key_verifications_v1" });
        let limit = json!({ "namespace": "n", "identifier": "a", "limit": 9, "duration": 60_000 });
        server.post("ratelimit.limit", limit.clone()).await.data();
        let which = |id: &str| json!({ "keyId": id });
        let this = || json!({ "apiId": api });
        let (read, update) = (on_api("read_key"), on_api("update_key"));
        for (operation, body, grants) in [
            ("keys.getKey", which(&key), vec![read.clone()]),
            (
                "keys.getKey",
                json!({ "keyId": key, "decrypt": true }),
                vec![read.clone(), on_api("decrypt_key")],
            ),
            ("keys.getRotation", which(&cut), vec![read]),
            ("keys.finishRotation", which(&cut), vec![update.clone()]),
            ("keys.cancelRotation", which(&whole), vec![update]),
            (
                "analytics.getVerifications",
                count,
                vec![on_api("read_analytics")],
            ),
            (
                "ratelimit.limit",
                limit,
                vec!["ratelimit.*.limit".to_owned()],
            ),
            (
                "rootKeys.listKeys",
                json!({}),
                vec!["root_key.*.read_root_key".to_owned()],
            ),
            (
                "rootKeys.createKey",
                json!({ "permissions": [] }),
                vec!["root_key.*.create_root_key".to_owned()],
            ),
            (
                "apis.createApi",
                json!({ "name": "more" }),
                vec!["api.*.create_api".to_owned()],
            ),
            ("apis.getApi", this(), vec![on_api("read_api")]),
            ("keys.deleteKey", which(&key), vec![on_api("delete_key")]),
            ("apis.deleteApi", this(), vec![on_api("delete_api")]),
        ] {
            for missing in &grants {
                let others = grants.iter().filter(|grant| grant != &missing);
                // What is granted on another API, or for something else, grants nothing here.
                let other_api = missing.replace(&api, "api_other");
                let mut held = vec!["api.*.encrypt_key", "rbac.*.read_role"];
                if &other_api != missing {
                    held.push(&other_api);
                }
                held.extend(others.map(String::as_str));
                let root = server.root_with(&held).await;
                let refused = server.post_as(&root, operation, body.clone(), &[]).await;
                let told = (refused.status, refused.kind());
                assert_eq!(told, (403, "insufficient_permissions"), "{operation}");
                let action = missing.rsplit('.').next().unwrap();
                let detail = refused.detail();
                assert!(detail.contains(action), "{operation}: {detail}");
            }
            let all: Vec<_> = grants.iter().map(String::as_str).collect();
            let root = server.root_with(&all).await;
            let done = server.post_as(&root, operation, body, &[]).await;
            assert_eq!(done.status, 200, "{operation}: {}", done.detail());
        }
    })
    .await;
}

#[tokio::test]
async fn a_grant_by_name_is_one_on_that_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (key, _) = server.key(&api, json!({})).await;
        let (other, _) = server.key(&api, json!({})).await;
        let (workspace, space) = key_space(server, &api).await;
        let name = format!("unkey:v1:{workspace}:keyspaces/{space}/keys/{key}");
        let root = server
            .root_with(&[&format!("{name}#read_key"), &format!("{name}#delete_key")])
            .await;
        let asks = async |operation: &str, id: &str| {
            let body = json!({ "keyId": id });
            server.post_as(&root, operation, body, &[]).await.status
        };
        assert_eq!(asks("keys.getKey", &key).await, 200);
        assert_eq!(asks("keys.getKey", &other).await, 403);
        assert_eq!(asks("keys.deleteKey", &other).await, 403);
        assert_eq!(asks("keys.deleteKey", &key).await, 200);
    })
    .await;
}

#[tokio::test]
async fn who_may_not_make_keys_of_an_api_is_told_of_none() {
    on_both(async |server: &Server| {
        let sealed = json!({ "name": "sealed", "storeEncryptedKeys": true });
        let api = text(&server.post("apis.createApi", sealed).await.data()["apiId"]);
        let makes = async |grants: &[&str], more: Value| -> Answer {
            let root = server.root_with(grants).await;
            let mut body = more;
            body["apiId"] = json!(api);
            server.post_as(&root, "keys.createKey", body, &[]).await
        };
        for held in ["api.*.read_key", "api.api_other.create_key"] {
            let refused = makes(&[held], json!({})).await;
            assert_eq!((refused.status, refused.kind()), (404, "api_not_found"));
            assert_eq!(refused.detail(), "The specified API was not found.");
        }
        let create = "api.*.create_key";
        let recoverable = json!({ "recoverable": true });
        let refused = makes(&[create], recoverable.clone()).await;
        assert_eq!(
            (refused.status, refused.kind()),
            (403, "insufficient_permissions")
        );
        assert!(
            refused.detail().contains("encrypt_key"),
            "{}",
            refused.detail()
        );
        makes(&[create, "api.*.encrypt_key"], recoverable)
            .await
            .data();
        makes(&[create], json!({})).await.data();
    })
    .await;
}

#[tokio::test]
async fn who_may_not_know_of_a_key_is_told_that_it_is_not_there() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({ "name": "n", "credits": { "remaining": 1 } });
        let (id, key) = server.key(&api, with).await;
        let asks = async |held: &str, operation: &str, key: &str| -> Answer {
            let root = server.root_with(&[held]).await;
            let body = json!({ "key": key });
            server.post_as(&root, operation, body, &[]).await
        };
        for (held, key) in [
            ("api.*.verify_key", key.as_str()),
            ("api.api_other.read_key", &key),
            ("api.*.read_key", "sk_unknown"),
        ] {
            let missing = asks(held, "keys.whoami", key).await;
            let told = (missing.status, missing.kind(), missing.detail());
            let expected = (404, "key_not_found", "The specified key was not found.");
            assert_eq!(told, expected, "{held}");
        }
        let shown = asks("api.*.read_key", "keys.whoami", &key).await.data();
        assert_eq!(shown, server.get(&id).await);
        for (held, key) in [
            ("api.*.read_key", key.as_str()),
            ("api.api_other.verify_key", &key),
            ("api.*.verify_key", "sk_unknown"),
        ] {
            let verified = asks(held, "keys.verifyKey", key).await.data();
            let nobody = json!({ "valid": false, "code": "NOT_FOUND" });
            assert_eq!(verified, nobody, "{held}");
        }
        assert_eq!(server.get(&id).await["credits"]["remaining"], 1);
        let held = format!("api.{api}.verify_key");
        let verified = asks(&held, "keys.verifyKey", &key).await.data();
        assert_eq!(verified["code"], "VALID");
    })
    .await;
}
