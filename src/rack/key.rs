//! Key pairs and the stores that hold their private halves.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

/// The kind of an EC2 key pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyType {
    /// Ed25519.
    Ed25519,
    /// RSA, 2048 bits.
    Rsa,
}

impl KeyType {
    /// Returns the name that the EC2 API uses.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ed25519 => "ed25519",
            Self::Rsa => "rsa",
        }
    }
}

/// A key pair as EC2 knows it: never with the private half.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyPair {
    /// The id, such as `key-0123456789abcdef0`.
    pub id: String,
    /// The name that instances report.
    pub name: String,
    /// The fingerprint in EC2's form for its type.
    pub fingerprint: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// When it was made.
    pub created_at: Option<Timestamp>,
}

/// A private key in PEM or OpenSSH form. It prints as nothing, and is wiped when dropped.
#[derive(Debug, Clone)]
pub struct PrivateKey(SecretString);

impl PrivateKey {
    /// Wraps a key in text form.
    #[must_use]
    pub fn new(pem: String) -> Self {
        Self(SecretString::from(pem))
    }

    /// Returns the text, for the few places that must write it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Compares the two keys, white space at the end apart.
    #[must_use]
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.expose().trim_end() == other.expose().trim_end()
    }
}

/// A key pair at the one moment when EC2 gives its private half away.
#[derive(Debug)]
pub struct MintedKeyPair {
    /// What EC2 keeps.
    pub pair: KeyPair,
    /// What only we have.
    pub private: PrivateKey,
}
