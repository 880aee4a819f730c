//! Changing keys: what is left out, what is null and what is given.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both};

/// A key with something in every place.
fn everything(server: &Server) -> Value {
    json!({
        "name": "main",
        "externalId": "acme",
        "meta": { "plan": "pro" },
        "expires": server.now() + 86_400_000,
        "permissions": ["docs.read"],
        "credits": { "remaining": 100, "refill": { "interval": "monthly", "amount": 100, "refillDay": 3 } },
        "ratelimits": [{ "name": "requests", "limit": 50, "duration": 60_000, "autoApply": true }],
    })
}

/// Changes a key and returns how it is shown then, without the time of the change.
async fn updated(server: &Server, id: &str, mut change: Value) -> Value {
    change["keyId"] = json!(id);
    let done = server.post("keys.updateKey", change).await.data();
    assert_eq!(done, json!({}));
    let mut shown = server.get(id).await;
    let at = shown.as_object_mut().unwrap().remove("updatedAt");
    assert!(at.is_some_and(|at| at.is_i64()), "{shown}");
    shown
}

#[tokio::test]
async fn what_is_left_out_stays() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server.key(&api, everything(server)).await;
        let before = server.get(&id).await;
        assert_eq!(updated(server, &id, json!({})).await, before);
        let mut renamed = before.clone();
        renamed["name"] = json!("other");
        assert_eq!(
            updated(server, &id, json!({ "name": "other" })).await,
            renamed
        );
        assert_eq!(server.verify(&key).await, "VALID");
    })
    .await;
}

#[tokio::test]
async fn null_takes_away() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, _) = server.key(&api, everything(server)).await;
        let nothing = json!({
            "name": null, "externalId": null, "meta": null, "expires": null, "credits": null,
            "ratelimits": [], "permissions": [], "roles": [],
        });
        let shown = updated(server, &id, nothing).await;
        let mut left: Vec<_> = shown.as_object().unwrap().keys().collect();
        left.sort();
        assert_eq!(left, ["createdAt", "enabled", "keyId", "start"]);
    })
    .await;
}

#[tokio::test]
async fn what_is_given_is_set() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let role = json!({ "name": "editor", "permissions": ["docs.write"] });
        server.post("permissions.createRole", role).await.data();
        let (id, _) = server.key(&api, json!({ "permissions": ["old"] })).await;
        let expires = server.now() + 60_000;
        let change = json!({
            "name": "new", "externalId": "acme", "meta": { "a": [1] }, "expires": expires,
            "credits": { "remaining": 7, "refill": { "interval": "daily", "amount": 9 } },
            "ratelimits": [{ "name": "other", "limit": 1, "duration": 1000 }],
            "roles": ["editor"], "permissions": ["docs.read"],
        });
        let mut shown = updated(server, &id, change.clone()).await;
        assert_eq!(shown["identity"]["externalId"], "acme");
        assert!(
            shown["ratelimits"][0]["id"]
                .as_str()
                .unwrap()
                .starts_with("rl_")
        );
        shown["ratelimits"][0].as_object_mut().unwrap().remove("id");
        let limit = json!([{ "name": "other", "limit": 1, "duration": 1000, "autoApply": false }]);
        assert_eq!(shown["ratelimits"], limit);
        for same in ["name", "meta", "expires", "credits", "roles"] {
            assert_eq!(shown[same], change[same], "{same}");
        }
        assert_eq!(shown["permissions"], json!(["docs.read", "docs.write"]));
    })
    .await;
}

