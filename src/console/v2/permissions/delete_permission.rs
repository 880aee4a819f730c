//! `permissions.deletePermission`.

use async_trait::async_trait;

use super::get_permission::PermissionRequest;
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;
use crate::keys::Need;

/// Deletes a permission.
pub(in crate::console::v2) struct DeletePermission;

#[async_trait]
impl Operation for DeletePermission {
    const NAME: &'static str = "permissions.deletePermission";
    const SUMMARY: &'static str = "Delete a permission, which no key and no role has any more";
    type Request = PermissionRequest;
    type Data = Empty;

    async fn run(call: &Call, request: PermissionRequest) -> Result<Reply<Empty>, ApiError> {
        call.need(&Need::on_all("rbac", "delete_permission"))?;
        let store = call.service.store();
        store
            .delete_permission(&request.permission, call.audited())
            .await?;
        Ok(Reply::Data(Empty {}))
    }
}
