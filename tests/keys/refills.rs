//! A balance that fills up again, shared by a key and the one that takes its place.

use std::time::Duration;

use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

const DAY: Duration = Duration::from_hours(24);

/// Verifies a key that costs so many credits, and returns how that ended and what is left.
async fn spend(server: &Server, key: &str, cost: i64) -> (String, Value) {
    let body = json!({ "key": key, "credits": { "cost": cost } });
    let verified = server.post("keys.verifyKey", body).await.data();
    (text(&verified["code"]), verified["credits"].clone())
}

fn ended(code: &str, left: i64) -> (String, Value) {
    (code.to_owned(), json!(left))
}

#[tokio::test]
async fn there_is_one_refill_for_a_pair_and_not_two() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let credits = json!({ "remaining": 2, "refill": { "interval": "daily", "amount": 5 } });
        let (old, old_key) = server.key(&api, json!({ "credits": credits })).await;
        let two_days = i64::try_from(2 * DAY.as_millis()).unwrap();
        let (new, new_key) = server.reroll(&old, json!(two_days)).await;
        assert_eq!(spend(server, &new_key, 2).await, ended("VALID", 0));
        assert_eq!(spend(server, &old_key, 1).await, ended("USAGE_EXCEEDED", 0));
        server.wait(DAY);
        // Five for both together, whoever comes first.
        assert_eq!(spend(server, &old_key, 3).await, ended("VALID", 2));
        assert_eq!(spend(server, &new_key, 2).await, ended("VALID", 0));
        for (id, key) in [(&old, &old_key), (&new, &new_key)] {
            assert_eq!(spend(server, key, 1).await, ended("USAGE_EXCEEDED", 0));
            assert_eq!(server.get(id).await["credits"]["remaining"], 0);
        }
        // The old key has expired, and brings in nothing any more.
        server.wait(DAY);
        assert_eq!(spend(server, &old_key, 1).await, ended("EXPIRED", 5));
        assert_eq!(spend(server, &new_key, 5).await, ended("VALID", 0));
        assert_eq!(spend(server, &old_key, 1).await, ended("EXPIRED", 0));
        assert_eq!(spend(server, &new_key, 1).await, ended("USAGE_EXCEEDED", 0));
    })
    .await;
}

#[tokio::test]
async fn a_reroll_does_not_fill_up_what_was_filled_up_today() {
    on_both(async |server: &Server| {
        // Noon, so that no day ends during the test.
        let day = i64::try_from(DAY.as_millis()).unwrap();
        let left = day - server.now().rem_euclid(day) + day / 2;
        server.wait(Duration::from_millis(left.try_into().unwrap()));
        let api = server.api().await;
        let credits = json!({ "remaining": 0, "refill": { "interval": "daily", "amount": 5 } });
        let (old, old_key) = server.key(&api, json!({ "credits": credits })).await;
        server.wait(DAY);
        assert_eq!(spend(server, &old_key, 4).await, ended("VALID", 1));
        let (_, new_key) = server.reroll(&old, json!(0)).await;
        assert_eq!(spend(server, &new_key, 2).await, ended("USAGE_EXCEEDED", 1));
        assert_eq!(spend(server, &new_key, 1).await, ended("VALID", 0));
    })
    .await;
}
