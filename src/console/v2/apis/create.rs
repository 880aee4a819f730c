//! `apis.createApi`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::{Need, SecretFormat};
use crate::store::NewApi;

/// An API to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct CreateApiRequest {
    #[schema(min_length = 3, max_length = 256)]
    name: String,
    /// The prefix of keys that name none. An extension.
    #[schema(min_length = 1, max_length = 16, pattern = "^[a-zA-Z0-9_]+$")]
    default_prefix: Option<String>,
    /// The random bytes of keys that name no number: 16 where this is left out. An extension.
    #[schema(minimum = 16, maximum = 255)]
    default_bytes: Option<u8>,
    /// Whether its keys may be kept, sealed, so that they can be read back. An extension.
    #[serde(default)]
    store_encrypted_keys: bool,
}

/// The API that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct CreateApiData {
    api_id: String,
}

/// Makes an API.
pub(in crate::console::v2) struct CreateApi;

#[async_trait]
impl Operation for CreateApi {
    const NAME: &'static str = "apis.createApi";
    const SUMMARY: &'static str = "Make an API: a set of keys";
    type Request = CreateApiRequest;
    type Data = CreateApiData;

    async fn run(call: &Call, request: CreateApiRequest) -> Result<Reply<CreateApiData>, ApiError> {
        call.need(&Need::on_all("api", "create_api"))?;
        SecretFormat::new(request.default_prefix.as_deref(), SecretFormat::FEWEST)
            .map_err(|error| ApiError::invalid("defaultPrefix", error.to_string()))?;
        let new = NewApi {
            name: request.name,
            default_prefix: request.default_prefix,
            default_bytes: request.default_bytes,
            stores_sealed_keys: request.store_encrypted_keys,
        };
        let api = call.service.store().create_api(new, call.audited()).await?;
        Ok(Reply::Data(CreateApiData { api_id: api.id }))
    }
}
