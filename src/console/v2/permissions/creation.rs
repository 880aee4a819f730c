//! Permissions that are named and not there: they are made for those who may make them.

use crate::console::v2::error::ApiError;
use crate::console::v2::operation::Call;
use crate::keys::Need;
use crate::store::{StoreError, Thing};

impl Call {
    /// Tells whether the caller may make permissions.
    pub(in crate::console::v2) fn may_create_permissions(&self) -> bool {
        self.may(&creation())
    }

    /// Words what went wrong: a permission that is not there, and that the caller may not make,
    /// is a right that they lack.
    pub(in crate::console::v2) fn not_created(&self, error: StoreError) -> ApiError {
        let is_permission = matches!(&error, StoreError::NotFoundCalled(Thing::Permission, _));
        match self.need(&creation()) {
            Err(lacking) if is_permission => lacking,
            _ => error.into(),
        }
    }
}

fn creation() -> Need<'static> {
    Need::on_all("rbac", "create_permission")
}
