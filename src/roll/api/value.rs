//! The new key itself, from the moment it is made: never in a plan, an event or a journal.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::ids::{Entropy, RollId};
use crate::rack::{PortError, PrivateKey};

/// How many bytes a key is minted from: 43 or 44 characters of base 58.
const MINTED_FROM: usize = 32;

/// What is asked of a roll of the rack API's key.
#[derive(Clone, Default)]
pub struct ApiKeyRequest {
    /// The new key; one is made when there is none.
    pub value: Option<SecretString>,
    /// Parameters that change in the same update.
    pub set: BTreeMap<String, String>,
    /// A new file that gets the key once it works.
    pub password_out: Option<PathBuf>,
    /// Whether the key is shown to whoever asks for the roll, once it works.
    pub shown: bool,
}

/// Makes a key: 32 bytes of chance in base 58, which no shell, URL or header has to quote.
pub fn mint(entropy: &Entropy) -> SecretString {
    let mut bytes = Zeroizing::new([0; MINTED_FROM]);
    entropy.fill(bytes.as_mut_slice());
    SecretString::from(bs58::encode(bytes.as_slice()).into_string())
}

/// Returns the name under which the key store keeps the new key of a roll.
pub(in crate::roll) fn name_of(rack: &str, roll: &str) -> String {
    format!("{rack}-password-{roll}")
}

/// Returns the roll whose new key is kept under `name`.
pub(in crate::roll) fn roll_of(rack: &str, name: &str) -> Option<RollId> {
    let roll = name.strip_prefix(rack)?.strip_prefix("-password-")?;
    roll.parse().ok()
}

/// The new key with all that another machine needs to go on with its roll.
#[derive(Clone)]
pub(in crate::roll) struct NewKey {
    pub(in crate::roll) value: SecretString,
    /// Parameters that change in the same update; their values may be secrets too.
    pub(in crate::roll) set: BTreeMap<String, String>,
    /// The stack's ARN.
    pub(in crate::roll) stack: String,
    /// Whether it was made here, and so is known to nobody else.
    pub(in crate::roll) minted: bool,
}

/// The form in which the key store keeps it.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u32,
    kind: &'a str,
    stack: &'a str,
    minted: bool,
    set: BTreeMap<String, String>,
    value: &'a str,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey")
            .field("stack", &self.stack)
            .field("set", &self.set.keys())
            .finish_non_exhaustive()
    }
}

impl NewKey {
    /// Writes it for the key store, which seals it.
    pub(in crate::roll) fn to_stored(&self) -> PrivateKey {
        let stored = Stored {
            v: 1,
            kind: "password",
            stack: &self.stack,
            minted: self.minted,
            set: self.set.clone(),
            value: self.value.expose_secret(),
        };
        PrivateKey::new(serde_json::to_string(&stored).unwrap_or_default())
    }

    /// Reads what the key store kept under `name`.
    pub(in crate::roll) fn of_stored(stored: &PrivateKey, name: &str) -> Result<Self, PortError> {
        #[derive(Deserialize)]
        struct Owned {
            stack: String,
            minted: bool,
            set: BTreeMap<String, String>,
            value: SecretText,
        }
        let read: Result<Owned, _> = serde_json::from_str(stored.expose());
        // The error's own text may quote what it could not read.
        let read = read.map_err(|_| PortError::KeyStore {
            store: name.to_owned(),
            message: "it holds no key of a roll".to_owned(),
        })?;
        Ok(Self {
            value: read.value.0,
            set: read.set,
            stack: read.stack,
            minted: read.minted,
        })
    }
}

struct SecretText(SecretString);

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_fits_every_template() {
        for seed in 0..200 {
            let key = mint(&Entropy::seeded(seed));
            let text = key.expose_secret();
            assert!((40..=44).contains(&text.len()), "{}", text.len());
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn what_is_stored_comes_back_and_debug_tells_nothing() {
        let key = NewKey {
            value: SecretString::from("p@ss \"w+rd%&"),
            set: BTreeMap::from([("HttpProxy".to_owned(), "http://u:secret@h".to_owned())]),
            stack: "arn".to_owned(),
            minted: false,
        };
        let back = NewKey::of_stored(&key.to_stored(), "x").unwrap();
        assert_eq!(back.value.expose_secret(), key.value.expose_secret());
        assert_eq!(back.set, key.set);
        let shown = format!("{key:?} {back:?}");
        assert!(
            !shown.contains("p@ss") && !shown.contains("secret"),
            "{shown}"
        );
        let broken = PrivateKey::new("{\"value\":\"hush\"}".to_owned());
        let error = NewKey::of_stored(&broken, "x").unwrap_err().to_string();
        assert!(!error.contains("hush"), "{error}");
    }

    #[test]
    fn a_name_tells_its_roll() {
        let roll = "01kb2q5z8g000001";
        let name = name_of("prod", roll);
        assert_eq!(roll_of("prod", &name).unwrap().as_str(), roll);
        assert!(roll_of("prod2", &name).is_none());
        assert!(roll_of("prod", "prod-keypair-4711").is_none());
    }
}
