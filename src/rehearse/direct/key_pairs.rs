//! EC2 key pairs.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::json;

use super::{Direct, not_rehearsed, text};
use crate::rack::{KeyPair, KeyPairs, KeyType, MintedKeyPair, PortError, PrivateKey};
use crate::sandbox::ec2;

#[async_trait]
impl KeyPairs for Direct {
    async fn create(
        &self,
        name: &str,
        kind: KeyType,
        tags: &BTreeMap<String, String>,
    ) -> Result<MintedKeyPair, PortError> {
        let listed = tags.iter();
        let listed = listed.map(|(key, value)| json!({ "Key": key, "Value": value }));
        let listed: Vec<_> = listed.collect();
        let input = json!({
            "KeyName": name,
            "KeyType": kind.as_str(),
            "TagSpecification": [{ "ResourceType": "key-pair", "Tag": listed }],
        });
        let made = self.call("CreateKeyPair", ec2::handle, input)?;
        let pair = self.find(name).await?;
        Ok(MintedKeyPair {
            pair: pair.ok_or_else(|| PortError::NotFound {
                what: format!("key pair {name}"),
            })?,
            private: PrivateKey::new(text(&made, "keyMaterial")),
        })
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.sandbox.with(|world| world.delete_key_pair(name));
        Ok(())
    }

    async fn find(&self, name: &str) -> Result<Option<KeyPair>, PortError> {
        Ok(self
            .sandbox
            .with(|world| world.ec2.key_pair(name).map(pair_of)))
    }

    async fn tagged(&self, tags: &BTreeMap<String, String>) -> Result<Vec<KeyPair>, PortError> {
        Ok(self.sandbox.with(|world| {
            let has = |pair: &&ec2::KeyPair| {
                tags.iter()
                    .all(|(key, value)| pair.tags.get(key) == Some(value))
            };
            world.ec2.key_pairs().filter(has).map(pair_of).collect()
        }))
    }

    async fn public_line(&self, name: &str) -> Result<Option<String>, PortError> {
        let line = |pair: &ec2::KeyPair| pair.public_key.clone();
        Ok(self
            .sandbox
            .with(|world| world.ec2.key_pair(name).map(line)))
    }

    async fn tag(&self, _: &KeyPair, _: &str, _: &str) -> Result<(), PortError> {
        Err(not_rehearsed("CreateTags"))
    }

    async fn check_permissions(&self) -> Result<(), PortError> {
        Ok(())
    }
}

fn pair_of(pair: &ec2::KeyPair) -> KeyPair {
    KeyPair {
        id: pair.id.clone(),
        name: pair.name.clone(),
        fingerprint: pair.fingerprint.clone(),
        tags: pair.tags.clone(),
        created_at: Some(pair.created),
    }
}
