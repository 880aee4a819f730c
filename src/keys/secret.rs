//! The secret itself: how it is made, what of it is kept, and how it is recognised.
//!
//! Only the SHA-256 of the whole text is kept. A secret has at least 128 random bits, so a slow
//! hash would protect nothing that a fast one does not; and since keys are looked up by that hash
//! and never compared with one another, there is nothing that could take a telling time.

use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ids::Entropy;

/// The SHA-256 of a whole key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

impl Hash {
    /// Hashes the whole text of a key.
    #[must_use]
    pub fn of(key: &str) -> Self {
        Self::of_bytes(key.as_bytes())
    }

    /// Hashes any bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads back what a database kept; none if it is not 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Returns the bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Enough to tell two apart in a failing test, too little to look one up.
        write!(f, "Hash({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// How a secret is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFormat {
    prefix: Option<String>,
    bytes: u8,
}

/// A prefix that a key cannot have.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a prefix has 1 to 16 letters, digits and underscores")]
pub struct BadPrefix;

impl SecretFormat {
    /// The fewest random bytes.
    pub const FEWEST: u8 = 16;

    /// Makes a format with `bytes` random bytes, of which there are at least 16.
    ///
    /// # Errors
    /// When the prefix is not 1 to 16 letters, digits and underscores.
    pub fn new(prefix: Option<&str>, bytes: u8) -> Result<Self, BadPrefix> {
        let is_word = |prefix: &str| {
            (1..=16).contains(&prefix.len())
                && prefix
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        if prefix.is_some_and(|prefix| !is_word(prefix)) {
            return Err(BadPrefix);
        }
        Ok(Self {
            prefix: prefix.map(str::to_owned),
            bytes: bytes.max(Self::FEWEST),
        })
    }

    /// Returns what stands before the last underscore, if anything does.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }

    /// Returns how many random bytes a secret has.
    #[must_use]
    pub fn bytes(&self) -> u8 {
        self.bytes
    }

    /// Makes a secret: the prefix, an underscore, and the bytes in base 58.
    #[must_use]
    pub fn mint(&self, entropy: &Entropy) -> NewSecret {
        let mut bytes = Zeroizing::new(vec![0; usize::from(self.bytes)]);
        entropy.fill(&mut bytes);
        let chance = Zeroizing::new(bs58::encode(bytes.as_slice()).into_string());
        let head = self
            .prefix
            .as_ref()
            .map_or_else(String::new, |prefix| format!("{prefix}_"));
        let start = format!("{head}{}", &chance[..4]);
        let text = SecretString::from(format!("{head}{}", chance.as_str()));
        NewSecret {
            hash: Hash::of(text.expose_secret()),
            start,
            text,
        }
    }
}

/// A secret that was just made. Its text is shown once and kept nowhere.
#[derive(Clone)]
pub struct NewSecret {
    /// The whole key.
    pub text: SecretString,
    /// What is kept of it.
    pub hash: Hash,
    /// Its beginning, by which a person knows it again: the prefix and four characters.
    pub start: String,
}

impl fmt::Debug for NewSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSecret")
            .field("start", &self.start)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_has_its_prefix_and_its_bytes() {
        let entropy = Entropy::seeded(7);
        let format = SecretFormat::new(Some("sk_live"), 24).unwrap();
        let secret = format.mint(&entropy);
        let text = secret.text.expose_secret();
        let chance = text.strip_prefix("sk_live_").unwrap();
        assert_eq!(bs58::decode(chance).into_vec().unwrap().len(), 24);
        assert_eq!(secret.start, text[..12]);
        assert_eq!(secret.hash, Hash::of(text));
        let bare = SecretFormat::new(None, 1).unwrap().mint(&entropy);
        let chance = bs58::decode(bare.text.expose_secret()).into_vec().unwrap();
        assert_eq!(chance.len(), 16, "never fewer than 128 bits");
        assert_eq!(bare.start.len(), 4);
    }

    #[test]
    fn what_debug_shows_is_no_secret() {
        let secret = SecretFormat::new(None, 16)
            .unwrap()
            .mint(&Entropy::seeded(1));
        let shown = format!("{secret:?} {:?}", secret.hash);
        assert!(!shown.contains(&secret.text.expose_secret()[4..]));
    }

    #[test]
    fn a_prefix_is_a_word() {
        for prefix in ["", "sk-live", "sk live", "a234567890123456x", "é"] {
            assert_eq!(
                SecretFormat::new(Some(prefix), 16),
                Err(BadPrefix),
                "{prefix}"
            );
        }
    }
}
