//! `rootKeys.deleteKey`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;
use crate::keys::Need;

/// Which root key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct DeleteRootKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
}

/// Deletes a root key.
pub(in crate::console::v2) struct DeleteRootKey;

#[async_trait]
impl Operation for DeleteRootKey {
    const NAME: &'static str = "rootKeys.deleteKey";
    const SUMMARY: &'static str = "Delete a root key, which opens nothing any more";
    type Request = DeleteRootKeyRequest;
    type Data = Empty;

    async fn run(call: &Call, request: DeleteRootKeyRequest) -> Result<Reply<Empty>, ApiError> {
        let store = call.service.store();
        let root = store.root_key(call.workspace(), &request.key_id).await?;
        call.need(&Need::on("root_key", &root.id, "delete_root_key"))?;
        if root.id == call.root.root.id {
            return Err(ApiError::new(
                Kind::PROTECTED,
                "A root key cannot delete itself. Ask with another one.",
            ));
        }
        store.delete_root_key(&root.id, call.audited()).await?;
        Ok(Reply::Data(Empty {}))
    }
}
