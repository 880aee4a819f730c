//! `permissions.getPermission`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::PermissionResponse;
use crate::keys::Need;

/// Which permission.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct PermissionRequest {
    /// Its id or its slug.
    #[schema(min_length = 1, max_length = 255)]
    pub(super) permission: String,
}

/// Shows a permission.
pub(in crate::console::v2) struct GetPermission;

#[async_trait]
impl Operation for GetPermission {
    const NAME: &'static str = "permissions.getPermission";
    const SUMMARY: &'static str = "Show a permission";
    type Request = PermissionRequest;
    type Data = PermissionResponse;

    async fn run(
        call: &Call,
        request: PermissionRequest,
    ) -> Result<Reply<PermissionResponse>, ApiError> {
        call.need(&Need::on_all("rbac", "read_permission"))?;
        let store = call.service.store();
        let permission = store
            .permission(call.workspace(), &request.permission)
            .await?;
        Ok(Reply::Data((&permission).into()))
    }
}
