//! `apis.getApi`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::Need;

/// Which API.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct GetApiRequest {
    #[schema(min_length = 8, max_length = 255)]
    api_id: String,
}

/// An API.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::console::v2) struct GetApiData {
    id: String,
    name: String,
}

/// Shows an API.
pub(in crate::console::v2) struct GetApi;

#[async_trait]
impl Operation for GetApi {
    const NAME: &'static str = "apis.getApi";
    const SUMMARY: &'static str = "Show an API";
    type Request = GetApiRequest;
    type Data = GetApiData;

    async fn run(call: &Call, request: GetApiRequest) -> Result<Reply<GetApiData>, ApiError> {
        let api = call.api(&request.api_id).await?;
        call.need(&Need::on_api(&api.id, &api.key_space, "read_api"))?;
        Ok(Reply::Data(GetApiData {
            id: api.id,
            name: api.name,
        }))
    }
}
