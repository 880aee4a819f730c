//! Several servers on one PostgreSQL: what one revokes, the others refuse at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::environment::{Server, execute};

/// Cuts the connections on which servers listen.
const CUT: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";

/// Starts a server on PostgreSQL, or says why not.
pub async fn one() -> Option<Server> {
    let Ok(url) = std::env::var("CONVOX_TEST_DATABASE_URL") else {
        eprintln!("skipped: `.ci/postgres cargo test --test keys` runs it");
        return None;
    };
    Some(Server::on_postgres(&url).await)
}

/// Starts two servers on one database, or says why not.
pub async fn two() -> Option<(Server, Server)> {
    let one = one().await?;
    let other = one.beside().await;
    Some((one, other))
}

/// Waits until a server hears what others change, so that it remembers.
pub async fn until_it_hears(server: &Server) {
    while !server.service.store().may_remember() {
        tokio::task::yield_now().await;
    }
}

/// Verifies a key until it is refused. Once `is_answered`, no request that begins may succeed.
async fn verify_until_refused(server: &Server, key: &str, is_answered: &AtomicBool) {
    loop {
        let began_after = is_answered.load(Ordering::SeqCst);
        let code = server.verify(key).await;
        if code != "VALID" {
            assert_eq!(code, "EXPIRED");
            return;
        }
        assert!(!began_after, "VALID after the reroll was answered");
    }
}

