//! What is refused, in which order and in which words.

use serde_json::json;

use crate::environment::{Server, on_both};

#[tokio::test]
async fn a_body_is_checked_before_anybody_asks_who_sent_it() {
    on_both(async |server: &Server| {
        let nobody = server.send("keys.rerollKey", "{}".to_owned(), &[]).await;
        assert_eq!((nobody.status, nobody.kind()), (400, "invalid_input"));
        assert_eq!(
            nobody.detail(),
            "POST request body for '/v2/keys.rerollKey' failed to validate schema"
        );
        assert_eq!(nobody.content_type, "application/json");
        let errors = nobody.body["error"]["errors"].as_array().unwrap();
        assert!(
            errors
                .iter()
                .any(|error| { error["message"].as_str().unwrap().contains("keyId") }),
            "{errors:#?}"
        );
    })
    .await;
}

#[tokio::test]
async fn bodies_that_do_not_fit_are_refused() {
    on_both(async |server: &Server| {
        for body in [
            json!({ "expiration": 0 }),
            json!({ "keyId": "", "expiration": 0 }),
            json!({ "keyId": "ab", "expiration": 0 }),
            json!({ "keyId": "key_123", "expiration": -1 }),
            json!({ "keyId": "key_123", "expiration": 4_102_444_800_001_i64 }),
            json!({ "keyId": "key_123" }),
            json!({ "keyId": "key-123", "expiration": 0 }),
            json!({ "keyId": null, "expiration": 0 }),
            json!([]),
        ] {
            let refused = server.post("keys.rerollKey", body.clone()).await;
            assert_eq!(
                (refused.status, refused.kind()),
                (400, "invalid_input"),
                "{body}"
            );
        }
        // This schema is an open one, upstream's others are not.
        let open = json!({ "keyId": "key_123", "expiration": 0, "more": 1 });
        assert_eq!(server.post("keys.rerollKey", open).await.status, 404);
        let closed = json!({ "keyId": "key_123", "more": 1 });
        assert_eq!(server.post("keys.getKey", closed).await.status, 400);
        let text = server.send("keys.getKey", "{".to_owned(), &[]).await;
        assert_eq!(text.status, 400);
    })
    .await;
}

#[tokio::test]
async fn whoever_asks_must_be_known() {
    on_both(async |server: &Server| {
        let body = json!({ "keyId": "key_123", "expiration": 0 }).to_string();
        for (header, status, kind) in [
            (None, 400, "invalid_input"),
            (Some(""), 400, "invalid_input"),
            (Some("Basic abc"), 400, "malformed"),
            (Some("Bearer"), 400, "malformed"),
            (Some("Bearer nobody"), 401, "key_not_found"),
        ] {
            let headers: Vec<_> = header.map(|it| ("authorization", it)).into_iter().collect();
            let refused = server.send("keys.rerollKey", body.clone(), &headers).await;
            assert_eq!(
                (refused.status, refused.kind()),
                (status, kind),
                "{header:?}"
            );
        }
        let spaces = format!("Bearer    {}  ", server.root);
        let known = server
            .send("keys.rerollKey", body, &[("authorization", &spaces)])
            .await;
        assert_eq!(known.status, 404);
        assert!(known.detail().contains("The specified key was not found"));
    })
    .await;
}

#[tokio::test]
async fn an_ordinary_key_is_no_root_key() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        let body = json!({ "keyId": id, "expiration": 0 });
        let refused = server.post_as(&key, "keys.rerollKey", body, &[]).await;
        assert_eq!((refused.status, refused.kind()), (401, "key_not_found"));
    })
    .await;
}

#[tokio::test]
async fn rerolling_needs_the_permission_to_create() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, _) = server.key(&api, json!({})).await;
        let workspace = server.service.store().workspaces().await.unwrap().remove(0);
        let key_space = server
            .service
            .store()
            .api(&workspace.id, &api)
            .await
            .unwrap()
            .key_space;
        let on_space = format!("unkey:v1:{}:keyspaces/{key_space}#create_key", workspace.id);
        let on_api = format!("api.{api}.create_key");
        for (permission, status) in [
            ("api.*.read_key", 403),
            ("api.api_other.create_key", 403),
            (on_api.as_str(), 200),
            ("api.*.create_key", 409),
            (on_space.as_str(), 409),
        ] {
            let root = server.root_with(&[permission]).await;
            let body = json!({ "keyId": id, "expiration": 60_000 });
            let answer = server.post_as(&root, "keys.rerollKey", body, &[]).await;
            assert_eq!(answer.status, status, "{permission}: {}", answer.detail());
        }
    })
    .await;
}

#[tokio::test]
async fn an_error_is_a_problem_for_whoever_takes_one() {
    on_both(async |server: &Server| {
        let root = server.root.clone();
        for (accept, expected) in [
            ("application/json", "application/json"),
            ("*/*", "application/problem+json"),
            ("text/html, application/*;q=0.5", "application/problem+json"),
        ] {
            let body = json!({ "keyId": "key_123" });
            let headers = [("accept", accept)];
            let missing = server.post_as(&root, "keys.getKey", body, &headers).await;
            assert_eq!(missing.content_type, expected, "{accept}");
        }
    })
    .await;
}

#[tokio::test]
async fn no_answer_to_a_broken_body_repeats_a_secret() {
    on_both(async |server: &Server| {
        let body =
            json!({ "key": "sk_live_precious", "permissions": 7, "precious": "sk_live_precious" });
        let refused = server.post("keys.verifyKey", body).await;
        assert_eq!(refused.status, 400);
        assert!(
            !refused.body.to_string().contains("sk_live_precious"),
            "{:#}",
            refused.body
        );
    })
    .await;
}

#[tokio::test]
async fn the_character_nul_is_refused_wherever_it_is() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for (operation, body) in [
            ("apis.createApi", json!({ "name": "or\0ders" })),
            ("keys.createKey", json!({ "apiId": api, "name": "\0" })),
            (
                "keys.createKey",
                json!({ "apiId": api, "meta": { "a": [1, "\0"] } }),
            ),
            (
                "keys.createKey",
                json!({ "apiId": api, "meta": { "a\0": 1 } }),
            ),
            ("keys.verifyKey", json!({ "key": "\0" })),
            ("keys.verifyKey", json!({ "key": "k", "tags": ["a\0b"] })),
            ("identities.getIdentity", json!({ "identity": "\0" })),
            ("identities.listIdentities", json!({ "search": "\0" })),
            (
                "permissions.createRole",
                json!({ "name": "r", "description": "\0" }),
            ),
            (
                "analytics.getVerifications",
                json!({ "query": "SELECT \0" }),
            ),
        ] {
            let refused = server.post(operation, body.clone()).await;
            let told = (refused.status, refused.kind());
            assert_eq!(told, (400, "invalid_input"), "{operation} {body}");
            let errors = refused.body["error"]["errors"].to_string();
            assert!(errors.contains("NUL"), "{operation} {errors}");
        }
        // A backslash and some digits are no such character.
        let name = json!({ "name": r"or\u0000ders" });
        server.post("apis.createApi", name).await.data();
    })
    .await;
}
