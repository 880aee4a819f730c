//! `permissions.deleteRole`.

use async_trait::async_trait;

use super::get_role::RoleRequest;
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;
use crate::keys::Need;

/// Deletes a role.
pub(in crate::console::v2) struct DeleteRole;

#[async_trait]
impl Operation for DeleteRole {
    const NAME: &'static str = "permissions.deleteRole";
    const SUMMARY: &'static str = "Delete a role, which no key has any more";
    type Request = RoleRequest;
    type Data = Empty;

    async fn run(call: &Call, request: RoleRequest) -> Result<Reply<Empty>, ApiError> {
        call.need(&Need::on_all("rbac", "delete_role"))?;
        let store = call.service.store();
        store.delete_role(&request.role, call.audited()).await?;
        Ok(Reply::Data(Empty {}))
    }
}
