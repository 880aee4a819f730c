use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::file::KeyFile;
use super::ring::Sealer;
use super::*;
use crate::clock::Clock;
use crate::private;
use crate::rack::{DataKey, DataKeys};
use crate::store::KnownMasterKey;

fn known(sealer: &Sealer) -> KnownMasterKey {
    KnownMasterKey {
        id: sealer.id.clone(),
        wrapped: None,
    }
}

#[test]
fn what_was_sealed_is_opened_with_the_same_key_for_the_same_purpose() {
    let entropy = Entropy::seeded(1);
    let sealer = Sealer::new(&[7; 32]).unwrap();
    let names = [known(&sealer)];
    let ring = Ring::of(&names, vec![sealer.into()]).unwrap();
    let sealed = ring.seal("secret", "key_1", &entropy);
    assert_eq!(sealed.with, names[0].id);
    let other = ring.seal("secret", "key_1", &entropy);
    assert_ne!(sealed, other, "another nonce");
    let sealed = sealed.bytes;
    assert!(!sealed.windows(6).any(|part| part == b"secret"));
    assert_eq!(ring.open(&sealed, "key_1").unwrap().as_str(), "secret");
    assert!(matches!(
        ring.open(&sealed, "key_2"),
        Err(VaultError::Broken)
    ));
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(ring.open(&changed, "key_1").is_err(), "byte {at}");
        assert!(ring.open(&sealed[..at], "key_1").is_err(), "cut at {at}");
    }
}

#[test]
fn the_newest_key_that_is_to_be_had_seals_and_all_open() {
    let entropy = Entropy::seeded(1);
    let [old, new] = [1, 2].map(|byte| std::sync::Arc::new(Sealer::new(&[byte; 32]).unwrap()));
    let names = [known(&new), known(&old)];
    let behind = Ring::of(&names, vec![old.clone()]).unwrap();
    assert_eq!(behind.seals_with(), old.id);
    let both = Ring::of(&names, vec![old, new.clone()]).unwrap();
    assert_eq!(both.seals_with(), new.id);
    let sealed = behind.seal("secret", "a", &entropy).bytes;
    assert_eq!(both.open(&sealed, "a").unwrap().as_str(), "secret");
    let sealed = both.seal("secret", "a", &entropy).bytes;
    assert!(matches!(
        behind.open(&sealed, "a"),
        Err(VaultError::OtherKey)
    ));
    assert!(Ring::of(&[], vec![new]).is_none());
}

#[test]
fn a_file_that_is_no_key_or_is_open_to_others_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    let file = KeyFile::new(path.clone());
    assert!(file.read().unwrap().is_empty(), "there is none");
    for text in [
        "",
        "\n",
        "abc",
        &"zz".repeat(32),
        &format!("1{}1", "é".repeat(31)),
    ] {
        private::replace(&path, text.as_bytes()).unwrap();
        assert!(matches!(file.read(), Err(VaultError::NoKey(_))), "{text:?}");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        private::replace(&path, "11".repeat(32).as_bytes()).unwrap();
        let open = std::fs::Permissions::from_mode(0o640);
        std::fs::set_permissions(&path, open).unwrap();
        assert!(matches!(file.read(), Err(VaultError::Open(_))));
    }
}

