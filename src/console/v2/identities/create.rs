//! `identities.createIdentity`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{RatelimitRequest, metadata, new_ratelimits};
use crate::keys::Need;
use crate::store::NewIdentity;

/// An identity to be made. Upstream's schema is an open one too.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct CreateIdentityRequest {
    /// What you call it.
    #[schema(min_length = 1, max_length = 255, pattern = "^[a-zA-Z0-9_.-]+$")]
    external_id: String,
    #[schema(value_type = Option<Object>)]
    meta: Option<Map<String, Value>>,
    /// Limits that all its keys share.
    #[serde(default)]
    #[schema(max_items = 50)]
    ratelimits: Vec<RatelimitRequest>,
}

/// The identity that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct CreateIdentityData {
    identity_id: String,
}

/// Makes an identity.
pub(in crate::console::v2) struct CreateIdentity;

#[async_trait]
impl Operation for CreateIdentity {
    const NAME: &'static str = "identities.createIdentity";
    const SUMMARY: &'static str = "Make an identity, whom keys can be issued to";
    type Request = CreateIdentityRequest;
    type Data = CreateIdentityData;

    async fn run(
        call: &Call,
        request: CreateIdentityRequest,
    ) -> Result<Reply<CreateIdentityData>, ApiError> {
        call.need(&Need::on_all("identity", "create_identity"))?;
        let new = NewIdentity {
            external_id: request.external_id,
            meta: metadata(request.meta)?,
            ratelimits: new_ratelimits(request.ratelimits)?,
        };
        let store = call.service.store();
        let identity_id = store.create_identity(new, call.audited()).await?;
        Ok(Reply::Data(CreateIdentityData { identity_id }))
    }
}
