//! What becomes of the keys of a rotation: an old key is never brought back, and what it shares
//! with the one that took its place is that one's.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both};

const HOUR: i64 = 3_600_000;

async fn of_key(server: &Server, operation: &str, id: &str) -> Answer {
    server.post(operation, json!({ "keyId": id })).await
}

async fn update(server: &Server, id: &str, field: &str, value: Value) -> Answer {
    let body = json!({ "keyId": id, field: value });
    server.post("keys.updateKey", body).await
}

/// Makes sure that something was refused with another key's name.
fn refused(answer: &Answer, kind: &str, other: &str) {
    assert_eq!((answer.status, answer.kind()), (409, kind));
    assert!(answer.detail().contains(other), "{}", answer.detail());
}

#[tokio::test]
async fn a_reroll_is_not_taken_back_once_the_new_key_was_rerolled() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for grace in [0, HOUR] {
            let (first, first_key) = server.key(&api, json!({})).await;
            let (second, _) = server.reroll(&first, json!(HOUR)).await;
            let (third, third_key) = server.reroll(&second, json!(grace)).await;
            let answer = of_key(server, "keys.cancelRotation", &first).await;
            refused(&answer, "key_already_rerolled", &third);
            assert_eq!(server.get(&first).await["successorId"], json!(second));
            assert_eq!(server.verify(&third_key).await, "VALID");
            if grace > 0 {
                // One after the other it can be done.
                for id in [&second, &first] {
                    of_key(server, "keys.cancelRotation", id).await.data();
                }
                assert_eq!(server.verify(&first_key).await, "VALID");
                assert_eq!(server.verify(&third_key).await, "EXPIRED");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_new_key_that_is_gone_still_says_what_came_after_it() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for permanent in [false, true] {
            let (first, first_key) = server.key(&api, json!({})).await;
            let (second, _) = server.reroll(&first, json!(HOUR)).await;
            let (third, _) = server.reroll(&second, json!(HOUR)).await;
            let gone = json!({ "keyId": second, "permanent": permanent });
            server.post("keys.deleteKey", gone).await.data();
            let answer = of_key(server, "keys.cancelRotation", &first).await;
            refused(&answer, "key_already_rerolled", &third);
            let gone = json!({ "keyId": third, "permanent": permanent });
            server.post("keys.deleteKey", gone).await.data();
            if permanent {
                of_key(server, "keys.cancelRotation", &first).await.data();
                assert!(server.get(&first).await.get("expires").is_none());
            }
            assert_eq!(server.verify(&first_key).await, "VALID");
        }
    })
    .await;
}

#[tokio::test]
async fn however_many_new_keys_are_gone_the_one_that_goes_on_is_known() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        // In which order two keys are deleted, and whether for good.
        for (turns, permanent) in [([1, 2], true), ([2, 1], true), ([1, 2], false)] {
            let mut keys = vec![server.key(&api, json!({})).await];
            for last in 0..3 {
                let next = server.reroll(&keys[last].0, json!(HOUR)).await;
                keys.push(next);
            }
            let ids: Vec<_> = keys.iter().map(|(id, _)| id).collect();
            for turn in turns {
                // The first of them for good always: else it says itself what came after it.
                let gone = json!({ "keyId": ids[turn], "permanent": permanent || turn == 1 });
                server.post("keys.deleteKey", gone).await.data();
            }
            let answer = of_key(server, "keys.cancelRotation", ids[0]).await;
            refused(&answer, "key_already_rerolled", ids[3]);
            assert_eq!(server.verify(&keys[3].1).await, "VALID");
            let gone = json!({ "keyId": ids[3] });
            server.post("keys.deleteKey", gone).await.data();
            of_key(server, "keys.cancelRotation", ids[0]).await.data();
            assert_eq!(server.verify(&keys[0].1).await, "VALID");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_reroll_and_its_successors_cross_and_one_of_them_is_done() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for _ in 0..20 {
            let (first, first_key) = server.key(&api, json!({})).await;
            let (second, second_key) = server.reroll(&first, json!(HOUR)).await;
            let body = json!({ "keyId": second, "expiration": HOUR });
            let (undone, rerolled) = tokio::join!(
                of_key(server, "keys.cancelRotation", &first),
                server.post("keys.rerollKey", body),
            );
            let mut statuses = [undone.status, rerolled.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409]);
            let (old, new) = (server.get(&first).await, server.get(&second).await);
            let is_undone = undone.status == 200;
            assert_eq!(old.get("successorId").is_none(), is_undone);
            assert_eq!(new.get("successorId").is_none(), is_undone);
            let code = server.verify(&second_key).await;
            assert_eq!(code == "EXPIRED", is_undone, "{code}");
            assert_eq!(server.verify(&first_key).await, "VALID");
        }
    })
    .await;
}

