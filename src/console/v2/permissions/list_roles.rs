//! `permissions.listRoles`.

use async_trait::async_trait;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::page::PageRequest;
use crate::console::v2::types::RoleResponse;
use crate::keys::Need;

/// Lists roles.
pub(in crate::console::v2) struct ListRoles;

#[async_trait]
impl Operation for ListRoles {
    const NAME: &'static str = "permissions.listRoles";
    const SUMMARY: &'static str = "List roles";
    type Request = PageRequest;
    type Data = Vec<RoleResponse>;

    async fn run(call: &Call, request: PageRequest) -> Result<Reply<Vec<RoleResponse>>, ApiError> {
        call.need(&Need::on_all("rbac", "read_role"))?;
        let store = call.service.store();
        let found = store.roles(call.workspace(), request.into()).await?;
        let shown = found.items.iter().map(Into::into).collect();
        Ok(Reply::Page(shown, found.next))
    }
}
