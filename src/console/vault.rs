//! Sealing what must be read back: secrets of recoverable keys, and answers that hold a secret.
//!
//! AES-256-GCM with a random nonce. A sealed text names the key that it was sealed with, so that
//! a new one can take its place while what is old can still be opened.

use std::fmt;
use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::ids::Entropy;
use crate::keys::Hash;
use crate::private;

/// What a sealed text begins with: the form, and the key's name.
const FORM: u8 = 1;
/// How many bytes of a key's hash name it.
const NAME: usize = 8;

/// A key that seals, and older ones that only open.
pub struct MasterKey {
    newest: Sealer,
    older: Vec<Sealer>,
}

struct Sealer {
    name: [u8; NAME],
    key: LessSafeKey,
}

/// Why something is not sealed or not opened.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file cannot be read or made.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// What the file system says.
        source: std::io::Error,
    },
    /// The file holds something else than keys.
    #[error("{0} holds no master key: each line must be 64 hexadecimal digits")]
    NoKey(String),
    /// Others may read the file.
    #[error("{0} can be read by others, and must be for its owner only (chmod 600)")]
    Open(String),
    /// The text was sealed with a key that is not known here.
    #[error("it was sealed with another master key")]
    OtherKey,
    /// The text is not what was sealed.
    #[error("it was not sealed here, or was changed since")]
    Broken,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey")
            .field("older", &self.older.len())
            .finish_non_exhaustive()
    }
}

impl Sealer {
    fn new(bytes: &[u8]) -> Option<Self> {
        let key = UnboundKey::new(&AES_256_GCM, bytes).ok()?;
        let hash = Hash::of(&hex(bytes));
        let mut name = [0; NAME];
        name.copy_from_slice(&hash.as_bytes()[..NAME]);
        Some(Self {
            name,
            key: LessSafeKey::new(key),
        })
    }
}

impl MasterKey {
    /// Reads the file `path`: one key a line, the newest first. Makes it, with one key and for
    /// its owner only, if it is not there.
    ///
    /// # Errors
    /// When it cannot be read or made, holds something else, or may be read by others.
    pub fn at(path: &Path, entropy: &Entropy) -> Result<Self, VaultError> {
        let name = path.display().to_string();
        let broken = |source| VaultError::File {
            path: name.clone(),
            source,
        };
        if !path.try_exists().map_err(broken)? {
            let mut bytes = Zeroizing::new([0; 32]);
            entropy.fill(bytes.as_mut());
            let text = Zeroizing::new(format!("{}\n", hex(bytes.as_ref())));
            private::replace(path, text.as_bytes()).map_err(broken)?;
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path)
                .map_err(broken)?
                .permissions()
                .mode();
            if mode & 0o077 != 0 {
                return Err(VaultError::Open(name));
            }
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(broken)?);
        Self::read(&text).ok_or(VaultError::NoKey(name))
    }

    fn read(text: &str) -> Option<Self> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let sealers: Option<Vec<_>> = lines
            .map(|line| {
                let bytes = Zeroizing::new(unhex(line)?);
                Sealer::new(&bytes)
            })
            .collect();
        let mut sealers = sealers?.into_iter();
        Some(Self {
            newest: sealers.next()?,
            older: sealers.collect(),
        })
    }

    /// Seals a text for the purpose `about`, without which it is not opened again.
    #[must_use]
    pub fn seal(&self, text: &str, about: &str, entropy: &Entropy) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        entropy.fill(&mut nonce);
        let mut body = text.as_bytes().to_vec();
        let sealed = self.newest.key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about.as_bytes()),
            &mut body,
        );
        // It fails for texts of gigabytes only.
        if sealed.is_err() {
            body.clear();
        }
        let mut whole = vec![FORM];
        whole.extend(self.newest.name);
        whole.extend(nonce);
        whole.append(&mut body);
        whole
    }

    /// Opens what was sealed for the purpose `about`.
    ///
    /// # Errors
    /// When it was sealed with another key or for another purpose, or was changed.
    pub fn open(&self, sealed: &[u8], about: &str) -> Result<Zeroizing<String>, VaultError> {
        let (form, rest) = sealed.split_first().ok_or(VaultError::Broken)?;
        if *form != FORM || rest.len() < NAME + NONCE_LEN {
            return Err(VaultError::Broken);
        }
        let (name, rest) = rest.split_at(NAME);
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let mut sealers = std::iter::once(&self.newest).chain(&self.older);
        let sealer = sealers
            .find(|sealer| sealer.name == name)
            .ok_or(VaultError::OtherKey)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Broken)?;
        let mut body = Zeroizing::new(body.to_vec());
        let text = sealer
            .key
            .open_in_place(nonce, Aad::from(about.as_bytes()), &mut body)
            .map_err(|_| VaultError::Broken)?;
        let text = std::str::from_utf8(text).map_err(|_| VaultError::Broken)?;
        Ok(Zeroizing::new(text.to_owned()))
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 64 {
        return None;
    }
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened_with_the_same_key_for_the_same_purpose() {
        let entropy = Entropy::seeded(1);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let key = MasterKey::at(&path, &entropy).unwrap();
        let sealed = key.seal("secret", "key_1", &entropy);
        assert_ne!(
            sealed,
            key.seal("secret", "key_1", &entropy),
            "another nonce"
        );
        assert!(!sealed.windows(6).any(|part| part == b"secret"));
        let again = MasterKey::at(&path, &entropy).unwrap();
        assert_eq!(again.open(&sealed, "key_1").unwrap().as_str(), "secret");
        assert!(matches!(
            again.open(&sealed, "key_2"),
            Err(VaultError::Broken)
        ));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(again.open(&changed, "key_1").is_err(), "byte {at}");
            assert!(again.open(&sealed[..at], "key_1").is_err(), "cut at {at}");
        }
    }

    #[test]
    fn a_new_key_comes_first_and_the_old_one_still_opens() {
        let entropy = Entropy::seeded(1);
        let (old, new) = ("11".repeat(32), "22".repeat(32));
        let before = MasterKey::read(&old).unwrap();
        let sealed = before.seal("secret", "a", &entropy);
        let both = MasterKey::read(&format!("{new}\n{old}\n")).unwrap();
        assert_eq!(both.open(&sealed, "a").unwrap().as_str(), "secret");
        let sealed = both.seal("secret", "a", &entropy);
        assert!(matches!(
            before.open(&sealed, "a"),
            Err(VaultError::OtherKey)
        ));
    }

    #[test]
    fn a_file_that_is_no_key_or_is_open_to_others_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        for text in ["", "\n", "abc", &"zz".repeat(32)] {
            private::replace(&path, text.as_bytes()).unwrap();
            let refused = MasterKey::at(&path, &Entropy::seeded(1));
            assert!(matches!(refused, Err(VaultError::NoKey(_))), "{text:?}");
        }
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            private::replace(&path, "11".repeat(32).as_bytes()).unwrap();
            let open = std::fs::Permissions::from_mode(0o640);
            std::fs::set_permissions(&path, open).unwrap();
            let refused = MasterKey::at(&path, &Entropy::seeded(1));
            assert!(matches!(refused, Err(VaultError::Open(_))));
        }
    }
}
