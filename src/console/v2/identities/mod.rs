//! Identities: customers of an API's owner, whom keys are issued to.

mod create;
mod delete;
mod get;
mod list;
mod update;

pub(super) use create::CreateIdentity;
pub(super) use delete::DeleteIdentity;
pub(super) use get::GetIdentity;
pub(super) use list::ListIdentities;
pub(super) use update::UpdateIdentity;
