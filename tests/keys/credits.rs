//! Setting credits, counting them, and sharing them with the key that is replaced.

use serde_json::{Value, json};

use crate::environment::{Answer, Server, on_both};

async fn credits(server: &Server, id: &str, operation: &str, value: Value) -> Answer {
    let body = json!({ "keyId": id, "operation": operation, "value": value });
    server.post("keys.updateCredits", body).await
}

async fn left(server: &Server, id: &str) -> Value {
    server.get(id).await["credits"]["remaining"].clone()
}

#[tokio::test]
async fn credits_are_set_and_counted() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server.key(&api, json!({})).await;
        for (operation, value, after) in [
            ("set", json!(10), json!({ "remaining": 10 })),
            ("increment", json!(5), json!({ "remaining": 15 })),
            ("decrement", json!(3), json!({ "remaining": 12 })),
            ("decrement", json!(100), json!({ "remaining": 0 })),
            ("increment", json!(0), json!({ "remaining": 0 })),
            ("set", json!(null), json!({ "remaining": null })),
            ("set", json!(1), json!({ "remaining": 1 })),
        ] {
            let answer = credits(server, &id, operation, value.clone()).await;
            assert_eq!(answer.data(), after, "{operation} {value}");
            assert_eq!(left(server, &id).await, after["remaining"]);
        }
        assert_eq!(server.verify(&key).await, "VALID");
        assert_eq!(server.verify(&key).await, "USAGE_EXCEEDED");
    })
    .await;
}

#[tokio::test]
async fn a_refill_stays_until_there_is_no_limit() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let refill = json!({ "interval": "monthly", "amount": 9, "refillDay": 31 });
        let with = json!({ "credits": { "remaining": 1, "refill": refill } });
        let (id, _) = server.key(&api, with).await;
        let set = credits(server, &id, "set", json!(4)).await.data();
        assert_eq!(set, json!({ "remaining": 4, "refill": refill }));
        let more = credits(server, &id, "increment", json!(4)).await.data();
        assert_eq!(more, json!({ "remaining": 8, "refill": refill }));
        let free = credits(server, &id, "set", json!(null)).await.data();
        assert_eq!(free, json!({ "remaining": null }));
        let set = credits(server, &id, "set", json!(4)).await.data();
        assert_eq!(set, json!({ "remaining": 4 }));
    })
    .await;
}

#[tokio::test]
async fn counting_needs_a_value_and_a_limit() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (free, _) = server.key(&api, json!({})).await;
        let (limited, _) = server
            .key(&api, json!({ "credits": { "remaining": 1 } }))
            .await;
        for (id, operation, value) in [
            (&free, "increment", json!(1)),
            (&free, "decrement", json!(1)),
            (&limited, "increment", json!(null)),
            (&limited, "decrement", json!(null)),
            (&limited, "set", json!(-1)),
            (&limited, "halve", json!(1)),
        ] {
            let refused = credits(server, id, operation, value.clone()).await;
            let told = (refused.status, refused.kind());
            assert_eq!(told, (400, "invalid_input"), "{operation} {value}");
            assert!(refused.body["error"]["errors"].is_array());
        }
        for operation in ["set", "increment"] {
            let body = json!({ "keyId": limited, "operation": operation });
            let refused = server.post("keys.updateCredits", body).await;
            assert_eq!(refused.status, 400, "{operation} what?");
        }
        assert_eq!(left(server, &limited).await, 1);
    })
    .await;
}

#[tokio::test]
async fn no_count_is_lost() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (id, key) = server
            .key(&api, json!({ "credits": { "remaining": 100 } }))
            .await;
        for _ in 0..5 {
            let more = || credits(server, &id, "increment", json!(3));
            let (one, used, other, again) =
                tokio::join!(more(), server.verify(&key), more(), server.verify(&key));
            one.data();
            other.data();
            assert_eq!((used.as_str(), again.as_str()), ("VALID", "VALID"));
        }
        assert_eq!(left(server, &id).await, 120);
    })
    .await;
}

#[tokio::test]
async fn a_balance_given_during_a_rotation_is_given_to_both() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, old_key) = server.key(&api, json!({})).await;
        let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
        // Both are remembered without a limit.
        assert_eq!(server.verify(&old_key).await, "VALID");
        assert_eq!(server.verify(&new_key).await, "VALID");
        let body = json!({ "keyId": old, "credits": { "remaining": 2 } });
        server.post("keys.updateKey", body).await.data();
        assert_eq!(server.verify(&new_key).await, "VALID");
        assert_eq!(left(server, &old).await, 1);
        assert_eq!(server.verify(&old_key).await, "VALID");
        assert_eq!(server.verify(&new_key).await, "USAGE_EXCEEDED");
        credits(server, &new, "set", json!(1)).await.data();
        assert_eq!(left(server, &old).await, 1);
        credits(server, &new, "set", json!(null)).await.data();
        assert!(server.get(&old).await.get("credits").is_none());
        for _ in 0..3 {
            assert_eq!(server.verify(&old_key).await, "VALID");
        }
    })
    .await;
}

#[tokio::test]
async fn every_key_of_a_line_has_the_balance() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (first, first_key) = server.key(&api, json!({})).await;
        let (second, _) = server.reroll(&first, json!(3_600_000)).await;
        let (third, _) = server.reroll(&second, json!(3_600_000)).await;
        credits(server, &second, "set", json!(5)).await.data();
        assert_eq!(server.verify(&first_key).await, "VALID");
        for id in [&first, &second, &third] {
            assert_eq!(left(server, id).await, 4);
        }
    })
    .await;
}

#[tokio::test]
async fn when_a_rotation_is_over_the_old_key_is_left_alone() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let (old, _) = server.key(&api, json!({})).await;
        let (new, _) = server.reroll(&old, json!(0)).await;
        credits(server, &new, "set", json!(5)).await.data();
        assert!(server.get(&old).await.get("credits").is_none());
        assert_eq!(left(server, &new).await, 5);
        let (newer, _) = server.reroll(&new, json!(3_600_000)).await;
        let body = json!({ "keyId": new });
        server.post("keys.cancelRotation", body).await.data();
        credits(server, &new, "set", json!(null)).await.data();
        credits(server, &new, "set", json!(7)).await.data();
        assert_eq!(left(server, &new).await, 7);
        assert!(server.get(&newer).await.get("credits").is_none());
    })
    .await;
}

#[tokio::test]
async fn two_who_give_a_balance_to_a_pair_give_one() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        for _ in 0..5 {
            let (old, _) = server.key(&api, json!({})).await;
            let (new, new_key) = server.reroll(&old, json!(3_600_000)).await;
            let (one, other) = tokio::join!(
                credits(server, &old, "set", json!(5)),
                credits(server, &new, "set", json!(5)),
            );
            one.data();
            other.data();
            assert_eq!(server.verify(&new_key).await, "VALID");
            assert_eq!(
                (left(server, &old).await, left(server, &new).await),
                (json!(4), json!(4))
            );
        }
    })
    .await;
}
