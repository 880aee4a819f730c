//! Data keys of KMS, for what is sealed outside of AWS.

use std::sync::Arc;

use async_trait::async_trait;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;
use zeroize::Zeroizing;

use super::account::Clients;
use super::error::Call;
use crate::rack::{DataKey, DataKeys, PortError};

/// The encryption context, without which KMS unwraps nothing; policies and CloudTrail see it.
const PURPOSE: (&str, &str) = ("convox", "console master key");

/// Data keys under one KMS key.
pub(super) struct KmsDataKeys {
    clients: Arc<Clients>,
    kms_key: String,
}

impl KmsDataKeys {
    pub(super) fn new(clients: Arc<Clients>, kms_key: &str) -> Self {
        let kms_key = kms_key.to_owned();
        Self { clients, kms_key }
    }

    fn plain(&self, call: &Call<'_>, key: Option<Blob>) -> Result<Zeroizing<[u8; 32]>, PortError> {
        let key = Zeroizing::new(key.map(Blob::into_inner).unwrap_or_default());
        let key = <[u8; 32]>::try_from(key.as_slice()).map(Zeroizing::new);
        key.map_err(|_| self.unanswered(call, "the answer holds no key of 32 bytes"))
    }

    fn unanswered(&self, call: &Call<'_>, message: &str) -> PortError {
        PortError::Unanswered {
            api: call.api,
            message: message.to_owned(),
        }
    }
}

#[async_trait]
impl DataKeys for KmsDataKeys {
    fn describe(&self) -> String {
        format!("KMS key {}", self.kms_key)
    }

    async fn generate(&self) -> Result<DataKey, PortError> {
        let call = Call::new("kms", "GenerateDataKey", &self.kms_key);
        let request = self.clients.kms().generate_data_key();
        let request = request
            .key_id(&self.kms_key)
            .key_spec(DataKeySpec::Aes256)
            .encryption_context(PURPOSE.0, PURPOSE.1);
        let answer = request.send().await.map_err(|error| call.failed(error))?;
        let plain = self.plain(&call, answer.plaintext)?;
        let wrapped = answer.ciphertext_blob.map(Blob::into_inner);
        let wrapped = wrapped.filter(|wrapped| !wrapped.is_empty());
        let wrapped = wrapped.ok_or_else(|| self.unanswered(&call, "the key is not wrapped"))?;
        Ok(DataKey { plain, wrapped })
    }

    async fn unwrap(&self, wrapped: &[u8]) -> Result<Zeroizing<[u8; 32]>, PortError> {
        let call = Call::new("kms", "Decrypt", "the console's master key");
        // Which KMS key that was is in what it wrapped: the alias may mean another one by now.
        let request = self.clients.kms().decrypt();
        let request = request
            .ciphertext_blob(Blob::new(wrapped))
            .encryption_context(PURPOSE.0, PURPOSE.1);
        let answer = request.send().await.map_err(|error| call.failed(error))?;
        self.plain(&call, answer.plaintext)
    }
}
