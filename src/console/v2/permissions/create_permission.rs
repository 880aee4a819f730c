//! `permissions.createPermission`.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::Need;
use crate::store::NewPermission;

/// A permission to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct CreatePermissionRequest {
    /// What people call it.
    #[schema(min_length = 1, max_length = 512)]
    name: String,
    /// What programs call it.
    #[schema(min_length = 1, max_length = 128, pattern = r"^[a-zA-Z0-9_:\-.*]+$")]
    slug: String,
    /// What it is for.
    #[schema(max_length = 512)]
    description: Option<String>,
}

/// The permission that was made.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct CreatePermissionData {
    permission_id: String,
}

/// Makes a permission.
pub(in crate::console::v2) struct CreatePermission;

#[async_trait]
impl Operation for CreatePermission {
    const NAME: &'static str = "permissions.createPermission";
    const SUMMARY: &'static str = "Make a permission";
    type Request = CreatePermissionRequest;
    type Data = CreatePermissionData;

    async fn run(
        call: &Call,
        request: CreatePermissionRequest,
    ) -> Result<Reply<CreatePermissionData>, ApiError> {
        call.need(&Need::on_all("rbac", "create_permission"))?;
        let new = NewPermission {
            name: request.name,
            slug: request.slug,
            description: request.description.filter(|text| !text.is_empty()),
        };
        let store = call.service.store();
        let permission_id = store.create_permission(new, call.audited()).await?;
        Ok(Reply::Data(CreatePermissionData { permission_id }))
    }
}