#[tokio::test]
async fn the_next_verification_sees_it() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        let past = server.now() - 1;
        for (change, code) in [
            (json!({ "enabled": true }), "VALID"),
            (json!({ "enabled": false }), "DISABLED"),
            (json!({ "enabled": true, "expires": past }), "EXPIRED"),
            (json!({ "expires": null }), "VALID"),
            (json!({ "credits": { "remaining": 0 } }), "USAGE_EXCEEDED"),
            (json!({ "credits": null }), "VALID"),
        ] {
            updated(server, &id, change.clone()).await;
            assert_eq!(server.verify(&key).await, code, "{change}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_does_not_make_sense_changes_nothing() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, _) = server.key(&api, json!({ "name": "kept" })).await;
        let refill = |interval: &str, day: Value| {
            let mut refill = json!({ "interval": interval, "amount": 5 });
            if !day.is_null() {
                refill["refillDay"] = day;
            }
            refill
        };
        let daily = refill("daily", Value::Null);
        for credits in [
            json!({ "remaining": 1, "refill": refill("daily", json!(3)) }),
            json!({ "remaining": 1, "refill": refill("monthly", Value::Null) }),
            json!({ "remaining": 1, "refill": refill("monthly", json!(32)) }),
            json!({ "remaining": null, "refill": daily }),
            json!({ "refill": daily }),
            json!({ "remaining": -1 }),
            json!({ "left": 1 }),
        ] {
            let body = json!({ "keyId": id, "name": "lost", "credits": credits });
            let refused = server.post("keys.updateKey", body).await;
            assert_eq!(
                (refused.status, refused.kind()),
                (400, "invalid_input"),
                "{credits}"
            );
            assert!(
                refused.body["error"]["errors"].is_array(),
                "{:#}",
                refused.body
            );
        }
        let body = json!({ "keyId": id, "name": "lost", "roles": ["nobody"] });
        let refused = server.post("keys.updateKey", body).await;
        assert_eq!((refused.status, refused.kind()), (404, "role_not_found"));
        assert_eq!(refused.detail(), "Role 'nobody' was not found.");
        let shown = server.get(&id).await;
        assert_eq!(shown["name"], "kept");
        assert!(
            shown.get("credits").is_none() && shown.get("updatedAt").is_none(),
            "{shown}"
        );
    })
    .await;
}

#[tokio::test]
async fn parts_of_a_balance_are_changed_alone() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, _) = server.key(&api, everything(server)).await;
        let credits = async |change: Value| {
            let shown = updated(server, &id, json!({ "credits": change })).await;
            shown.get("credits").cloned()
        };
        let monthly = json!({ "interval": "monthly", "amount": 100, "refillDay": 3 });
        let more = credits(json!({ "remaining": 200 })).await.unwrap();
        assert_eq!(more, json!({ "remaining": 200, "refill": monthly }));
        let daily = json!({ "interval": "daily", "amount": 5 });
        let other = credits(json!({ "refill": daily })).await.unwrap();
        assert_eq!(other, json!({ "remaining": 200, "refill": daily }));
        let once = credits(json!({ "refill": null })).await.unwrap();
        assert_eq!(once, json!({ "remaining": 200 }));
        credits(json!({ "refill": daily })).await;
        assert_eq!(credits(json!({ "remaining": null })).await, None);
        let again = credits(json!({ "remaining": 1 })).await.unwrap();
        assert_eq!(
            again,
            json!({ "remaining": 1 }),
            "null took the refill away"
        );
    })
    .await;
}

#[tokio::test]
async fn a_new_refill_is_not_due_for_the_time_before() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, _) = server
            .key(&api, json!({ "credits": { "remaining": 3 } }))
            .await;
        server.wait(Duration::from_hours(72));
        let daily = json!({ "refill": { "interval": "daily", "amount": 50 } });
        let shown = updated(server, &id, json!({ "credits": daily })).await;
        assert_eq!(shown["credits"]["remaining"], 3);
        server.wait(Duration::from_hours(24));
        assert_eq!(server.get(&id).await["credits"]["remaining"], 50);
    })
    .await;
}

#[tokio::test]
async fn a_limit_that_keeps_its_name_counts_on() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let limit = |name: &str, limit: i64| {
            json!([{ "name": name, "limit": limit, "duration": 3_600_000, "autoApply": true }])
        };
        server.wait_for_half_past();
        let with = json!({ "ratelimits": limit("requests", 2) });
        let (id, key) = server.key(&api, with).await;
        for code in ["VALID", "VALID", "RATE_LIMITED"] {
            assert_eq!(server.verify(&key).await, code);
        }
        updated(server, &id, json!({ "ratelimits": limit("requests", 3) })).await;
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "RATE_LIMITED");
        updated(server, &id, json!({ "ratelimits": limit("others", 1) })).await;
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "RATE_LIMITED");
    })
    .await;
}
