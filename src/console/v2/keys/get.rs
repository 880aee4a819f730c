//! `keys.getKey`.

use async_trait::async_trait;
use secrecy::SecretString;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{KeyResponse, Plaintext};
use crate::keys::Need;

/// Which key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct GetKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    /// Whether to read the secret back.
    #[serde(default)]
    decrypt: bool,
}

/// Shows a key.
pub(in crate::console::v2) struct GetKey;

#[async_trait]
impl Operation for GetKey {
    const NAME: &'static str = "keys.getKey";
    const SUMMARY: &'static str = "Show a key";
    type Request = GetKeyRequest;
    type Data = KeyResponse;

    async fn run(call: &Call, request: GetKeyRequest) -> Result<Reply<KeyResponse>, ApiError> {
        let (key, api) = call.key(&request.key_id).await?;
        let need = |action| Need::on_key(&api.id, &api.key_space, &key.id, action);
        call.need(&need("read_key"))?;
        let mut shown = KeyResponse::of(&key, call.service.now());
        if request.decrypt {
            call.need(&need("decrypt_key"))?;
            shown.plaintext = call.plaintext(&key).await?;
        }
        Ok(Reply::Data(shown))
    }
}

impl Call {
    /// Reads the secret of a key back, if it may be.
    ///
    /// # Errors
    /// 500 when what was sealed cannot be opened.
    pub(in crate::console::v2) async fn plaintext(
        &self,
        key: &crate::keys::Key,
    ) -> Result<Option<Plaintext>, ApiError> {
        if !key.recoverable {
            return Ok(None);
        }
        let store = self.service.store();
        let Some(sealed) = store.sealed_key(self.workspace(), &key.id).await? else {
            return Ok(None);
        };
        self.opened(&sealed, &key.id).await.map(Some)
    }

    /// Opens the sealed secret of the key `id`.
    ///
    /// # Errors
    /// 500 when it cannot be opened.
    pub(in crate::console::v2) async fn opened(
        &self,
        sealed: &[u8],
        id: &str,
    ) -> Result<Plaintext, ApiError> {
        match self.service.unseal(sealed, id).await {
            Ok(text) => Ok(SecretString::from(text.as_str()).into()),
            Err(_) => Err(ApiError::new(
                Kind::UNEXPECTED,
                "The secret cannot be read back: the server's master key is another.",
            )),
        }
    }
}
