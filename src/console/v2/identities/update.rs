//! `identities.updateIdentity`.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{IdentityResponse, RatelimitRequest, metadata, new_ratelimits};
use crate::store::IdentityUpdate;

/// What is to change of an identity. What is left out stays as it is.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct UpdateIdentityRequest {
    /// Its id, or what you call it.
    #[schema(min_length = 1, max_length = 255)]
    identity: String,
    #[schema(value_type = Option<Object>)]
    meta: Option<Map<String, Value>>,
    /// All its limits. One that keeps its name and its duration counts on.
    #[schema(max_items = 50)]
    ratelimits: Option<Vec<RatelimitRequest>>,
}

/// Changes an identity.
pub(in crate::console::v2) struct UpdateIdentity;

#[async_trait]
impl Operation for UpdateIdentity {
    const NAME: &'static str = "identities.updateIdentity";
    const SUMMARY: &'static str = "Change an identity, and the limits that its keys share";
    type Request = UpdateIdentityRequest;
    type Data = IdentityResponse;

    async fn run(
        call: &Call,
        request: UpdateIdentityRequest,
    ) -> Result<Reply<IdentityResponse>, ApiError> {
        let identity = call.identity(&request.identity, "update_identity").await?;
        let update = IdentityUpdate {
            meta: metadata(request.meta)?,
            ratelimits: request.ratelimits.map(new_ratelimits).transpose()?,
        };
        let store = call.service.store();
        let after = store
            .update_identity(&identity.id, update, call.audited())
            .await?;
        Ok(Reply::Data((&after).into()))
    }
}
