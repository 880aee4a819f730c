//! The master key: rotated while servers run and while rotations are stopped anywhere.

use convox::console::{KeySource, Rotated, Step, Vault, VaultError, prepare, rotate};
use convox::ids::Entropy;
use convox::store::SealedKind;
use serde_json::{Value, json};

use crate::environment::{Server, on_both, text};

/// Rotates the master key of a server, one thing at a time; stops after `steps` of them.
async fn rotate_until(server: &Server, steps: usize) -> Result<Rotated, VaultError> {
    let mut left = steps;
    let told = |_: &Step| {
        left = left.checked_sub(1).ok_or(VaultError::None)?;
        Ok(())
    };
    let (source, entropy) = (server.key_source(), Entropy::system().unwrap());
    let store = server.service.store();
    rotate(store, &source, &server.clock, 1, &entropy, told).await
}

async fn rotated(server: &Server) -> Rotated {
    rotate_until(server, usize::MAX).await.unwrap()
}

/// An API whose keys may be kept.
async fn keeping_api(server: &Server) -> String {
    let body = json!({ "name": "kept", "storeEncryptedKeys": true });
    text(&server.post("apis.createApi", body).await.data()["apiId"])
}

async fn kept_key(server: &Server, api: &str) -> (String, String) {
    server.key(api, json!({ "recoverable": true })).await
}

async fn read_back(server: &Server, id: &str) -> String {
    let body = json!({ "keyId": id, "decrypt": true });
    let shown = server.post("keys.getKey", body).await.data();
    text(&shown["plaintext"])
}

/// Makes a key by a request that may be repeated.
async fn once(server: &Server, api: &str, idempotency_key: &str) -> Value {
    let header = [("idempotency-key", idempotency_key)];
    let root = server.root.clone();
    let body = json!({ "apiId": api });
    let made = server.post_as(&root, "keys.createKey", body, &header).await;
    made.data()
}

#[tokio::test]
async fn what_is_kept_is_read_back_after_a_rotation() {
    on_both(async |server| {
        let api = keeping_api(server).await;
        let mut keys = Vec::new();
        for _ in 0..3 {
            keys.push(kept_key(server, &api).await);
        }
        let made = once(server, &api, "retry").await;
        let before = server.service.store().sealed_counts().await.unwrap();
        assert_eq!((before[0].secrets, before[0].answers), (3, 1));
        let done = rotated(server).await;
        assert_eq!(done.sealed, 4);
        assert_eq!(done.gone, std::slice::from_ref(&before[0].with));
        let after = server.service.store().sealed_counts().await.unwrap();
        assert_eq!(after.len(), 1);
        assert_eq!(after[0].with, done.newest);
        assert_eq!((after[0].secrets, after[0].answers), (3, 1));
        for (id, key) in &keys {
            assert_eq!(&read_back(server, id).await, key);
        }
        assert_eq!(once(server, &api, "retry").await, made);
        let (id, key) = kept_key(server, &api).await;
        assert_eq!(read_back(server, &id).await, key);
        let file = std::fs::read_to_string(server.key_file()).unwrap();
        assert_eq!(file.lines().count(), 1, "the old key is gone");
        rotated(server).await;
        assert_eq!(read_back(server, &id).await, key);
    })
    .await;
}

#[tokio::test]
async fn a_rotation_that_is_stopped_anywhere_is_ended_by_the_next() {
    on_both(async |server| {
        let api = keeping_api(server).await;
        let (id, key) = kept_key(server, &api).await;
        let made = once(server, &api, "retry").await;
        let mut stops = 0;
        loop {
            let begun = rotate_until(server, stops).await;
            // Another key in between, which the server seals with whatever it knows just now.
            let (between, secret) = kept_key(server, &api).await;
            assert_eq!(read_back(server, &id).await, key, "{stops}");
            assert_eq!(read_back(server, &between).await, secret, "{stops}");
            assert_eq!(once(server, &api, "retry").await, made, "{stops}");
            let is_whole = begun.is_ok();
            let names = server.service.store().master_keys().await.unwrap();
            assert!(names.len() <= 2, "{stops}: {names:?}");
            if !is_whole {
                rotated(server).await;
            }
            let file = std::fs::read_to_string(server.key_file()).unwrap();
            assert_eq!(file.lines().count(), 1, "{stops}");
            let counts = server.service.store().sealed_counts().await.unwrap();
            assert_eq!(counts.len(), 1, "{stops}");
            let delete = json!({ "keyId": between, "permanent": true });
            server.post("keys.deleteKey", delete).await.data();
            if is_whole {
                break;
            }
            stops += 1;
        }
        assert!(stops > 4, "{stops}");
    })
    .await;
}

