//! `permissions.createRole`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::keys::check_slugs;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::Need;
use crate::store::NewRole;

/// A role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct CreateRoleRequest {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    /// What it is for.
    #[schema(max_length = 512)]
    description: Option<String>,
    /// Slugs of the permissions that it has, which are made if need be.
    #[serde(default)]
    #[schema(max_items = 1000)]
    permissions: Vec<String>,
}

/// The role that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct CreateRoleData {
    role_id: String,
}

/// Makes a role.
pub(in crate::console::v2) struct CreateRole;

#[async_trait]
impl Operation for CreateRole {
    const NAME: &'static str = "permissions.createRole";
    const SUMMARY: &'static str = "Make a role: several permissions under one name";
    type Request = CreateRoleRequest;
    type Data = CreateRoleData;

    async fn run(
        call: &Call,
        request: CreateRoleRequest,
    ) -> Result<Reply<CreateRoleData>, ApiError> {
        call.need(&Need::on_all("rbac", "create_role"))?;
        if !request.permissions.is_empty() {
            call.need(&Need::on_all("rbac", "add_permission_to_role"))?;
        }
        check_slugs(&request.permissions)?;
        let new = NewRole {
            name: request.name,
            description: request.description.filter(|text| !text.is_empty()),
            permissions: request.permissions,
        };
        let may_create = call.may_create_permissions();
        let store = call.service.store();
        let role_id = store
            .create_role(new, may_create, call.audited())
            .await
            .map_err(|error| call.not_created(error))?;
        Ok(Reply::Data(CreateRoleData { role_id }))
    }
}
