//! What every key store must do, whoever keeps the keys.

use convox::clock::Clock;
use convox::ids::Entropy;
use convox::rack::aws::{Access, Account, KeyStoreChoice, Target, Transport};
use convox::rack::directory::Directory;
use convox::rack::{KeyStore, PortError, PrivateKey};
use convox::sandbox::{Sandbox, Scenario};

/// Puts a store through everything that the roll engine asks of one.
///
/// The store must be empty.
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
    assert_eq!(names(store, "").await, NONE, "{what}: nothing is listed");
    let missing = store.promote("suite-old").await.unwrap_err();
    assert!(
        matches!(missing, PortError::KeyStore { .. }),
        "{what}: {missing}"
    );

    store.put("suite-old", &old).await.unwrap();
    store.promote("suite-old").await.unwrap();
    store.put("suite-new", &new).await.unwrap();
    assert!(
        current(store).await.is_same_as(&old),
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

    // What is put first is not listed first, and what is promoted is no name.
    let both = ["suite-new", "suite-old"];
    assert_eq!(names(store, "").await, both, "{what}: in order");
    assert_eq!(names(store, "suite-").await, both, "{what}: in order");
    assert_eq!(names(store, "suite-o").await, both[1..], "{what}");
    assert_eq!(names(store, "suite-new").await, both[..1], "{what}");
    assert_eq!(names(store, "uite").await, NONE, "{what}: a beginning only");

    store.promote("suite-new").await.unwrap();
    assert!(current(store).await.is_same_as(&new), "{what}");
    store.delete("suite-old").await.unwrap();
    assert!(
        store.get("suite-old").await.unwrap().is_none(),
        "{what}: a key is forgotten"
    );
    assert_eq!(names(store, "suite-").await, both[..1], "{what}");
    assert!(current(store).await.is_same_as(&new), "{what}");

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
    // The probe of a check is gone too.
    assert_eq!(names(store, "").await, both[..1], "{what}");
    store.delete("suite-new").await.unwrap();
}

const NONE: [&str; 0] = [];

async fn names(store: &dyn KeyStore, prefix: &str) -> Vec<String> {
    let listed = store.list(prefix).await;
    listed.unwrap_or_else(|error| panic!("{}: {error}", store.describe()))
}

async fn current(store: &dyn KeyStore) -> PrivateKey {
    store.current().await.unwrap().expect("a current key")
}

#[tokio::test]
async fn a_directory_keeps_keys() {
    let home = tempfile::tempdir().unwrap();
    keeps_keys(&Directory::new(home.path().join("keys"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_sandbox_keeps_keys_in_each_of_its_stores() {
    let clock = Clock::system();
    let sandbox = Sandbox::new(&Scenario::default(), clock.clone()).unwrap();
    let transport = Transport::InProcess(sandbox.in_process());
    let account = Account::connect(&Access::new(transport, clock)).await;
    let account = account.unwrap();
    let name = account.stacks().racks().await.unwrap().remove(0);
    let resources = account.stacks().resources(&name).await.unwrap();
    let settings = resources
        .iter()
        .find(|resource| resource.logical_id == "Settings")
        .unwrap();
    let bucket = settings.physical_id.clone();
    for key_store in [
        KeyStoreChoice::Settings,
        KeyStoreChoice::S3 {
            bucket,
            prefix: "ssh".to_owned(),
            kms_key: None,
        },
        KeyStoreChoice::Ssm {
            prefix: "/ssh".to_owned(),
            kms_key: None,
        },
    ] {
        let target = Target {
            key_store,
            ..Target::rack(&name)
        };
        let rack = account.rack(&target, &Entropy::seeded(3)).unwrap();
        keeps_keys(rack.keys.as_ref()).await;
    }
}
