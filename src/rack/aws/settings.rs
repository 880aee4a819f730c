//! The settings bucket of a Convox rack, in the format that a classic rack reads.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use super::account::Clients;
use super::bucket::{Objects, PROBE, not_stored, same_as_probe};
use super::error::Call;
use crate::envelope::{self, Envelope, KEY_LEN, NONCE_LEN};
use crate::ids::Entropy;
use crate::rack::{KeyStore, PortError, PrivateKey, StackResource, Stacks};

type Result<T> = std::result::Result<T, PortError>;

/// The setting that a classic rack logs in with.
const CURRENT: &str = "instance-key";

/// The logical ids of the bucket and of the key in a rack's template.
const BUCKET: &str = "Settings";
const ENCRYPTION_KEY: &str = "EncryptionKey";

/// A rack's settings as a key store: `instance-keys/<name>` and `instance-key`.
pub(super) struct SettingsStore {
    clients: Arc<Clients>,
    stacks: Arc<dyn Stacks>,
    /// The stack's name or ARN.
    stack: String,
    entropy: Entropy,
    place: OnceCell<Place>,
}

/// Where a rack's settings are, once the stack has told.
#[derive(Clone)]
struct Place {
    objects: Objects,
    encryption_key: String,
}

impl SettingsStore {
    pub(super) fn new(
        clients: Arc<Clients>,
        stacks: Arc<dyn Stacks>,
        stack: &str,
        entropy: &Entropy,
    ) -> Self {
        let stack = stack.to_owned();
        Self {
            clients,
            stacks,
            stack,
            entropy: entropy.clone(),
            place: OnceCell::new(),
        }
    }

    fn broken(&self, message: impl Into<String>) -> PortError {
        PortError::KeyStore {
            store: self.describe(),
            message: message.into(),
        }
    }

    /// Asks the stack for its bucket and its key, once.
    async fn place(&self) -> Result<&Place> {
        self.place
            .get_or_try_init(|| async {
                let resources = self.stacks.resources(&self.stack).await?;
                let bucket = physical(&resources, BUCKET, "AWS::S3::Bucket").ok_or_else(|| {
                    self.broken(
                        "the stack has no settings bucket, so it is no Convox rack: name another \
                         key_store in the configuration",
                    )
                })?;
                let encryption_key = physical(&resources, ENCRYPTION_KEY, "").ok_or_else(|| {
                    self.broken("the stack has no encryption key to seal settings with")
                })?;
                let clients = Arc::clone(&self.clients);
                Ok(Place {
                    objects: Objects { clients, bucket },
                    encryption_key,
                })
            })
            .await
    }

    async fn write(&self, object: &str, text: &str) -> Result<()> {
        let place = self.place().await?;
        let call = Call::new("kms", "GenerateDataKey", &place.encryption_key);
        let answer = self
            .clients
            .kms()
            .generate_data_key()
            .key_id(&place.encryption_key)
            .key_spec(DataKeySpec::Aes256)
            .send()
            .await
            .map_err(|error| call.failed(error))?;
        let data_key = self.data_key(answer.plaintext)?;
        let Some(wrapped) = answer.ciphertext_blob else {
            return Err(self.broken("KMS did not wrap the data key"));
        };
        let mut nonce = [0; NONCE_LEN];
        self.entropy.fill(&mut nonce);
        let sealed = envelope::seal(&data_key, wrapped.as_ref(), &nonce, text.as_bytes())
            .map_err(|error| self.broken(error.to_string()))?;
        // The bucket's own default encryption applies on top, as it does for a classic rack.
        place.objects.put(object, &sealed, None).await
    }

    async fn read(&self, object: &str) -> Result<Option<Zeroizing<String>>> {
        let place = self.place().await?;
        let Some(sealed) = place.objects.get(object).await? else {
            return Ok(None);
        };
        let broken = |error: envelope::EnvelopeError| self.broken(format!("{object}: {error}"));
        let sealed = Envelope::parse(&sealed).map_err(broken)?;
        let call = Call::new("kms", "Decrypt", object);
        let wrapped = Blob::new(sealed.wrapped_key());
        let answer = self
            .clients
            .kms()
            .decrypt()
            .ciphertext_blob(wrapped)
            .send()
            .await;
        let answer = answer.map_err(|error| call.failed(error))?;
        let data_key = self.data_key(answer.plaintext)?;
        let plain = sealed.open(&data_key).map_err(broken)?;
        let text = String::from_utf8(plain.to_vec())
            .map_err(|_| self.broken(format!("{object}: not text")))?;
        Ok(Some(Zeroizing::new(text)))
    }

    fn data_key(&self, key: Option<Blob>) -> Result<Zeroizing<[u8; KEY_LEN]>> {
        let key = Zeroizing::new(key.map(Blob::into_inner).unwrap_or_default());
        let key = <[u8; KEY_LEN]>::try_from(key.as_slice());
        key.map(Zeroizing::new)
            .map_err(|_| self.broken("KMS gave no data key of 32 bytes"))
    }
}

fn physical(resources: &[StackResource], logical_id: &str, kind: &str) -> Option<String> {
    let mut named = resources
        .iter()
        .filter(|resource| resource.logical_id == logical_id);
    named
        .find(|resource| resource.resource_type.starts_with(kind))
        .map(|resource| resource.physical_id.clone())
        .filter(|id| !id.is_empty())
}

fn private_key(text: Option<Zeroizing<String>>) -> Option<PrivateKey> {
    text.map(|text| PrivateKey::new(text.as_str().to_owned()))
}

fn object(name: &str) -> String {
    format!("instance-keys/{name}")
}

#[async_trait]
impl KeyStore for SettingsStore {
    fn describe(&self) -> String {
        match self.place.get() {
            Some(place) => format!("s3://{}/{CURRENT}", place.objects.bucket),
            None => format!("the settings bucket of {}", self.stack),
        }
    }

    async fn check(&self) -> Result<()> {
        let probe = object(PROBE);
        self.write(&probe, PROBE).await?;
        let read = self.read(&probe).await?;
        self.place().await?.objects.delete(&probe).await?;
        same_as_probe(read.as_deref().map(String::as_str), || self.describe())
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()> {
        self.write(&object(name), key.expose()).await
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>> {
        Ok(private_key(self.read(&object(name)).await?))
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.place().await?.objects.delete(&object(name)).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let objects = &self.place().await?.objects;
        let names = objects.list(&object(prefix)).await?.into_iter();
        Ok(names.map(|rest| format!("{prefix}{rest}")).collect())
    }

    async fn current(&self) -> Result<Option<PrivateKey>> {
        Ok(private_key(self.read(CURRENT).await?))
    }

    async fn promote(&self, name: &str) -> Result<()> {
        let key = self
            .get(name)
            .await?
            .ok_or_else(|| not_stored(name, || self.describe()))?;
        self.write(CURRENT, key.expose()).await
    }

    fn of_stack(&self, arn: &str) -> Option<Arc<dyn KeyStore>> {
        Some(Arc::new(Self {
            clients: Arc::clone(&self.clients),
            stacks: Arc::clone(&self.stacks),
            stack: arn.to_owned(),
            entropy: self.entropy.clone(),
            place: self.place.clone(),
        }))
    }
}
