//! Rerolls of many keys at once: each is what it would have been alone.

use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::environment::{Answer, Server, on_both, text};

/// So many that some of them share a transaction, whatever else goes on.
const MANY: usize = 48;

/// What the `n`th key is made with: some have what others have not.
fn with(n: usize) -> Value {
    let limits: Vec<_> = (0..n % 4)
        .map(|at| json!({ "name": format!("limit-{at}"), "limit": 5 + at, "duration": 60_000 }))
        .collect();
    let mut with = json!({
        "name": format!("key {n}, \"quoted\" and {{braced}}"),
        "prefix": if n.is_multiple_of(2) { format!("p_{n}") } else { "plain".to_owned() },
        "byteLength": 16 + n % 5,
        "ratelimits": limits,
        "permissions": (0..n % 3).map(|at| format!("docs.{at}")).collect::<Vec<_>>(),
        "roles": (0..n % 2).map(|_| "reader").collect::<Vec<_>>(),
        "enabled": !n.is_multiple_of(7),
    });
    if n.is_multiple_of(3) {
        with["meta"] = json!({ "n": n, "text": "a,b{c}\\" });
        with["externalId"] = json!(format!("acme-{}", n % 2));
    }
    if n.is_multiple_of(5) {
        with["credits"] = json!({ "remaining": n });
    }
    with
}

/// For how long the `n`th key goes on, in ms.
fn grace(n: usize) -> usize {
    if n % 4 == 1 { 0 } else { 60_000 + n }
}

/// Rerolls keys at once; the answers are in the keys' order.
async fn reroll_all(server: &Server, keys: &[String]) -> Vec<Answer> {
    let mut asked = JoinSet::new();
    for (at, key) in keys.iter().enumerate() {
        let body = json!({ "keyId": key, "expiration": grace(at) });
        let request = server.request("keys.rerollKey", body);
        asked.spawn(async move { (at, request.await) });
    }
    let mut answers = asked.join_all().await;
    answers.sort_by_key(|(at, _)| *at);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_new_key_has_what_its_own_old_one_had() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let role = json!({ "name": "reader", "permissions": ["docs.read"] });
        server.post("permissions.createRole", role).await.data();
        let (mut keys, mut before) = (Vec::new(), Vec::new());
        for n in 0..MANY {
            let (id, secret) = server.key(&api, with(n)).await;
            before.push((server.get(&id).await, secret));
            keys.push(id);
        }
        let answers = reroll_all(server, &keys).await;
        for (n, ((old, (mut was, secret)), answer)) in
            keys.iter().zip(before).zip(answers).enumerate()
        {
            let made = answer.data();
            let asked = json!({ "keyId": old });
            let rotation = server.post("keys.getRotation", asked).await.data();
            assert_eq!(rotation["successorId"], made["keyId"]);
            let at = |when: &str| rotation[when].as_i64().unwrap();
            let lasts = at("graceEndsAt") - at("rerolledAt");
            assert_eq!(lasts, i64::try_from(grace(n)).unwrap(), "{old}");
            let still = match (grace(n), was["enabled"] == json!(true)) {
                (_, false) => "DISABLED",
                (0, true) => "EXPIRED",
                (_, true) => "VALID",
            };
            assert_eq!(server.verify(&secret).await, still, "{old}");
            let mut is = server.get(&text(&made["keyId"])).await;
            assert_eq!(is["predecessorId"], json!(old));
            // Two windows of one name count together, and are two rows.
            let limits = |key: &mut Value| {
                let limits = key["ratelimits"].as_array_mut();
                let ids = limits.into_iter().flatten().map(|it| it["id"].take());
                ids.map(|id| text(&id)).collect::<Vec<_>>()
            };
            let (new_limits, old_limits) = (limits(&mut is), limits(&mut was));
            assert!(new_limits.iter().all(|id| !old_limits.contains(id)));
            for fresh in ["keyId", "start", "createdAt", "predecessorId"] {
                is[fresh].take();
                was[fresh].take();
            }
            // The balance is one, and the old key has just used some of it.
            if still == "VALID"
                && let Some(left) = was["credits"]["remaining"].as_i64()
            {
                was["credits"]["remaining"] = json!(left - 1);
            }
            assert_eq!(is, was, "{old}");
            let enabled = is["enabled"] == json!(true);
            let verified = server.verify(&text(&made["key"])).await;
            assert_eq!(verified == "VALID", enabled, "{old}: {verified}");
        }
        let store = server.service.store();
        let workspace = store.workspaces().await.unwrap().remove(0).id;
        let lines = store.audit_events(&workspace, None, 10_000).await.unwrap();
        let told = lines.iter().filter(|line| line.event == "key.reroll");
        assert_eq!(told.count(), MANY);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_refused_of_one_is_not_refused_of_the_others() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let mut keys: Vec<String> = Vec::new();
        for n in 0..MANY {
            keys.push(match n % 6 {
                // It is not there.
                1 => format!("key_missing{n}"),
                // It is asked for twice at once.
                2 => keys[n - 2].clone(),
                // It was rerolled before.
                3 => {
                    let (id, _) = server.key(&api, json!({})).await;
                    server.reroll(&id, json!(60_000)).await;
                    id
                }
                _ => server.key(&api, json!({})).await.0,
            });
        }
        let answers = reroll_all(server, &keys).await;
        let mut twice: [usize; 2] = [0, 0];
        for (n, answer) in answers.iter().enumerate() {
            match (n % 6, answer.status) {
                (1, 404) | (3, 409) | (4 | 5, 200) => {}
                (0 | 2, 200) => twice[0] += 1,
                (0 | 2, 409) => twice[1] += 1,
                _ => panic!("{n}: {:#}", answer.body),
            }
        }
        assert_eq!(twice, [MANY / 6, MANY / 6], "one of two is refused");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_key_that_somebody_is_changing_holds_up_nobody_else() {
    use sqlx::{AssertSqlSafe, Connection as _, Executor as _};
    on_both(async |server: &Server| {
        // A file has one writer.
        let Some(url) = &server.url else {
            return;
        };
        let api = server.api().await;
        let mut keys = Vec::new();
        for _ in 0..MANY {
            keys.push(server.key(&api, json!({})).await.0);
        }
        let mut other = sqlx::PgConnection::connect(url).await.unwrap();
        let held = keys.pop().unwrap();
        let holds = format!("BEGIN; UPDATE keys SET name = 'held' WHERE id = '{held}'");
        other.execute(AssertSqlSafe(holds)).await.unwrap();
        let body = json!({ "keyId": held, "expiration": 0 });
        let waiting = tokio::spawn(server.request("keys.rerollKey", body));
        for answer in reroll_all(server, &keys).await {
            answer.data();
        }
        assert!(!waiting.is_finished());
        other.execute("COMMIT").await.unwrap();
        let made = waiting.await.unwrap().data();
        let new = server.get(&text(&made["keyId"])).await;
        assert_eq!(new["name"], json!("held"), "what was changed meanwhile");
    })
    .await;
}
