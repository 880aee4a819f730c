//! Permissions, and roles, which are several permissions under one name.

mod create_permission;
mod create_role;
mod creation;
mod delete_permission;
mod delete_role;
mod get_permission;
mod get_role;
mod list_permissions;
mod list_roles;
mod set_role_permissions;

pub(super) use create_permission::CreatePermission;
pub(super) use create_role::CreateRole;
pub(super) use delete_permission::DeletePermission;
pub(super) use delete_role::DeleteRole;
pub(super) use get_permission::GetPermission;
pub(super) use get_role::GetRole;
pub(super) use list_permissions::ListPermissions;
pub(super) use list_roles::ListRoles;
pub(super) use set_role_permissions::SetRolePermissions;
