//! `identities.deleteIdentity`.

use async_trait::async_trait;

use super::get::IdentityRequest;
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::Empty;

/// Deletes an identity.
pub(in crate::console::v2) struct DeleteIdentity;

#[async_trait]
impl Operation for DeleteIdentity {
    const NAME: &'static str = "identities.deleteIdentity";
    const SUMMARY: &'static str = "Delete an identity; its keys stay, without its limits";
    type Request = IdentityRequest;
    type Data = Empty;

    async fn run(call: &Call, request: IdentityRequest) -> Result<Reply<Empty>, ApiError> {
        let identity = call.identity(&request.identity, "delete_identity").await?;
        let store = call.service.store();
        store.delete_identity(&identity.id, call.audited()).await?;
        Ok(Reply::Done)
    }
}
