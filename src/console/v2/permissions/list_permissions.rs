//! `permissions.listPermissions`.

use async_trait::async_trait;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::page::PageRequest;
use crate::console::v2::types::PermissionResponse;
use crate::keys::Need;

/// Lists permissions.
pub(in crate::console::v2) struct ListPermissions;

#[async_trait]
impl Operation for ListPermissions {
    const NAME: &'static str = "permissions.listPermissions";
    const SUMMARY: &'static str = "List permissions";
    type Request = PageRequest;
    type Data = Vec<PermissionResponse>;

    async fn run(
        call: &Call,
        request: PageRequest,
    ) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
        call.need(&Need::on_all("rbac", "read_permission"))?;
        let store = call.service.store();
        let found = store.permissions(call.workspace(), request.into()).await?;
        let shown = found.items.iter().map(Into::into).collect();
        Ok(Reply::Page(shown, found.next))
    }
}
