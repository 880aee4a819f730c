//! Keys.

mod create;
mod delete;
mod get;
pub(super) mod once;
mod reroll;
mod rotation;
mod verify;
mod whoami;

pub(super) use create::CreateKey;
pub(super) use delete::DeleteKey;
pub(super) use get::GetKey;
pub(super) use reroll::RerollKey;
pub(super) use rotation::{CancelRotation, FinishRotation, GetRotation};
pub(super) use verify::VerifyKey;
pub(super) use whoami::WhoAmI;
