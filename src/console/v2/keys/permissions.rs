//! `keys.addPermissions`, `keys.setPermissions`, `keys.removePermissions`: what a key may do
//! besides what its roles may.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use super::create::check_slugs;
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::PermissionResponse;
use crate::keys::Need;
use crate::store::ListChange;

/// Permissions that a key is given or loses, by slug.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct KeyPermissionsRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    #[schema(min_items = 1, max_items = 1000)]
    permissions: Vec<String>,
}

/// All the permissions that a key is to have directly, by slug.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct SetPermissionsRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    #[schema(max_items = 1000)]
    permissions: Vec<String>,
}

/// Gives a key further permissions.
pub(in crate::console::v2) struct AddPermissions;

#[async_trait]
impl Operation for AddPermissions {
    const NAME: &'static str = "keys.addPermissions";
    const SUMMARY: &'static str = "Give a key further permissions, which are made if need be";
    type Request = KeyPermissionsRequest;
    type Data = Vec<PermissionResponse>;

    async fn run(
        call: &Call,
        request: KeyPermissionsRequest,
    ) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
        let actions = &["add_permission_to_key"];
        let KeyPermissionsRequest {
            key_id,
            permissions,
        } = request;
        change(call, &key_id, ListChange::Add, permissions, actions).await
    }
}

/// Leaves a key with these permissions and no others of its own.
pub(in crate::console::v2) struct SetPermissions;

#[async_trait]
impl Operation for SetPermissions {
    const NAME: &'static str = "keys.setPermissions";
    const SUMMARY: &'static str = "Put other permissions in the place of those that a key has";
    type Request = SetPermissionsRequest;
    type Data = Vec<PermissionResponse>;

    async fn run(
        call: &Call,
        request: SetPermissionsRequest,
    ) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
        let actions = &["add_permission_to_key", "remove_permission_from_key"];
        let SetPermissionsRequest {
            key_id,
            permissions,
        } = request;
        change(call, &key_id, ListChange::Set, permissions, actions).await
    }
}

/// Takes permissions from a key.
pub(in crate::console::v2) struct RemovePermissions;

#[async_trait]
impl Operation for RemovePermissions {
    const NAME: &'static str = "keys.removePermissions";
    const SUMMARY: &'static str = "Take permissions from a key; what it has by its roles stays";
    type Request = KeyPermissionsRequest;
    type Data = Vec<PermissionResponse>;

    async fn run(
        call: &Call,
        request: KeyPermissionsRequest,
    ) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
        let actions = &["remove_permission_from_key"];
        let KeyPermissionsRequest {
            key_id,
            permissions,
        } = request;
        change(call, &key_id, ListChange::Remove, permissions, actions).await
    }
}

async fn change(
    call: &Call,
    key: &str,
    change: ListChange,
    slugs: Vec<String>,
    actions: &[&'static str],
) -> Result<Reply<Vec<PermissionResponse>>, ApiError> {
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
    check_slugs(&slugs)?;
    let may_create = call.may_create_permissions();
    let store = call.service.store();
    let after = store
        .change_key_permissions(&key.id, change, slugs, may_create, call.audited())
        .await
        .map_err(|error| call.not_created(error))?;
    Ok(Reply::Data(after.iter().map(Into::into).collect()))
}
