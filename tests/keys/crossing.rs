//! Requests that cross: what one deletes the other needs. Whichever comes first, both are answered,
//! and nothing is left that should be gone.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both, text};

/// How often each pair is tried.
const ROUNDS: usize = 12;

/// Sends two requests at once. Neither may be answered in another way than with these statuses.
async fn cross(
    server: &Server,
    deletion: (&str, Value),
    other: (&str, Value),
    statuses: &[u16],
) -> Answer {
    let (deleted, answer) = tokio::join!(
        server.post(deletion.0, deletion.1),
        server.post(other.0, other.1),
    );
    assert_eq!(deleted.status, 200, "{}: {}", deletion.0, deleted.detail());
    let is_fine = statuses.contains(&answer.status);
    assert!(is_fine, "{}: {:#}", other.0, answer.body);
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_identity_is_deleted_while_keys_are_issued_to_it() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for round in 0..ROUNDS {
            let who = format!("acme-{round}");
            let with = json!({ "externalId": who });
            let (id, _) = server.key(&api, with).await;
            let delete = ("identities.deleteIdentity", json!({ "identity": who }));
            let other = match round % 3 {
                0 => ("keys.createKey", json!({ "apiId": api, "externalId": who })),
                1 => ("keys.updateKey", json!({ "keyId": id, "externalId": who })),
                _ => (
                    "keys.rerollKey",
                    json!({ "keyId": id, "expiration": 60_000 }),
                ),
            };
            cross(server, delete, other, &[200]).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_permission_is_deleted_while_it_is_given() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for round in 0..ROUNDS {
            let slug = format!("docs.{round}");
            let (id, _) = server.key(&api, json!({ "permissions": [slug] })).await;
            let delete = (
                "permissions.deletePermission",
                json!({ "permission": slug }),
            );
            let other = match round % 3 {
                0 => (
                    "keys.createKey",
                    json!({ "apiId": api, "permissions": [slug] }),
                ),
                1 => (
                    "keys.addPermissions",
                    json!({ "keyId": id, "permissions": [slug] }),
                ),
                _ => (
                    "keys.rerollKey",
                    json!({ "keyId": id, "expiration": 60_000 }),
                ),
            };
            cross(server, delete, other, &[200]).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_role_is_deleted_while_it_is_given() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for round in 0..ROUNDS {
            let role = format!("reader-{round}");
            let make = json!({ "name": role, "permissions": ["docs.read"] });
            server.post("permissions.createRole", make).await.data();
            let (id, _) = server.key(&api, json!({ "roles": [role] })).await;
            let delete = ("permissions.deleteRole", json!({ "role": role }));
            let (other, statuses): (_, &[u16]) = match round % 3 {
                0 => {
                    let with = json!({ "apiId": api, "roles": [role] });
                    (("keys.createKey", with), &[200, 404])
                }
                1 => {
                    let with = json!({ "keyId": id, "roles": [role] });
                    (("keys.addRoles", with), &[200, 404])
                }
                _ => {
                    let with = json!({ "keyId": id, "expiration": 60_000 });
                    (("keys.rerollKey", with), &[200])
                }
            };
            cross(server, delete, other, statuses).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_key_outlives_its_api() {
    on_both(async |server: &Server| {
        for round in 0..ROUNDS {
            let api = server.api().await;
            let (id, _) = server.key(&api, json!({})).await;
            let delete = ("apis.deleteApi", json!({ "apiId": api }));
            let other = match round % 2 {
                0 => ("keys.createKey", json!({ "apiId": api })),
                _ => ("keys.rerollKey", json!({ "keyId": id, "expiration": null })),
            };
            let answer = cross(server, delete, other, &[200, 404]).await;
            if answer.status == 200 {
                let made = text(&answer.data()["key"]);
                assert_eq!(server.verify(&made).await, "NOT_FOUND");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_two_delete_at_once_is_deleted_once() {
    on_both(async |server: &Server| {
        for round in 0..ROUNDS {
            let who = json!(format!("acme-{round}"));
            let make = [
                ("identities.createIdentity", json!({ "externalId": who })),
                (
                    "permissions.createPermission",
                    json!({ "name": who, "slug": who }),
                ),
                ("permissions.createRole", json!({ "name": who })),
            ];
            for (operation, body) in make {
                server.post(operation, body).await.data();
            }
            for (operation, name) in [
                ("identities.deleteIdentity", "identity"),
                ("permissions.deletePermission", "permission"),
                ("permissions.deleteRole", "role"),
            ] {
                let delete = || server.post(operation, json!({ name: who }));
                let (one, other) = tokio::join!(delete(), delete());
                let mut statuses = [one.status, other.status];
                statuses.sort_unstable();
                assert_eq!(statuses, [200, 404], "{operation}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn permissions_are_made_in_one_order() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for round in 0..ROUNDS {
            let slugs = (0..40).map(|number| format!("docs.{round}.{number}"));
            let slugs: Vec<_> = slugs.collect();
            let turned: Vec<_> = slugs.iter().rev().collect();
            let create = |slugs: Value| {
                let body = json!({ "apiId": api, "permissions": slugs });
                server.post("keys.createKey", body)
            };
            let (one, other) = tokio::join!(create(json!(slugs)), create(json!(turned)));
            for made in [one.data(), other.data()] {
                let shown = server.get(&text(&made["keyId"])).await;
                assert_eq!(shown["permissions"].as_array().unwrap().len(), 40);
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reroll_that_waits_for_a_key_sees_the_credits_that_it_was_given_meanwhile() {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _, Row as _};
    on_both(async |server: &Server| {
        // A file has one writer, and nobody waits for a row of it.
        let Some(url) = &server.url else {
            return;
        };
        let (id, _) = server.key(&server.api().await, json!({})).await;
        let mut other = sqlx::PgConnection::connect(url).await.unwrap();
        let gives = format!(
            "BEGIN; INSERT INTO pools (id, remaining, refilled_at) VALUES ('pool_x', 5, 0); \
             UPDATE keys SET pool_id = 'pool_x' WHERE id = '{id}'"
        );
        other.execute(AssertSqlSafe(gives)).await.unwrap();
        let commits = async {
            let mut third = sqlx::PgConnection::connect(url).await.unwrap();
            let waiting = "SELECT count(*) FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock'";
            while third.fetch_one(waiting).await.unwrap().get::<i64, _>(0) == 0 {
                server
                    .clock
                    .sleep(std::time::Duration::from_millis(5))
                    .await;
            }
            other.execute("COMMIT").await.unwrap();
        };
        let (rerolled, ()) = tokio::join!(server.reroll(&id, json!(60_000)), commits);
        let new = server.get(&rerolled.0).await;
        assert_eq!(new["credits"]["remaining"], json!(5), "{new:#}");
    })
    .await;
}
