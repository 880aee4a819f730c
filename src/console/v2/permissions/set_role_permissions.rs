//! `permissions.setRolePermissions`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::keys::check_slugs;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::PermissionResponse;
use crate::keys::Need;

/// All the permissions that a role is to have.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct SetRolePermissionsRequest {
    /// Its id or its name.
    #[schema(min_length = 1, max_length = 255)]
    role: Option<String>,
    /// What older clients call it.
    #[schema(min_length = 1, max_length = 255)]
    role_id: Option<String>,
    /// Slugs, of permissions which are made if need be.
    #[schema(max_items = 1000)]
    permissions: Vec<String>,
}

/// Leaves a role with these permissions and no others.
pub(in crate::console::v2) struct SetRolePermissions;

#[async_trait]
impl Operation for SetRolePermissions {
    const NAME: &'static str = "permissions.setRolePermissions";
    const SUMMARY: &'static str = "Put other permissions in the place of those that a role has";
    type Request = SetRolePermissionsRequest;
    type Data = Vec<PermissionResponse>;

    async fn run(
        call: &Call,
        request: SetRolePermissionsRequest,
    ) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
        for action in ["add_permission_to_role", "remove_permission_from_role"] {
            call.need(&Need::on_all("rbac", action))?;
        }
        check_slugs(&request.permissions)?;
        let Some(role) = request.role.or(request.role_id) else {
            return Err(ApiError::invalid("role", "The role is missing."));
        };
        let (may_create, by) = (call.may_create_permissions(), call.audited());
        let store = call.service.store();
        let after = store
            .set_role_permissions(&role, request.permissions, may_create, by)
            .await
            .map_err(|error| call.not_created(error))?;
        Ok(Reply::Data(after.iter().map(Into::into).collect()))
    }
}
