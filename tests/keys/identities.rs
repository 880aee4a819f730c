//! Identities: customers who have several keys.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both, text};

async fn create(server: &Server, body: Value) -> Answer {
    server.post("identities.createIdentity", body).await
}

async fn get(server: &Server, which: &str) -> Answer {
    let body = json!({ "identity": which });
    server.post("identities.getIdentity", body).await
}

fn limit(limit: i64) -> Value {
    json!({ "name": "requests", "limit": limit, "duration": 3_600_000, "autoApply": true })
}

#[tokio::test]
async fn an_identity_is_found_by_either_name() {
    on_both(async |server: &Server| {
        let full =
            json!({ "externalId": "acme", "meta": { "plan": "pro" }, "ratelimits": [limit(5)] });
        let id = text(&create(server, full).await.data()["identityId"]);
        assert!(id.starts_with("id_"));
        let shown = get(server, &id).await.data();
        assert_eq!(shown, get(server, "acme").await.data());
        assert_eq!(
            (&shown["id"], &shown["externalId"]),
            (&json!(id), &json!("acme"))
        );
        assert_eq!(shown["meta"], json!({ "plan": "pro" }));
        assert_eq!(shown["ratelimits"][0]["limit"], 5);
        assert!(text(&shown["ratelimits"][0]["id"]).starts_with("rl_"));
        // Whoever calls a customer by the id of another does not hide the other.
        let other = text(&create(server, json!({ "externalId": id })).await.data()["identityId"]);
        assert_eq!(get(server, &id).await.data()["externalId"], "acme");
        let bare = get(server, &other).await.data();
        assert_eq!(
            bare,
            json!({ "id": other, "externalId": id }),
            "what is empty is left out"
        );
    })
    .await;
}

#[tokio::test]
async fn there_is_one_of_each_name() {
    on_both(async |server: &Server| {
        // This schema is an open one.
        create(server, json!({ "externalId": "acme", "more": 1 }))
            .await
            .data();
        let twice = create(server, json!({ "externalId": "acme" })).await;
        assert_eq!(
            (twice.status, twice.kind()),
            (409, "identity_already_exists")
        );
        assert_eq!(twice.body["error"]["title"], "Conflicting Resource");
        // One that a key brought with it counts too.
        let api = server.api().await;
        server.key(&api, json!({ "externalId": "other" })).await;
        assert_eq!(
            create(server, json!({ "externalId": "other" }))
                .await
                .status,
            409
        );
        for body in [
            json!({}),
            json!({ "externalId": "" }),
            json!({ "externalId": "a b" }),
            json!({ "externalId": "a", "meta": [] }),
            json!({ "externalId": "a", "ratelimits": [limit(0)] }),
            json!({ "externalId": "a", "ratelimits": [limit(1), limit(2)] }),
        ] {
            assert_eq!(create(server, body.clone()).await.status, 400, "{body}");
        }
        let missing = get(server, "nobody").await;
        assert_eq!(
            (missing.status, missing.kind()),
            (404, "identity_not_found")
        );
    })
    .await;
}

#[tokio::test]
async fn identities_are_listed_in_pages_and_searched() {
    on_both(async |server: &Server| {
        let mut ids = Vec::new();
        for name in ["acme-1", "Acme-2", "acme_3", "zebra"] {
            let body = json!({ "externalId": name, "ratelimits": [limit(1)] });
            ids.push(text(&create(server, body).await.data()["identityId"]));
        }
        ids.sort();
        let list = async |body: Value| {
            let answer = server.post("identities.listIdentities", body).await;
            (answer.body["pagination"].clone(), answer.data())
        };
        let (end, all) = list(json!({})).await;
        assert_eq!(end, json!({ "hasMore": false }));
        let listed: Vec<_> = all
            .as_array()
            .unwrap()
            .iter()
            .map(|it| text(&it["id"]))
            .collect();
        assert_eq!(listed, ids);
        for shown in all.as_array().unwrap() {
            assert_eq!(shown, &get(server, &text(&shown["id"])).await.data());
        }
        let (next, first) = list(json!({ "limit": 3 })).await;
        assert_eq!(next, json!({ "cursor": ids[3], "hasMore": true }));
        assert_eq!(first.as_array().unwrap().len(), 3);
        let (end, last) = list(json!({ "limit": 3, "cursor": next["cursor"] })).await;
        assert_eq!(
            (&last[0]["id"], end),
            (&json!(ids[3]), json!({ "hasMore": false }))
        );
        let found = async |search: &str| {
            let (_, found) = list(json!({ "search": search })).await;
            let names = found
                .as_array()
                .unwrap()
                .iter()
                .map(|it| text(&it["externalId"]));
            let mut names: Vec<_> = names.collect();
            names.sort();
            names
        };
        assert_eq!(found("ACME-").await, ["Acme-2", "acme-1"]);
        assert_eq!(
            found("e_3").await,
            ["acme_3"],
            "an underscore is no wildcard"
        );
        assert_eq!(found("%").await, [""; 0]);
        assert_eq!(
            list(json!({ "limit": 3, "search": "me" }))
                .await
                .1
                .as_array()
                .unwrap()
                .len(),
            3
        );
    })
    .await;
}

