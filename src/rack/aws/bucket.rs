//! Private keys as objects in a bucket, encrypted by S3.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use zeroize::Zeroizing;

use super::account::Clients;
use super::error::Call;
use crate::rack::{KeyStore, PortError, PrivateKey};

/// What a probe stores for a moment.
pub(super) const PROBE: &str = "convox-check";

/// Reads and writes small text objects of one bucket.
#[derive(Clone)]
pub(super) struct Objects {
    pub(super) clients: Arc<Clients>,
    pub(super) bucket: String,
}

impl Objects {
    pub(super) async fn put(
        &self,
        object: &str,
        text: &str,
        encryption: Option<&Encryption>,
    ) -> Result<(), PortError> {
        let what = format!("s3://{}/{object}", self.bucket);
        let call = Call::new("s3", "PutObject", &what);
        let put = self
            .clients
            .s3()
            .put_object()
            .bucket(&self.bucket)
            .key(object);
        let mut put = put.body(ByteStream::from(text.as_bytes().to_vec()));
        if let Some(encryption) = encryption {
            put = match &encryption.kms_key {
                Some(key) => put
                    .server_side_encryption(ServerSideEncryption::AwsKms)
                    .ssekms_key_id(key),
                None => put.server_side_encryption(ServerSideEncryption::Aes256),
            };
        }
        put.send()
            .await
            .map(drop)
            .map_err(|error| call.failed(error))
    }

    pub(super) async fn get(&self, object: &str) -> Result<Option<Zeroizing<String>>, PortError> {
        let what = format!("s3://{}/{object}", self.bucket);
        let call = Call::new("s3", "GetObject", &what);
        let answer = self
            .clients
            .s3()
            .get_object()
            .bucket(&self.bucket)
            .key(object)
            .send()
            .await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.as_service_error().is_some_and(|e| e.is_no_such_key()) => {
                return Ok(None);
            }
            // A missing bucket is not a missing key.
            Err(error) => return Err(call.failed(error)),
        };
        let bytes = answer
            .body
            .collect()
            .await
            .map_err(|error| PortError::Unanswered {
                api: call.api,
                message: error.to_string(),
            })?;
        match String::from_utf8(bytes.to_vec()) {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(_) => Err(PortError::KeyStore {
                store: what,
                message: "not text".to_owned(),
            }),
        }
    }

    /// Lists the objects whose keys begin with `prefix`, without it.
    pub(super) async fn list(&self, prefix: &str) -> Result<Vec<String>, PortError> {
        let what = format!("s3://{}", self.bucket);
        let call = Call::new("s3", "ListObjectsV2", &what);
        let mut names = Vec::new();
        let mut token = None;
        loop {
            let page = self.clients.s3().list_objects_v2().bucket(&self.bucket);
            let page = page.prefix(prefix).set_continuation_token(token);
            let page = page.send().await.map_err(|error| call.failed(error))?;
            let keys = page.contents.unwrap_or_default().into_iter();
            names.extend(keys.filter_map(|object| {
                let key = object.key?;
                key.strip_prefix(prefix).map(str::to_owned)
            }));
            token = page.next_continuation_token.filter(|it| !it.is_empty());
            if token.is_none() {
                return Ok(names);
            }
        }
    }

    pub(super) async fn delete(&self, object: &str) -> Result<(), PortError> {
        let what = format!("s3://{}/{object}", self.bucket);
        let call = Call::new("s3", "DeleteObject", &what);
        let answer = self
            .clients
            .s3()
            .delete_object()
            .bucket(&self.bucket)
            .key(object)
            .send();
        answer.await.map(drop).map_err(|error| call.failed(error))
    }
}

/// How S3 encrypts what it is given.
pub(super) struct Encryption {
    pub(super) kms_key: Option<String>,
}

/// A bucket and a prefix as a key store: `<prefix>/keys/<name>` and `<prefix>/current`.
pub(super) struct BucketStore {
    objects: Objects,
    prefix: String,
    encryption: Encryption,
}

impl BucketStore {
    pub(super) fn new(
        clients: Arc<Clients>,
        bucket: &str,
        prefix: &str,
        kms_key: Option<&str>,
    ) -> Result<Self, PortError> {
        if bucket.is_empty() {
            return Err(PortError::KeyStore {
                store: "s3".to_owned(),
                message: "the bucket has no name".to_owned(),
            });
        }
        Ok(Self {
            objects: Objects {
                clients,
                bucket: bucket.to_owned(),
            },
            prefix: prefix.trim_matches('/').to_owned(),
            encryption: Encryption {
                kms_key: kms_key.map(str::to_owned),
            },
        })
    }

    fn object(&self, rest: &str) -> String {
        if self.prefix.is_empty() {
            rest.to_owned()
        } else {
            format!("{}/{rest}", self.prefix)
        }
    }

    async fn write(&self, object: &str, text: &str) -> Result<(), PortError> {
        self.objects.put(object, text, Some(&self.encryption)).await
    }

    async fn read(&self, object: &str) -> Result<Option<PrivateKey>, PortError> {
        let text = self.objects.get(object).await?;
        Ok(text.map(|text| PrivateKey::new(text.as_str().to_owned())))
    }
}

#[async_trait]
impl KeyStore for BucketStore {
    fn describe(&self) -> String {
        format!("s3://{}/{}", self.objects.bucket, self.object(""))
    }

    async fn check(&self) -> Result<()> {
        let probe = self.object(PROBE);
        self.write(&probe, PROBE).await?;
        let read = self.objects.get(&probe).await?;
        self.objects.delete(&probe).await?;
        same_as_probe(read.as_deref().map(String::as_str), || self.describe())
    }

    async fn put(&self, name: &str, key: &PrivateKey) -> Result<()> {
        self.write(&self.object(&format!("keys/{name}")), key.expose())
            .await
    }

    async fn get(&self, name: &str) -> Result<Option<PrivateKey>> {
        self.read(&self.object(&format!("keys/{name}"))).await
    }

    async fn delete(&self, name: &str) -> Result<()> {
        self.objects
            .delete(&self.object(&format!("keys/{name}")))
            .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<String>> {
        let all = self.object(&format!("keys/{prefix}"));
        let names = self.objects.list(&all).await?.into_iter();
        Ok(names.map(|rest| format!("{prefix}{rest}")).collect())
    }

    async fn current(&self) -> Result<Option<PrivateKey>> {
        self.read(&self.object("current")).await
    }

    async fn promote(&self, name: &str) -> Result<()> {
        let key = self
            .get(name)
            .await?
            .ok_or_else(|| not_stored(name, || self.describe()))?;
        self.write(&self.object("current"), key.expose()).await
    }
}

type Result<T, E = PortError> = std::result::Result<T, E>;

/// Says whether what was read back is what a probe had written.
pub(super) fn same_as_probe(read: Option<&str>, store: impl Fn() -> String) -> Result<()> {
    match read {
        Some(text) if text.trim_end() == PROBE => Ok(()),
        _ => Err(PortError::KeyStore {
            store: store(),
            message: "what was just written cannot be read back".to_owned(),
        }),
    }
}

/// Says that a key to be promoted is not there.
pub(super) fn not_stored(name: &str, store: impl Fn() -> String) -> PortError {
    PortError::KeyStore {
        store: store(),
        message: format!("it has no private key for {name}"),
    }
}
