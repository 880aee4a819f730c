//! What every key store must do, whoever keeps the keys.

use convox::rack::{KeyStore, PortError, PrivateKey};

/// Puts a store through everything that the roll engine asks of one.
///
/// The store must be empty of the names `suite-old` and `suite-new`.
pub async fn keeps_keys(store: &dyn KeyStore) {
    let old = PrivateKey::new("-----BEGIN OLD-----\nabc+/=\n-----END OLD-----\n".to_owned());
    let new = PrivateKey::new(format!("-----BEGIN NEW-----\n{}\n", "x".repeat(3000)));
    let what = store.describe();

    store
        .check()
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(
        store.get("suite-old").await.unwrap().is_none(),
        "{what}: nothing is there yet"
    );
    store
        .delete("suite-old")
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let missing = store.promote("suite-old").await.unwrap_err();
    assert!(
        matches!(missing, PortError::KeyStore { .. }),
        "{what}: {missing}"
    );

    store.put("suite-old", &old).await.unwrap();
    store.promote("suite-old").await.unwrap();
    store.put("suite-new", &new).await.unwrap();
    let current = store.current().await.unwrap().expect("a current key");
    assert!(
        current.is_same_as(&old),
        "{what}: staging a key promotes nothing"
    );
    let kept = store.get("suite-old").await.unwrap().expect("the old key");
    assert!(
        kept.is_same_as(&old),
        "{what}: staging a key overwrites no other"
    );
    let staged = store.get("suite-new").await.unwrap().expect("the new key");
    assert!(
        staged.is_same_as(&new),
        "{what}: a key comes back as it was put"
    );

    store.promote("suite-new").await.unwrap();
    assert!(
        store
            .current()
            .await
            .unwrap()
            .expect("a current key")
            .is_same_as(&new),
        "{what}"
    );
    store.delete("suite-old").await.unwrap();
    assert!(
        store.get("suite-old").await.unwrap().is_none(),
        "{what}: a key is forgotten"
    );
    assert!(
        store
            .current()
            .await
            .unwrap()
            .expect("a current key")
            .is_same_as(&new),
        "{what}"
    );

    store.put("suite-new", &old).await.unwrap();
    let again = store
        .get("suite-new")
        .await
        .unwrap()
        .expect("the key that was put again");
    assert!(
        again.is_same_as(&old),
        "{what}: the same name may be put again"
    );
    store
        .check()
        .await
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    store.delete("suite-new").await.unwrap();
}

#[tokio::test]
async fn a_directory_keeps_keys() {
    let home = tempfile::tempdir().unwrap();
    keeps_keys(&convox::rack::directory::Directory::new(
        home.path().join("keys"),
    ))
    .await;
}