#[tokio::test]
async fn changed_limits_hold_for_all_its_keys_at_once() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        server.wait_for_half_past();
        let with = json!({ "externalId": "acme" });
        let (_, one) = server.key(&api, with.clone()).await;
        let (_, other) = server.key(&api, with).await;
        assert_eq!(server.verify(&one).await, "VALID");
        assert_eq!(server.verify(&other).await, "VALID");
        let update = async |mut body: Value| {
            body["identity"] = json!("acme");
            server.post("identities.updateIdentity", body).await.data()
        };
        let shown = update(json!({ "ratelimits": [limit(1)], "meta": { "a": 1 } })).await;
        assert_eq!(shown, get(server, "acme").await.data());
        assert_eq!(server.verify(&one).await, "VALID");
        assert_eq!(server.verify(&other).await, "RATE_LIMITED", "they share it");
        let raised = update(json!({ "ratelimits": [limit(2)] })).await;
        assert_eq!(raised["ratelimits"][0]["id"], shown["ratelimits"][0]["id"]);
        assert_eq!(raised["meta"], json!({ "a": 1 }), "what is left out stays");
        assert_eq!(server.verify(&other).await, "VALID");
        assert_eq!(server.verify(&one).await, "RATE_LIMITED", "it counts on");
        let longer =
            json!({ "name": "requests", "limit": 2, "duration": 120_000, "autoApply": true });
        update(json!({ "ratelimits": [longer] })).await;
        assert_eq!(server.verify(&one).await, "VALID", "another span of time");
        let none = update(json!({ "ratelimits": [], "meta": {} })).await;
        assert_eq!(none, json!({ "id": shown["id"], "externalId": "acme" }));
        let verified = server
            .post("keys.verifyKey", json!({ "key": one }))
            .await
            .data();
        assert_eq!(verified["code"], "VALID");
        assert_eq!(verified["identity"], none);
    })
    .await;
}

#[tokio::test]
async fn keys_outlive_their_identity() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        server.wait_for_half_past();
        create(
            server,
            json!({ "externalId": "acme", "ratelimits": [limit(1)] }),
        )
        .await
        .data();
        let (id, key) = server.key(&api, json!({ "externalId": "acme" })).await;
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "RATE_LIMITED");
        let body = json!({ "identity": "acme" });
        let deleted = server.post("identities.deleteIdentity", body.clone()).await;
        let parts: Vec<_> = deleted.body.as_object().unwrap().keys().cloned().collect();
        assert_eq!((deleted.status, parts), (200, vec!["meta".to_owned()]));
        assert_eq!(server.verify(&key).await, "VALID");
        assert!(server.get(&id).await.get("identity").is_none());
        let gone = server.post("identities.deleteIdentity", body).await;
        assert_eq!((gone.status, gone.kind()), (404, "identity_not_found"));
        create(server, json!({ "externalId": "acme" })).await.data();
        assert!(
            server.get(&id).await.get("identity").is_none(),
            "it is another one"
        );
    })
    .await;
}

#[tokio::test]
async fn a_grant_may_be_for_one_identity() {
    on_both(async |server: &Server| {
        let made = |name: &str| create(server, json!({ "externalId": name }));
        let one = text(&made("one").await.data()["identityId"]);
        let other = text(&made("other").await.data()["identityId"]);
        for (operation, action) in [
            ("getIdentity", "read_identity"),
            ("updateIdentity", "update_identity"),
            ("deleteIdentity", "delete_identity"),
        ] {
            let operation = format!("identities.{operation}");
            let root = server
                .root_with(&[&format!("identity.{one}.{action}")])
                .await;
            let ask = async |which: &str| {
                let body = json!({ "identity": which });
                server.post_as(&root, &operation, body, &[]).await
            };
            let refused = ask(&other).await;
            assert_eq!(
                (refused.status, refused.kind()),
                (403, "insufficient_permissions")
            );
            assert!(refused.detail().contains(&format!("identity.*.{action}")));
            assert_eq!(ask(&one).await.status, 200, "{operation}");
        }
    })
    .await;
}
