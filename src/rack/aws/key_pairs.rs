//! EC2 key pairs.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use aws_sdk_ec2::error::ProvideErrorMetadata;
use aws_sdk_ec2::types::{
    Filter, KeyFormat, KeyPairInfo, KeyType as SdkKeyType, ResourceType, Tag, TagSpecification,
};

use super::account::Clients;
use super::error::Call;
use super::stacks::timestamp_of;
use crate::rack::{KeyPair, KeyPairs, KeyType, MintedKeyPair, PortError, PrivateKey};

/// The name that dry runs use. On AWS no key pair of this name is ever made.
const PROBE: &str = "convox-permission-check";

/// EC2's key pairs, as a port.
pub(super) struct AwsKeyPairs {
    clients: Arc<Clients>,
}

impl AwsKeyPairs {
    pub(super) fn new(clients: Arc<Clients>) -> Self {
        Self { clients }
    }

    fn client(&self) -> &aws_sdk_ec2::Client {
        self.clients.ec2()
    }

    async fn delete_for_good(&self, name: &str) -> Result<(), PortError> {
        let what = format!("key pair {name}");
        let call = Call::new("ec2", "DeleteKeyPair", &what);
        match self.client().delete_key_pair().key_name(name).send().await {
            Ok(_) => Ok(()),
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(()),
                error => Err(error),
            },
        }
    }
}

#[async_trait]
impl KeyPairs for AwsKeyPairs {
    async fn create(
        &self,
        name: &str,
        kind: KeyType,
        tags: &BTreeMap<String, String>,
    ) -> Result<MintedKeyPair, PortError> {
        let what = format!("key pair {name}");
        let call = Call::new("ec2", "CreateKeyPair", &what);
        // The answer alone has the private half. An attempt that the SDK repeated by itself
        // would hide that the first one made a key pair that nobody can use.
        let once = aws_sdk_ec2::config::Builder::new().retry_config(RetryConfig::disabled());
        let answer = self
            .client()
            .create_key_pair()
            .key_name(name)
            .key_type(SdkKeyType::from(kind.as_str()))
            .key_format(KeyFormat::Pem)
            .set_tag_specifications(specification_of(tags))
            .customize()
            .config_override(once)
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        // The SDK reads an answer that breaks off as one that is short of fields.
        let material = answer.key_material.filter(|material| is_whole(material));
        let Some(material) = material else {
            return Err(PortError::Unanswered {
                api: "CreateKeyPair",
                message: "the answer has no whole private key".to_owned(),
            });
        };
        Ok(MintedKeyPair {
            pair: KeyPair {
                id: answer.key_pair_id.unwrap_or_default(),
                name: answer.key_name.unwrap_or_else(|| name.to_owned()),
                fingerprint: answer.key_fingerprint.unwrap_or_default(),
                tags: tags.clone(),
                created_at: None,
            },
            private: PrivateKey::new(material),
        })
    }

    async fn delete(&self, name: &str) -> Result<(), PortError> {
        self.delete_for_good(name).await
    }

