//! APIs: sets of keys.

mod create;
mod delete;
mod get;

pub(super) use create::CreateApi;
pub(super) use delete::DeleteApi;
pub(super) use get::GetApi;
