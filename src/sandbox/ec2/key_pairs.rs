//! Key pairs: of each the account keeps the public half only.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::api::AwsError;
use super::super::world::World;
use super::Ec2;
use super::key_material::{self, Material};

pub use super::key_material::KeyKind;

/// How many key pairs a region may hold (EC2 service quotas).
pub const KEY_PAIR_LIMIT: usize = 5_000;

/// A key pair as EC2 keeps it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KeyPair {
    /// The id, such as `key-0123456789abcdef0`.
    pub id: String,
    /// The name.
    pub name: String,
    /// Its kind.
    pub kind: KeyKind,
    /// The fingerprint in EC2's form for its kind and origin.
    pub fingerprint: String,
    /// The public key in OpenSSH form, with the name as its comment.
    pub public_key: String,
    /// When it was made or brought in.
    pub created: Timestamp,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}

/// A new key pair's private half, which the account hands out once and does not keep.
pub struct MintedKeyPair {
    /// The id.
    pub id: String,
    /// The fingerprint.
    pub fingerprint: String,
    /// The private key as text.
    pub private_key: String,
}

impl std::fmt::Debug for MintedKeyPair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MintedKeyPair")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Ec2 {
    /// Returns the public key of a key pair in OpenSSH form.
    #[must_use]
    pub fn public_key(&self, name: &str) -> Option<&str> {
        self.key_pairs
            .get(name)
            .map(|pair| pair.public_key.as_str())
    }

    /// Returns a key pair.
    #[must_use]
    pub fn key_pair(&self, name: &str) -> Option<&KeyPair> {
        self.key_pairs.get(name)
    }

    /// Returns all key pairs, by name.
    pub fn key_pairs(&self) -> impl Iterator<Item = &KeyPair> {
        self.key_pairs.values()
    }
}

impl World {
    /// Returns the names of all key pairs.
    #[must_use]
    pub fn key_pair_names(&self) -> Vec<String> {
        self.ec2.key_pairs.keys().cloned().collect()
    }

    /// Makes a key pair; the caller gets the only copy of the private half.
    ///
    /// # Errors
    /// When the name is taken or the region is full.
    pub fn create_key_pair(
        &mut self,
        name: &str,
        kind: KeyKind,
        tags: BTreeMap<String, String>,
    ) -> Result<MintedKeyPair, AwsError> {
        self.room_for_key_pair(name)?;
        let (material, private_key) = match kind {
            KeyKind::Ed25519 => {
                let mut seed = [0; 32];
                for eight in seed.chunks_exact_mut(8) {
                    eight.copy_from_slice(&self.chance.bits().to_be_bytes());
                }
                key_material::ed25519(&seed, name)
            }
            KeyKind::Rsa => key_material::rsa(name),
        }
        .map_err(|error| AwsError::new(500, "InternalError", error.to_string()))?;
        let fingerprint = material.fingerprint.clone();
        let id = self.keep_key_pair(name, material, tags);
        Ok(MintedKeyPair {
            id,
            fingerprint,
            private_key,
        })
    }

    /// Brings in the public half of somebody's own key pair and returns its id.
    ///
    /// # Errors
    /// When the name is taken, the region is full, or the text is no public key.
    pub fn import_key_pair(
        &mut self,
        name: &str,
        public_key: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<String, AwsError> {
        self.room_for_key_pair(name)?;
        let material = key_material::imported(public_key, name).ok_or_else(|| {
            AwsError::new(
                400,
                "InvalidKey.Format",
                "Key is not in valid OpenSSH public key format",
            )
        })?;
        Ok(self.keep_key_pair(name, material, tags))
    }

    /// Deletes a key pair; one that is not there counts as deleted. Instances keep their keys.
    pub fn delete_key_pair(&mut self, name: &str) -> Option<KeyPair> {
        self.ec2.key_pairs.remove(name)
    }

    pub(super) fn room_for_key_pair(&self, name: &str) -> Result<(), AwsError> {
        if name.is_empty() || name.len() > 255 || !name.is_ascii() {
            return Err(AwsError::new(
                400,
                "InvalidParameterValue",
                format!("Value ({name}) for parameter keyName is invalid."),
            ));
        }
        if self.ec2.key_pairs.contains_key(name) {
            return Err(AwsError::new(
                400,
                "InvalidKeyPair.Duplicate",
                "The keypair already exists",
            ));
        }
        if self.ec2.key_pairs.len() >= KEY_PAIR_LIMIT {
            return Err(AwsError::new(
                400,
                "KeyPairLimitExceeded",
                format!("You have reached the limit of {KEY_PAIR_LIMIT} key pairs in this region."),
            ));
        }
        Ok(())
    }

    fn keep_key_pair(
        &mut self,
        name: &str,
        material: Material,
        tags: BTreeMap<String, String>,
    ) -> String {
        let id = self.chance.id("key");
        let pair = KeyPair {
            id: id.clone(),
            name: name.to_owned(),
            kind: material.kind,
            fingerprint: material.fingerprint,
            public_key: material.public_key,
            created: self.now,
            tags,
        };
        self.ec2.key_pairs.insert(name.to_owned(), pair);
        id
    }
}

/// EC2's answer about a key pair that it does not know.
pub(super) fn no_such_key_pair(name: &str) -> AwsError {
    AwsError::new(
        400,
        "InvalidKeyPair.NotFound",
        format!("The key pair '{name}' does not exist"),
    )
}
