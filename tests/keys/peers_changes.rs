//! Several servers on one PostgreSQL: whatever changes on one, the others know at once.

use serde_json::{Value, json};

use crate::environment::{Server, text};
use crate::peers::{two, until_it_hears};

/// How often each change is tried.
const ROUNDS: usize = 5;

/// Says how a verification that asks for a permission ends.
async fn verify(server: &Server, key: &str) -> String {
    let body = json!({ "key": key, "permissions": "docs.read" });
    text(&server.post("keys.verifyKey", body).await.data()["code"])
}

/// Makes a key that may read by its role, has one customer, and is remembered by both servers.
async fn remembered(one: &Server, other: &Server) -> (String, String, String) {
    until_it_hears(other).await;
    let api = one.api().await;
    let role = json!({ "name": api, "permissions": ["docs.read"] });
    one.post("permissions.createRole", role).await.data();
    let with = json!({ "roles": [api], "externalId": api });
    let (id, key) = one.key(&api, with).await;
    for server in [one, other, other] {
        assert_eq!(verify(server, &key).await, "VALID");
    }
    (api, id, key)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_taken_away_on_one_server_is_gone_on_the_other() {
    let Some((one, other)) = two().await else {
        return;
    };
    let lacks = "INSUFFICIENT_PERMISSIONS";
    for (operation, code) in [
        ("keys.deleteKey", "NOT_FOUND"),
        ("apis.deleteApi", "NOT_FOUND"),
        ("keys.updateKey", "DISABLED"),
        ("keys.setRoles", lacks),
        ("keys.removeRoles", lacks),
        ("permissions.setRolePermissions", lacks),
        ("permissions.deleteRole", lacks),
    ] {
        for _ in 0..ROUNDS {
            let (api, id, key) = remembered(&one, &other).await;
            let body = match operation {
                "keys.deleteKey" => json!({ "keyId": id }),
                "apis.deleteApi" => json!({ "apiId": api }),
                "keys.updateKey" => json!({ "keyId": id, "enabled": false }),
                "keys.setRoles" => json!({ "keyId": id, "roles": [] }),
                "keys.removeRoles" => json!({ "keyId": id, "roles": [api] }),
                "permissions.setRolePermissions" => json!({ "roleId": api, "permissions": [] }),
                _ => json!({ "role": api }),
            };
            one.post(operation, body).await.data();
            assert_eq!(verify(&other, &key).await, code, "{operation}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn direct_permissions_and_permissions_themselves_go_on_both() {
    let Some((one, other)) = two().await else {
        return;
    };
    for _ in 0..ROUNDS {
        for operation in [
            "keys.removePermissions",
            "keys.setPermissions",
            "permissions.deletePermission",
        ] {
            until_it_hears(&other).await;
            let api = one.api().await;
            let (id, key) = one.key(&api, json!({})).await;
            assert_eq!(verify(&other, &key).await, "INSUFFICIENT_PERMISSIONS");
            let given = json!({ "keyId": id, "permissions": ["docs.read"] });
            one.post("keys.addPermissions", given.clone()).await.data();
            assert_eq!(
                verify(&other, &key).await,
                "VALID",
                "what is given is known too"
            );
            let body = match operation {
                "keys.removePermissions" => given,
                "keys.setPermissions" => json!({ "keyId": id, "permissions": [] }),
                _ => json!({ "permission": "docs.read" }),
            };
            one.post(operation, body).await.data();
            let code = verify(&other, &key).await;
            assert_eq!(code, "INSUFFICIENT_PERMISSIONS", "{operation}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_becomes_of_an_identity_is_known_on_both() {
    let Some((one, other)) = two().await else {
        return;
    };
    let identity = async |key: &str| -> Value {
        let body = json!({ "key": key });
        let verified = other.post("keys.verifyKey", body).await.data();
        verified.get("identity").cloned().unwrap_or_default()
    };
    for _ in 0..ROUNDS {
        let (api, _, key) = remembered(&one, &other).await;
        assert_eq!(identity(&key).await["externalId"], json!(api));
        let limit = json!({ "name": "calls", "limit": 9, "duration": 60_000 });
        let body = json!({ "identity": api, "meta": { "plan": "pro" }, "ratelimits": [limit] });
        one.post("identities.updateIdentity", body).await.data();
        let shown = identity(&key).await;
        assert_eq!(shown["meta"], json!({ "plan": "pro" }));
        assert_eq!(shown["ratelimits"][0]["limit"], 9);
        let body = json!({ "identity": api });
        let deleted = one.post("identities.deleteIdentity", body).await;
        assert_eq!(deleted.status, 200);
        assert_eq!(identity(&key).await, Value::Null);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rotation_ends_on_both_servers_at_once() {
    let Some((one, other)) = two().await else {
        return;
    };
    for _ in 0..ROUNDS {
        for (operation, old_code, new_code) in [
            ("keys.finishRotation", "EXPIRED", "VALID"),
            ("keys.cancelRotation", "VALID", "EXPIRED"),
        ] {
            let (_, id, key) = remembered(&one, &other).await;
            let (_, new_key) = one.reroll(&id, json!(3_600_000)).await;
            for key in [&key, &new_key, &key, &new_key] {
                assert_eq!(verify(&other, key).await, "VALID");
            }
            let body = json!({ "keyId": id });
            one.post(operation, body).await.data();
            let codes = (verify(&other, &key).await, verify(&other, &new_key).await);
            let expected = (old_code.to_owned(), new_code.to_owned());
            assert_eq!(codes, expected, "{operation}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn credits_that_two_servers_spend_are_spent_once() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    let with = json!({ "credits": { "remaining": 50 } });
    let (id, old) = one.key(&api, with).await;
    let (_, new) = one.reroll(&id, json!(3_600_000)).await;
    let spend = async |server: &Server, key: &str| {
        let mut valid = 0;
        for _ in 0..20 {
            match server.verify(key).await.as_str() {
                "VALID" => valid += 1,
                code => assert_eq!(code, "USAGE_EXCEEDED"),
            }
        }
        valid
    };
    // Eighty tries, on two servers, with two keys that have one balance.
    let spent = tokio::join!(
        spend(&one, &old),
        spend(&other, &old),
        spend(&one, &new),
        spend(&other, &new),
    );
    assert_eq!(spent.0 + spent.1 + spent.2 + spent.3, 50);
    assert_eq!(other.get(&id).await["credits"]["remaining"], 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_is_rerolled_on_two_servers_at_once_is_rerolled_once() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    for _ in 0..10 {
        let (id, _) = one.key(&api, json!({})).await;
        let body = json!({ "keyId": id, "expiration": 60_000 });
        let (first, second) = tokio::join!(
            one.post("keys.rerollKey", body.clone()),
            other.post("keys.rerollKey", body.clone()),
        );
        let (made, refused) = if first.status == 200 {
            (first, second)
        } else {
            (second, first)
        };
        assert_eq!(
            (refused.status, refused.kind()),
            (409, "key_already_rerolled")
        );
        let new = text(&made.data()["keyId"]);
        assert!(refused.detail().contains(&new), "{}", refused.detail());
        assert_eq!(other.get(&id).await["successorId"], json!(new));
    }
}