#[tokio::test]
async fn what_a_server_seals_with_a_key_that_has_just_gone_is_sealed_again() {
    on_both(async |server| {
        let api = keeping_api(server).await;
        // The server learns of the new key by failing, unless its task is faster.
        for round in 0..5 {
            rotated(server).await;
            let (id, key) = kept_key(server, &api).await;
            assert_eq!(read_back(server, &id).await, key);
            once(server, &api, &format!("round {round}")).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_prepared_seals_nothing_until_it_is_the_turn() {
    on_both(async |server| {
        let (source, entropy) = (server.key_source(), Entropy::system().unwrap());
        let store = server.service.store();
        let first = store.master_keys().await.unwrap();
        let prepared = prepare(store, &source, &entropy).await.unwrap();
        assert_eq!(prepare(store, &source, &entropy).await.unwrap(), prepared);
        assert_eq!(store.master_keys().await.unwrap(), first);
        let done = rotated(server).await;
        assert_eq!(done.newest, prepared);
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_opened_keeps_its_master_key() {
    on_both(async |server| {
        let api = keeping_api(server).await;
        let (_, _) = kept_key(server, &api).await;
        let (id, key) = kept_key(server, &api).await;
        let store = server.service.store();
        let old = store.master_keys().await.unwrap().remove(0).id;
        let sealed = store
            .sealed_with(&old, SealedKind::Secret, 0, 1)
            .await
            .unwrap()
            .remove(0);
        let broken = convox::store::Sealed {
            with: old.clone(),
            bytes: vec![1; 40],
        };
        let broken_id = sealed.0.clone();
        store
            .seal_anew(vec![(sealed.0, sealed.1, broken)])
            .await
            .unwrap();
        let refused = rotate_until(server, usize::MAX).await;
        assert!(matches!(refused, Err(VaultError::Left(1))), "{refused:?}");
        let counts = store.sealed_counts().await.unwrap();
        assert_eq!((counts[0].secrets, counts[1].secrets), (1, 1));
        assert_eq!(counts[1].with, old);
        if broken_id != convox::store::SealedThing::Secret(id.clone()) {
            assert_eq!(read_back(server, &id).await, key);
        }
    })
    .await;
}

/// Starts two servers on one PostgreSQL, each with a file of master keys of its own.
async fn two_hosts() -> Option<(Server, Server)> {
    let Ok(url) = std::env::var("CONVOX_TEST_DATABASE_URL") else {
        eprintln!("skipped: `.ci/postgres cargo test --test keys` runs it");
        return None;
    };
    let one = Server::on_postgres(&url).await;
    let other = one.on_another_host().await;
    Some((one, other))
}

#[tokio::test]
async fn a_server_without_the_newest_master_key_does_not_start() {
    let Some((one, other)) = two_hosts().await else {
        return;
    };
    let elsewhere = tempfile::tempdir().unwrap();
    let path = elsewhere.path().join("master.key");
    let source = KeySource::file(path.clone());
    let store = one.service.store();
    let refused = Vault::of(store, source.clone()).await.unwrap_err();
    assert!(matches!(refused, VaultError::Missing { .. }), "{refused}");
    assert!(!path.exists(), "it is not made either");
    rotated(&one).await;
    let behind = Vault::of(store, other.key_source()).await.unwrap_err();
    assert!(matches!(behind, VaultError::Missing { .. }), "{behind}");
}

#[tokio::test]
async fn servers_of_two_hosts_open_what_either_seals_while_the_key_is_rotated() {
    let Some((one, other)) = two_hosts().await else {
        return;
    };
    let api = keeping_api(&one).await;
    let (id, key) = kept_key(&one, &api).await;
    let (source, entropy) = (one.key_source(), Entropy::system().unwrap());
    prepare(one.service.store(), &source, &entropy)
        .await
        .unwrap();
    std::fs::copy(one.key_file(), other.key_file()).unwrap();
    // Named and not yet sealed anew: each server seals with one key or the other.
    rotate_until(&one, 1).await.unwrap_err();
    one.service.refresh_master_keys().await.unwrap();
    let (newer, newer_key) = kept_key(&one, &api).await;
    let (older, older_key) = kept_key(&other, &api).await;
    for server in [&one, &other] {
        for (id, key) in [(&id, &key), (&newer, &newer_key), (&older, &older_key)] {
            assert_eq!(&read_back(server, id).await, key);
        }
    }
    rotated(&one).await;
    let (last, last_key) = kept_key(&other, &api).await;
    for server in [&one, &other] {
        for (id, key) in [(&id, &key), (&older, &older_key), (&last, &last_key)] {
            assert_eq!(&read_back(server, id).await, key);
        }
    }
}

#[tokio::test]
async fn a_server_that_has_no_new_key_loses_nothing() {
    let Some((one, other)) = two_hosts().await else {
        return;
    };
    let api = keeping_api(&one).await;
    rotated(&one).await;
    // Its file was forgotten: it says so, and makes nothing that nobody could open.
    let body = json!({ "apiId": api, "recoverable": true });
    let refused = other.post("keys.createKey", body).await;
    assert_eq!(refused.status, 500, "{refused:?}");
    let (_, key) = other.key(&api, json!({})).await;
    assert_eq!(other.verify(&key).await, "VALID");
    std::fs::copy(one.key_file(), other.key_file()).unwrap();
    let (id, key) = kept_key(&other, &api).await;
    assert_eq!(read_back(&one, &id).await, key);
}