/// Rerolls a key with 0 on one server while the other verifies it, and while `meanwhile` happens.
async fn reroll_while_others_verify(
    one: &Server,
    other: &Server,
    api: &str,
    meanwhile: impl Future<Output = ()>,
) {
    let (id, key) = one.key(api, json!({})).await;
    assert_eq!(other.verify(&key).await, "VALID");
    let is_answered = AtomicBool::new(false);
    let reroll = async {
        let (_, new) = one.reroll(&id, json!(0)).await;
        is_answered.store(true, Ordering::SeqCst);
        assert_eq!(other.verify(&new).await, "VALID");
    };
    tokio::join!(
        meanwhile,
        verify_until_refused(other, &key, &is_answered),
        verify_until_refused(other, &key, &is_answered),
        verify_until_refused(one, &key, &is_answered),
        reroll,
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_server_revokes_the_other_refuses_at_once() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    for _ in 0..50 {
        reroll_while_others_verify(&one, &other, &api, async {}).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_one_server_revokes_together_the_other_refuses_at_once() {
    /// So many that some of them share a transaction.
    const MANY: usize = 24;
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    for _ in 0..5 {
        let mut keys = Vec::new();
        for _ in 0..MANY {
            let (id, key) = one.key(&api, json!({})).await;
            assert_eq!(other.verify(&key).await, "VALID");
            keys.push((id, key, AtomicBool::new(false)));
        }
        let each = keys.iter().map(|(id, key, is_answered)| async {
            let reroll = async {
                let (_, new) = one.reroll(id, json!(0)).await;
                is_answered.store(true, Ordering::SeqCst);
                assert_eq!(other.verify(&new).await, "VALID");
            };
            tokio::join!(reroll, verify_until_refused(&other, key, is_answered));
        });
        futures_util::future::join_all(each).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_cannot_listen_believes_nothing_old() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    let url = one.url.clone().unwrap();
    for round in 0..12 {
        until_it_hears(&other).await;
        // Before, in the middle and after: the pauses only vary what happens.
        let cut = async {
            one.clock.sleep(Duration::from_millis(round * 2)).await;
            execute(&url, CUT).await;
            one.clock.sleep(Duration::from_millis(7)).await;
            execute(&url, CUT).await;
        };
        reroll_while_others_verify(&one, &other, &api, cut).await;
    }
    // It listens again in the end.
    until_it_hears(&other).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_looked_up_while_nobody_listened_is_not_believed() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    let url = one.url.clone().unwrap();
    for _ in 0..6 {
        let (id, key) = one.key(&api, json!({})).await;
        until_it_hears(&other).await;
        // Looked up again and again while the connection is cut and made anew.
        let (code, new) = {
            let is_done = AtomicBool::new(false);
            let looking = async {
                while !is_done.load(Ordering::SeqCst) {
                    other.verify(&key).await;
                }
            };
            let cutting = async {
                execute(&url, CUT).await;
                let (_, new) = one.reroll(&id, json!(0)).await;
                until_it_hears(&other).await;
                is_done.store(true, Ordering::SeqCst);
                new
            };
            let ((), new) = tokio::join!(looking, cutting);
            (other.verify(&key).await, new)
        };
        assert_eq!(code, "EXPIRED");
        assert_eq!(other.verify(&new).await, "VALID");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_is_killed_holds_nobody_up_for_longer_than_its_lease() {
    let Some(one) = one().await else { return };
    let api = one.api().await;
    let one = Arc::new(one);
    // A server on threads of its own, all of which end at once.
    let killed = tokio::runtime::Runtime::new().unwrap();
    let beside = Arc::clone(&one);
    let (id, key) = one.key(&api, json!({})).await;
    let remembered = key.clone();
    killed
        .spawn(async move {
            let other = beside.beside().await;
            until_it_hears(&other).await;
            assert_eq!(other.verify(&remembered).await, "VALID");
            // Not let go of as a server that stops would be.
            std::mem::forget(other);
        })
        .await
        .unwrap();
    killed.shutdown_background();
    // The answer comes, though nobody else hears of it, and not before the lease is over.
    one.reroll(&id, json!(0)).await;
    assert_eq!(one.verify(&key).await, "EXPIRED");
    assert_eq!(others_with_a_lease(&one).await, 0);
}

/// Counts the servers besides one that may still remember something.
async fn others_with_a_lease(server: &Server) -> i64 {
    use sqlx::{Connection as _, Row as _};
    let url = server.url.as_deref().unwrap();
    let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
    let living = "SELECT count(*) FROM servers \
                  WHERE lease_until > extract(epoch FROM clock_timestamp()) * 1000";
    let row = sqlx::query(living)
        .fetch_one(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    row.get::<i64, _>(0) - i64::from(server.service.store().may_remember())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_clock_that_is_behind_revives_nobody() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    one.wait(Duration::from_mins(10));
    let (id, key) = one.key(&api, json!({})).await;
    assert_eq!(other.verify(&key).await, "VALID");
    one.reroll(&id, json!(0)).await;
    assert_eq!(other.verify(&key).await, "EXPIRED");
    let again = json!({ "keyId": id, "expiration": 60_000 });
    let reroll = other.post("keys.rerollKey", again).await;
    assert_eq!((reroll.status, reroll.kind()), (409, "key_expired"));
    let which = json!({ "keyId": id });
    let cancel = other.post("keys.cancelRotation", which.clone()).await;
    assert_eq!((cancel.status, cancel.kind()), (409, "key_expired"));
    let shown = other.post("keys.getRotation", which).await.data();
    assert_eq!(shown["active"], false);
    // To end what has ended already changes nothing.
    let which = json!({ "keyId": id });
    other.post("keys.finishRotation", which).await.data();
    assert_eq!(one.verify(&key).await, "EXPIRED");
    assert_eq!(other.verify(&key).await, "EXPIRED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_grace_period_that_one_server_ends_has_ended_for_all() {
    let Some((one, other)) = two().await else {
        return;
    };
    let api = one.api().await;
    one.wait(Duration::from_mins(10));
    for (ends, watches) in [(&one, &other), (&other, &one)] {
        let (id, key) = one.key(&api, json!({})).await;
        one.reroll(&id, json!(3_600_000)).await;
        assert_eq!(watches.verify(&key).await, "VALID");
        let which = json!({ "keyId": id });
        ends.post("keys.finishRotation", which.clone()).await.data();
        assert_eq!(watches.verify(&key).await, "EXPIRED");
        assert_eq!(ends.verify(&key).await, "EXPIRED");
        for server in [&one, &other] {
            let cancel = server.post("keys.cancelRotation", which.clone()).await;
            assert_eq!(cancel.status, 409);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_root_key_that_was_rerolled_elsewhere_opens_nothing() {
    let Some((one, other)) = two().await else {
        return;
    };
    let made = json!({ "permissions": ["api.*.create_api"] });
    let made = one.post("rootKeys.createKey", made).await.data();
    let (id, root) = (&made["keyId"], made["key"].as_str().unwrap());
    let body = json!({ "name": "theirs" });
    let asks = async || {
        other
            .post_as(root, "apis.createApi", body.clone(), &[])
            .await
            .status
    };
    assert_eq!(asks().await, 200);
    let reroll = json!({ "keyId": id, "expiration": 0 });
    one.post("rootKeys.rerollKey", reroll).await.data();
    assert_eq!(asks().await, 403);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reroll_that_nobody_waits_for_is_forgotten_like_any_other() {
    let Some((one, _other)) = two().await else {
        return;
    };
    let api = one.api().await;
    let mut done = 0;
    // About as long as a reroll takes here, and now a little more, now a little less.
    let mut patience = Duration::from_millis(1);
    for _ in 0..30 {
        let (id, key) = one.key(&api, json!({})).await;
        assert_eq!(one.verify(&key).await, "VALID");
        tokio::select! {
            _ = one.reroll(&id, json!(0)) => {}
            () = one.clock.sleep(patience) => {}
        }
        if one.get(&id).await.get("successorId").is_some() {
            done += 1;
            patience = patience * 3 / 4;
            // Committed, and about to be forgotten.
            let mut tries = 0;
            while one.verify(&key).await != "EXPIRED" {
                tries += 1;
                assert!(tries < 1000, "remembered for ever");
            }
        } else {
            patience *= 2;
        }
    }
    assert!(done > 0, "no reroll was carried out");
}