#[test]
fn a_key_that_nobody_named_is_taken_before_another_is_made() {
    let entropy = Entropy::seeded(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    let file = KeyFile::new(path.clone());
    let first = file.unnamed(&[], &entropy).unwrap().id.clone();
    assert_eq!(file.unnamed(&[], &entropy).unwrap().id, first);
    let known = [first.clone()];
    let second = file.unnamed(&known, &entropy).unwrap().id.clone();
    assert_ne!(second, first);
    assert_eq!(file.unnamed(&known, &entropy).unwrap().id, second);
    let ids = || -> Vec<_> {
        let keys = file.read().unwrap().into_iter();
        keys.map(|key| key.id.clone()).collect()
    };
    assert_eq!(ids(), [second.clone(), first.clone()]);
    file.take_out(&known).unwrap();
    assert_eq!(ids(), std::slice::from_ref(&second));
    file.take_out(std::slice::from_ref(&second)).unwrap();
    assert_eq!(ids(), [second], "the last key stays");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

/// Wraps keys by turning their bits over, and counts what it is asked.
#[derive(Default)]
struct Wrapper {
    made: Mutex<u8>,
    unwrapped: AtomicUsize,
}

#[async_trait]
impl DataKeys for Wrapper {
    fn describe(&self) -> String {
        "KMS key alias/test".to_owned()
    }

    async fn generate(&self) -> Result<DataKey, PortError> {
        let mut made = self.made.lock().unwrap();
        *made += 1;
        Ok(DataKey {
            plain: Zeroizing::new([*made; 32]),
            wrapped: vec![!*made; 32],
        })
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, PortError> {
        self.unwrapped.fetch_add(1, Ordering::SeqCst);
        let bytes: Vec<_> = wrapped.iter().map(|byte| !byte).collect();
        Ok(Zeroizing::new(bytes.try_into().unwrap()))
    }
}

#[tokio::test]
async fn keys_move_from_a_file_to_kms_and_on_to_the_next() {
    let entropy = Entropy::seeded(1);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("master.key");
    let database = dir.path().join("console.db");
    let store = Store::sqlite(&database, entropy.clone()).await.unwrap();
    store.migrate().await.unwrap();
    let in_file = KeySource::file(path.clone());
    assert!(matches!(
        Vault::of(&store, in_file.clone()).await,
        Err(VaultError::None)
    ));
    assert!(!path.exists(), "only init makes a key");
    for _ in 0..2 {
        first_key(&store, &in_file, 1, &entropy).await.unwrap();
    }
    let wrapper = std::sync::Arc::new(Wrapper::default());
    let in_kms = KeySource::kms(std::sync::Arc::clone(&wrapper) as _, path.clone());
    let server = Vault::of(&store, in_kms.clone()).await.unwrap();
    let first = server.seals_with();
    let clock = Clock::system();
    let rotated = rotate(&store, &in_kms, &clock, 1, &entropy, |_| Ok(()));
    let rotated = rotated.await.unwrap();
    assert_eq!(rotated.gone, std::slice::from_ref(&first));
    server.refresh(&store).await.unwrap();
    assert_eq!(server.seals_with(), rotated.newest);
    let asked = wrapper.unwrapped.load(Ordering::SeqCst);
    server.refresh(&store).await.unwrap();
    assert_eq!(wrapper.unwrapped.load(Ordering::SeqCst), asked, "known");
    // A server that starts now needs KMS, and none of the files.
    let missing = Vault::of(&store, in_file.clone()).await;
    assert!(matches!(missing, Err(VaultError::Missing { .. })));
    std::fs::remove_file(&path).unwrap();
    let again = Vault::of(&store, in_kms.clone()).await.unwrap();
    assert_eq!(again.seals_with(), rotated.newest);
    let refused = prepare(&store, &in_kms, &entropy).await;
    assert!(matches!(refused, Err(VaultError::Wrapped)));
    let next = rotate(&store, &in_kms, &clock, 1, &entropy, |_| Ok(()));
    assert_eq!(next.await.unwrap().gone, [rotated.newest]);
    let retired = store.retired_master_keys().await.unwrap();
    assert_eq!(retired.len(), 2);
    assert!(retired.contains(&first));
    // And back, with a file that every server has before it counts.
    let back = in_kms.clone().back_to_file();
    let prepared = prepare(&store, &back, &entropy).await.unwrap();
    let rotated = rotate(&store, &back, &clock, 1, &entropy, |_| Ok(()));
    assert_eq!(rotated.await.unwrap().newest, prepared);
    server.refresh(&store).await.unwrap();
    assert_eq!(server.seals_with(), prepared);
    let without_kms = Vault::of(&store, in_file).await.unwrap();
    assert_eq!(without_kms.seals_with(), prepared);
}
