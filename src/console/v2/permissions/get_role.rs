//! `permissions.getRole`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::RoleResponse;
use crate::keys::Need;

/// Which role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct RoleRequest {
    /// Its id or its name.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) role: String,
}

/// Shows a role.
pub(in crate::console::v2) struct GetRole;

#[async_trait]
impl Operation for GetRole {
    const NAME: &'static str = "permissions.getRole";
    const SUMMARY: &'static str = "Show a role";
    type Request = RoleRequest;
    type Data = RoleResponse;

    async fn run(call: &Call, request: RoleRequest) -> Result<Reply<RoleResponse>, ApiError> {
        call.need(&Need::on_all("rbac", "read_role"))?;
        let store = call.service.store();
        let role = store.role(call.workspace(), &request.role).await?;
        Ok(Reply::Data((&role).into()))
    }
}