    async fn find(&self, name: &str) -> Result<Option<KeyPair>, PortError> {
        let what = format!("key pair {name}");
        let call = Call::new("ec2", "DescribeKeyPairs", &what);
        match self
            .client()
            .describe_key_pairs()
            .key_names(name)
            .send()
            .await
        {
            Ok(answer) => {
                let pairs = answer
                    .key_pairs
                    .unwrap_or_default()
                    .into_iter()
                    .map(pair_of);
                Ok(pairs.into_iter().find(|pair| pair.name == name))
            }
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn tagged(&self, tags: &BTreeMap<String, String>) -> Result<Vec<KeyPair>, PortError> {
        let call = Call::new("ec2", "DescribeKeyPairs", "key pairs");
        let filters = tags.iter().map(|(key, value)| {
            Filter::builder()
                .name(format!("tag:{key}"))
                .values(value)
                .build()
        });
        let answer = self
            .client()
            .describe_key_pairs()
            .set_filters(Some(filters.collect()));
        let answer = answer.send().await.map_err(|error| call.failed(error))?;
        let pairs = answer
            .key_pairs
            .unwrap_or_default()
            .into_iter()
            .map(pair_of);
        // Whoever asks may delete what is found: believe the tags, not the filter.
        let carries = |pair: &KeyPair| tags.iter().all(|(k, v)| pair.tags.get(k) == Some(v));
        Ok(pairs.filter(carries).collect())
    }

    async fn public_line(&self, name: &str) -> Result<Option<String>, PortError> {
        let what = format!("key pair {name}");
        let call = Call::new("ec2", "DescribeKeyPairs", &what);
        let asked = self.client().describe_key_pairs().key_names(name);
        match asked.include_public_key(true).send().await {
            Ok(answer) => {
                let mut pairs = answer.key_pairs.unwrap_or_default().into_iter();
                let pair = pairs.find(|pair| pair.key_name.as_deref() == Some(name));
                let line = pair.and_then(|pair| pair.public_key);
                Ok(line.filter(|line| !line.trim().is_empty()))
            }
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(None),
                error => Err(error),
            },
        }
    }

    async fn tag(&self, pair: &KeyPair, key: &str, value: &str) -> Result<(), PortError> {
        let what = format!("key pair {}", pair.name);
        let call = Call::new("ec2", "CreateTags", &what);
        let tag = Tag::builder().key(key).value(value).build();
        let made = self.client().create_tags().resources(&pair.id).tags(tag);
        made.send().await.map_err(|error| call.failed(error))?;
        Ok(())
    }

    async fn check_permissions(&self) -> Result<(), PortError> {
        let tags = BTreeMap::from([("created-by".to_owned(), "convox".to_owned())]);
        let call = Call::new("ec2", "CreateKeyPair", "the key pair of a dry run");
        let dry = self
            .client()
            .create_key_pair()
            .key_name(PROBE)
            .dry_run(true);
        match dry
            .set_tag_specifications(specification_of(&tags))
            .send()
            .await
        {
            Err(error) if error.code() == Some("DryRunOperation") => {}
            Err(error) => match call.failed(error) {
                PortError::AlreadyExists { .. } => {}
                error => return Err(error),
            },
            // Some emulators carry out a dry run: leave nothing behind there.
            Ok(_) => self.delete_for_good(PROBE).await?,
        }
        let call = Call::new("ec2", "DeleteKeyPair", "the key pair of a dry run");
        match self
            .client()
            .delete_key_pair()
            .key_name(PROBE)
            .dry_run(true)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.code() == Some("DryRunOperation") => Ok(()),
            Err(error) => match call.failed(error) {
                PortError::NotFound { .. } => Ok(()),
                error => Err(error),
            },
        }
    }
}

/// Tells whether a PEM text has its first line and its last.
fn is_whole(material: &str) -> bool {
    material.starts_with("-----BEGIN ") && material.trim_end().ends_with(" PRIVATE KEY-----")
}

fn specification_of(tags: &BTreeMap<String, String>) -> Option<Vec<TagSpecification>> {
    let list = tags
        .iter()
        .map(|(key, value)| Tag::builder().key(key).value(value).build());
    let specification = TagSpecification::builder().resource_type(ResourceType::KeyPair);
    (!tags.is_empty()).then(|| vec![specification.set_tags(Some(list.collect())).build()])
}

fn pair_of(info: KeyPairInfo) -> KeyPair {
    let tags = info.tags.unwrap_or_default().into_iter();
    KeyPair {
        id: info.key_pair_id.unwrap_or_default(),
        name: info.key_name.unwrap_or_default(),
        fingerprint: info.key_fingerprint.unwrap_or_default(),
        tags: tags
            .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
            .collect(),
        created_at: info.create_time.as_ref().and_then(timestamp_of),
    }
}
