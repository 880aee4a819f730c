//! What a server remembers of keys.

use convox::console::ServiceOptions;
use serde_json::json;

use crate::environment::{Server, on_both};

#[tokio::test]
async fn keys_are_read_ahead_and_forgotten_when_they_change() {
    on_both(async |server: &Server| {
        let api = server.api().await;
        let mut keys = Vec::new();
        for _ in 0..20 {
            keys.push(server.key(&api, json!({ "permissions": ["a.b"] })).await);
        }
        assert_eq!(server.service.remembered(), 0, "nobody has asked yet");
        // A server that loses touch with others forgets everything meanwhile.
        for _ in 0..100 {
            server.service.read_ahead().await.unwrap();
            if server.service.remembered() == 20 {
                break;
            }
        }
        assert_eq!(server.service.remembered(), 20);
        let (id, old) = &keys[7];
        let body = json!({ "keyId": id, "expiration": 0 });
        server.post("keys.rerollKey", body).await.data();
        let kept = server.service.remembered();
        assert!(
            kept == 19 || kept == 0,
            "{kept}: neither one nor, out of touch, all forgotten"
        );
        assert_eq!(server.verify(old).await, "EXPIRED");
        assert_eq!(server.verify(&keys[8].1).await, "VALID");
    })
    .await;
}

#[tokio::test]
async fn where_there_is_little_memory_every_key_opens_all_the_same() {
    let options = ServiceOptions {
        memory: 1,
        ..ServiceOptions::default()
    };
    let server = Server::with(options).await;
    let api = server.api().await;
    let about = "x".repeat(10_000);
    let mut keys = Vec::new();
    for number in 0..60 {
        let meta = json!({ "about": about, "number": number });
        keys.push(server.key(&api, json!({ "meta": meta })).await.1);
    }
    for _ in 0..2 {
        for (number, key) in keys.iter().enumerate() {
            let body = json!({ "key": key });
            let data = server.post("keys.verifyKey", body).await.data();
            assert_eq!(data["meta"]["number"], number);
        }
    }
    let remembered = server.service.remembered();
    assert!((1..60).contains(&remembered), "{remembered}");
}
