//! APIs: sets of keys.

mod create;
mod delete;
mod get;
mod list_keys;

pub(super) use create::CreateApi;
pub(super) use delete::DeleteApi;
pub(super) use get::GetApi;
pub(super) use list_keys::ListKeys;
