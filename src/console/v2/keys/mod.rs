//! Keys.

mod create;
mod credits;
mod delete;
mod get;
pub(super) mod once;
mod permissions;
mod reroll;
mod roles;
mod rotation;
mod rotation_uses;
mod update;
mod verify;
mod whoami;

pub(super) use create::{CreateKey, check_slugs};
pub(super) use credits::UpdateCredits;
pub(super) use delete::DeleteKey;
pub(super) use get::GetKey;
pub(super) use permissions::{AddPermissions, RemovePermissions, SetPermissions};
pub(super) use reroll::RerollKey;
pub(super) use roles::{AddRoles, RemoveRoles, SetRoles};
pub(super) use rotation::{CancelRotation, FinishRotation, GetRotation};
pub(super) use update::UpdateKey;
pub(super) use verify::VerifyKey;
pub(super) use whoami::WhoAmI;
