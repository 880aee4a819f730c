//! `keys.deleteKey`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;
use crate::keys::Need;

/// Which key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct DeleteKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    /// Whether nothing of it is to be left.
    #[serde(default)]
    permanent: bool,
}

/// Deletes a key.
pub(in crate::console::v2) struct DeleteKey;

#[async_trait]
impl Operation for DeleteKey {
    const NAME: &'static str = "keys.deleteKey";
    const SUMMARY: &'static str = "Delete a key, which opens nothing any more";
    type Request = DeleteKeyRequest;
    type Data = Empty;

    async fn run(call: &Call, request: DeleteKeyRequest) -> Result<Reply<Empty>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(
            &api.id,
            &api.key_space,
            &key.id,
            "delete_key",
        ))?;
        let store = call.service.store();
        store
            .delete_key(&key.id, request.permanent, call.audited())
            .await?;
        Ok(Reply::Data(Empty {}))
    }
}
