//! Rate limits in a verification: whose they are, and what the request says of them.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both};

const HOUR: i64 = 3_600_000;

/// A key of a customer, each of whom has a limit called the same.
struct Limited {
    id: String,
    key: String,
}

impl Limited {
    async fn make(server: &Server) -> Self {
        server.wait_for_half_past();
        let api = server.api().await;
        let limit = |limit: i64| json!({ "name": "calls", "limit": limit, "duration": HOUR });
        let only = json!({ "name": "only", "limit": 1, "duration": HOUR });
        let identity = json!({ "externalId": "acme", "ratelimits": [limit(5), only] });
        server
            .post("identities.createIdentity", identity)
            .await
            .data();
        let with = json!({ "externalId": "acme", "ratelimits": [limit(2)] });
        let (id, key) = server.key(&api, with).await;
        Self { id, key }
    }

    async fn ask(&self, server: &Server, more: Value) -> Answer {
        let mut body = more;
        body["key"] = json!(self.key);
        server.post("keys.verifyKey", body).await
    }

    /// Verifies the key, asks for limits, and returns how it ended and how they stand.
    async fn asks(&self, server: &Server, limits: Value) -> (Value, Value) {
        let verified = self
            .ask(server, json!({ "ratelimits": limits }))
            .await
            .data();
        (verified["code"].clone(), verified["ratelimits"].clone())
    }
}

#[tokio::test]
async fn a_limit_of_the_key_comes_before_its_identitys() {
    on_both(async |server: &Server| {
        let limited = Limited::make(server).await;
        let shown = server.get(&limited.id).await;
        for left in [1, 0] {
            let (code, limits) = limited.asks(server, json!([{ "name": "calls" }])).await;
            assert_eq!(code, "VALID");
            assert_eq!(limits.as_array().unwrap().len(), 1, "{limits}");
            assert_eq!(limits[0]["id"], shown["ratelimits"][0]["id"]);
            assert_eq!(
                (&limits[0]["limit"], &limits[0]["remaining"]),
                (&json!(2), &json!(left))
            );
        }
        let (code, _) = limited.asks(server, json!([{ "name": "calls" }])).await;
        assert_eq!(code, "RATE_LIMITED");
        // The identity's own was not counted: another key of theirs has all of it.
        let api = server.api().await;
        let (_, key) = server.key(&api, json!({ "externalId": "acme" })).await;
        let other = Limited {
            id: String::new(),
            key,
        };
        let (code, limits) = other.asks(server, json!([{ "name": "calls" }])).await;
        assert_eq!((code, &limits[0]["remaining"]), (json!("VALID"), &json!(4)));
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_does_not_always_apply_is_asked_for() {
    on_both(async |server: &Server| {
        let limited = Limited::make(server).await;
        for _ in 0..3 {
            let (code, limits) = limited.asks(server, json!([])).await;
            assert_eq!((code, limits), (json!("VALID"), Value::Null));
        }
        let only = json!([{ "name": "only" }]);
        let (code, limits) = limited.asks(server, only.clone()).await;
        assert_eq!(
            (code, &limits[0]["autoApply"]),
            (json!("VALID"), &json!(false))
        );
        assert_eq!(limited.asks(server, only).await.0, "RATE_LIMITED");
        assert_eq!(limited.asks(server, json!([])).await.0, "VALID");
    })
    .await;
}

#[tokio::test]
async fn a_request_says_what_it_costs_and_brings_limits_of_its_own() {
    on_both(async |server: &Server| {
        let limited = Limited::make(server).await;
        let cost = |cost: i64| json!([{ "name": "calls", "cost": cost }]);
        let (code, limits) = limited.asks(server, cost(3)).await;
        assert_eq!(
            (code, &limits[0]["remaining"]),
            (json!("RATE_LIMITED"), &json!(2))
        );
        assert_eq!(limited.asks(server, cost(2)).await.0, "VALID");
        assert_eq!(
            limited.asks(server, cost(0)).await.0,
            "VALID",
            "0 only asks"
        );
        assert_eq!(limited.asks(server, cost(1)).await.0, "RATE_LIMITED");
        // More of a limit that there is, for this once.
        let more = json!([{ "name": "calls", "limit": 3 }]);
        let (code, limits) = limited.asks(server, more).await;
        assert_eq!((code, &limits[0]["limit"]), (json!("VALID"), &json!(3)));
        let custom = json!([{ "name": "custom", "limit": 1, "duration": HOUR }]);
        let (code, limits) = limited.asks(server, custom.clone()).await;
        assert_eq!(code, "VALID");
        let told = json!([{
            "exceeded": false, "id": "", "name": "custom", "limit": 1, "duration": HOUR,
            "remaining": 0, "autoApply": false, "reset": (server.now() / HOUR + 1) * HOUR,
        }]);
        assert_eq!(limits, told);
        assert_eq!(limited.asks(server, custom).await.0, "RATE_LIMITED");
        for unknown in [
            json!([{ "name": "unknown" }]),
            json!([{ "name": "unknown", "limit": 1 }]),
        ] {
            let refused = limited.ask(server, json!({ "ratelimits": unknown })).await;
            let told = (refused.status, refused.kind());
            assert_eq!(told, (412, "precondition_failed"), "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn of_several_limits_all_are_counted_or_none() {
    on_both(async |server: &Server| {
        let limited = Limited::make(server).await;
        let both = json!([{ "name": "calls" }, { "name": "only" }]);
        assert_eq!(limited.asks(server, both.clone()).await.0, "VALID");
        let (code, limits) = limited.asks(server, both).await;
        assert_eq!(code, "RATE_LIMITED");
        let exceeded = limits.as_array().unwrap().iter();
        let exceeded = exceeded.filter(|limit| limit["exceeded"] == true);
        assert_eq!(exceeded.count(), 1);
        let (code, limits) = limited.asks(server, json!([{ "name": "calls" }])).await;
        assert_eq!((code, &limits[0]["remaining"]), (json!("VALID"), &json!(0)));
    })
    .await;
}

#[tokio::test]
async fn only_keys_of_the_sets_that_are_named_are_found() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (_, key) = server.key(&api, json!({})).await;
        let key = Limited {
            id: String::new(),
            key,
        };
        let store = server.service.store();
        let workspace = store.workspaces().await.unwrap().remove(0);
        let space = store.api(&workspace.id, &api).await.unwrap().key_space;
        for (spaces, code) in [
            (json!([]), "VALID"),
            (json!([space]), "VALID"),
            (json!(["ks_other", space]), "VALID"),
            (json!(["ks_other"]), "NOT_FOUND"),
        ] {
            let body = json!({ "keyspaces": spaces, "migrationId": "m_1" });
            let verified = key.ask(server, body).await.data();
            assert_eq!(verified["code"], code, "{spaces}");
            assert_eq!(verified.get("keyId").is_some(), code == "VALID");
        }
    })
    .await;
}
