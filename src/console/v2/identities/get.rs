//! `identities.getIdentity`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::IdentityResponse;
use crate::keys::{Identity, Need};

/// Which identity.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct IdentityRequest {
    /// Its id, or what you call it.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) identity: String,
}

/// Shows an identity.
pub(in crate::console::v2) struct GetIdentity;

#[async_trait]
impl Operation for GetIdentity {
    const NAME: &'static str = "identities.getIdentity";
    const SUMMARY: &'static str = "Show an identity";
    type Request = IdentityRequest;
    type Data = IdentityResponse;

    async fn run(
        call: &Call,
        request: IdentityRequest,
    ) -> Result<Reply<IdentityResponse>, ApiError> {
        let identity = call.identity(&request.identity, "read_identity").await?;
        Ok(Reply::Data((&identity).into()))
    }
}

impl Call {
    /// Finds an identity of the caller's workspace, for one action.
    ///
    /// # Errors
    /// 404 when there is none such, 403 when the caller may not do that with it.
    pub(super) async fn identity(
        &self,
        which: &str,
        action: &'static str,
    ) -> Result<Identity, ApiError> {
        let store = self.service.store();
        let identity = store.identity(self.workspace(), which).await?;
        self.need(&Need::on("identity", &identity.id, action))?;
        Ok(identity)
    }
}
