//! `keys.addRoles`, `keys.setRoles`, `keys.removeRoles`: the roles of a key.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::RoleResponse;
use crate::keys::Need;
use crate::store::ListChange;

/// Roles that a key is given or loses, by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct KeyRolesRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    #[schema(min_items = 1, max_items = 100)]
    roles: Vec<String>,
}

/// All the roles that a key is to have, by name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct SetRolesRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    #[schema(max_items = 100)]
    roles: Vec<String>,
}

/// Gives a key further roles.
pub(in crate::console::v2) struct AddRoles;

#[async_trait]
impl Operation for AddRoles {
    const NAME: &'static str = "keys.addRoles";
    const SUMMARY: &'static str = "Give a key further roles";
    type Request = KeyRolesRequest;
    type Data = Vec<RoleResponse>;

    async fn run(
        call: &Call,
        request: KeyRolesRequest,
    ) -> Result<Reply<Vec<RoleResponse>>, ApiError> {
        let actions = &["add_role_to_key"];
        change(
            call,
            &request.key_id,
            ListChange::Add,
            request.roles,
            actions,
        )
        .await
    }
}

/// Leaves a key with these roles and no others.
pub(in crate::console::v2) struct SetRoles;

#[async_trait]
impl Operation for SetRoles {
    const NAME: &'static str = "keys.setRoles";
    const SUMMARY: &'static str = "Put other roles in the place of those that a key has";
    type Request = SetRolesRequest;
    type Data = Vec<RoleResponse>;

    async fn run(
        call: &Call,
        request: SetRolesRequest,
    ) -> Result<Reply<Vec<RoleResponse>>, ApiError> {
        change(call, &request.key_id, ListChange::Set, request.roles, &[]).await
    }
}

/// Takes roles from a key.
pub(in crate::console::v2) struct RemoveRoles;

#[async_trait]
impl Operation for RemoveRoles {
    const NAME: &'static str = "keys.removeRoles";
    const SUMMARY: &'static str = "Take roles from a key";
    type Request = KeyRolesRequest;
    type Data = Vec<RoleResponse>;

    async fn run(
        call: &Call,
        request: KeyRolesRequest,
    ) -> Result<Reply<Vec<RoleResponse>>, ApiError> {
        change(
            call,
            &request.key_id,
            ListChange::Remove,
            request.roles,
            &[],
        )
        .await
    }
}

async fn change(
    call: &Call,
    key: &str,
    change: ListChange,
    names: Vec<String>,
    actions: &[&'static str],
) -> Result<Reply<Vec<RoleResponse>>, ApiError> {
    let (key, api) = call.key_record(key).await?;
    call.need(&Need::on_key(
        &api.id,
        &api.key_space,
        &key.id,
        "update_key",
    ))?;
    for action in actions {
        call.need(&Need::on_all("rbac", action))?;
    }
    let store = call.service.store();
    let after = store
        .change_key_roles(&key.id, change, names, call.audited())
        .await?;
    Ok(Reply::Data(after.iter().map(Into::into).collect()))
}
