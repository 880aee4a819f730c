//! `apis.deleteApi`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;
use crate::keys::Need;

/// Which API.
#[derive(Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct DeleteApiRequest {
    #[schema(min_length = 8, max_length = 255)]
    api_id: String,
}

/// Deletes an API and all its keys.
pub(in crate::console::v2) struct DeleteApi;

#[async_trait]
impl Operation for DeleteApi {
    const NAME: &'static str = "apis.deleteApi";
    const SUMMARY: &'static str = "Delete an API and all its keys, which open nothing any more";
    type Request = DeleteApiRequest;
    type Data = Empty;

    async fn run(call: &Call, request: DeleteApiRequest) -> Result<Reply<Empty>, ApiError> {
        let api = call.api(&request.api_id).await?;
        call.need(&Need::on_api(&api.id, &api.key_space, "delete_api"))?;
        let store = call.service.store();
        store.delete_api(&api.id, call.audited()).await?;
        Ok(Reply::Data(Empty {}))
    }
}