#[tokio::test]
async fn an_old_key_is_not_brought_back() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let later = json!(server.now() + 1000 * HOUR);
        // Cut at once, finished, and expired when its grace was over.
        for end in ["cut", "finished", "expired"] {
            let (old, old_key) = server.key(&api, json!({})).await;
            let grace = if end == "cut" { 0 } else { HOUR };
            let (new, _) = server.reroll(&old, json!(grace)).await;
            match end {
                "finished" => drop(of_key(server, "keys.finishRotation", &old).await.data()),
                "expired" => server.wait(Duration::from_hours(1)),
                _ => {}
            }
            for value in [Value::Null, later.clone()] {
                let answer = update(server, &old, "expires", value).await;
                refused(&answer, "key_already_rerolled", &new);
            }
            assert_eq!(server.verify(&old_key).await, "EXPIRED", "{end}");
            // What opens nothing may change.
            update(server, &old, "name", json!("old")).await.data();
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_whose_reroll_was_taken_back_is_not_brought_back() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let (new, new_key) = server.reroll(&old, json!(HOUR)).await;
        of_key(server, "keys.cancelRotation", &old).await.data();
        for (field, value) in [("expires", Value::Null), ("credits", Value::Null)] {
            let answer = update(server, &new, field, value).await;
            refused(&answer, "key_expired", &old);
        }
        assert_eq!(server.verify(&new_key).await, "EXPIRED");
    })
    .await;
}

#[tokio::test]
async fn a_grace_period_is_shortened_and_never_lengthened() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let (new, _) = server.reroll(&old, json!(2 * HOUR)).await;
        let ends = server.get(&old).await["expires"].as_i64().unwrap();
        for value in [Value::Null, json!(ends + 1)] {
            let answer = update(server, &old, "expires", value).await;
            refused(&answer, "key_already_rerolled", &new);
        }
        update(server, &old, "expires", json!(ends)).await.data();
        let sooner = ends - HOUR;
        update(server, &old, "expires", json!(sooner)).await.data();
        // What was set meanwhile is not lost when the reroll is taken back.
        of_key(server, "keys.cancelRotation", &old).await.data();
        assert_eq!(server.get(&old).await["expires"], json!(sooner));
        server.wait(Duration::from_hours(1));
        assert_eq!(server.verify(&old_key).await, "EXPIRED");
        // Whole again, it is a key like any other.
        update(server, &old, "expires", Value::Null).await.data();
        assert_eq!(server.verify(&old_key).await, "VALID");
    })
    .await;
}

#[tokio::test]
async fn an_old_key_has_no_say_over_the_balance_of_the_new_one() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let with = json!({ "credits": { "remaining": 2 } });
        let (old, _) = server.key(&api, with).await;
        let (new, new_key) = server.reroll(&old, json!(0)).await;
        for value in [Value::Null, json!({ "remaining": 9 })] {
            let answer = update(server, &old, "credits", value).await;
            refused(&answer, "key_already_rerolled", &new);
        }
        let body = json!({ "keyId": old, "operation": "increment", "value": 9 });
        let answer = server.post("keys.updateCredits", body).await;
        refused(&answer, "key_already_rerolled", &new);
        for code in ["VALID", "VALID", "USAGE_EXCEEDED"] {
            assert_eq!(server.verify(&new_key).await, code);
        }
    })
    .await;
}
