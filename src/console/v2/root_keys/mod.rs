//! Root keys: keys to the key service itself.
//!
//! Nobody makes a root key that may do more than their own, or that outlives it; nor does anybody
//! reroll one, since that hands out its secret.

mod create;
mod delete;
mod list;
mod reroll;

pub(super) use create::CreateRootKey;
pub(super) use delete::DeleteRootKey;
pub(super) use list::ListRootKeys;
pub(super) use reroll::RerollRootKey;

use super::error::{ApiError, Kind};
use super::operation::Call;
use crate::console::init::{ROOT_BYTES, ROOT_PREFIX};
use crate::keys::SecretFormat;

/// How the secrets of root keys are written.
fn format() -> Result<SecretFormat, ApiError> {
    SecretFormat::new(Some(ROOT_PREFIX), ROOT_BYTES)
        .map_err(|error| ApiError::new(Kind::UNEXPECTED, error.to_string()))
}

/// Makes sure that the caller may hand out a root key with these permissions and this end.
fn within_own(call: &Call, permissions: &[String], expires: Option<i64>) -> Result<(), ApiError> {
    let missing = permissions
        .iter()
        .find(|permission| !call.root.grants.cover(permission));
    if let Some(missing) = missing {
        let detail = format!("Missing permission: '{missing}'");
        return Err(ApiError::new(Kind::INSUFFICIENT_PERMISSIONS, detail));
    }
    let own = call.root.root.expires;
    if own.is_some_and(|own| expires.is_none_or(|expires| expires > own)) {
        return Err(ApiError::new(
            Kind::FORBIDDEN,
            "A root key that expires makes none that outlives it.",
        ));
    }
    Ok(())
}
