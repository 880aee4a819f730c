//! `identities.listIdentities`.

use async_trait::async_trait;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::page::PageRequest;
use crate::console::v2::types::IdentityResponse;
use crate::keys::Need;

/// Lists identities.
pub(in crate::console::v2) struct ListIdentities;

#[async_trait]
impl Operation for ListIdentities {
    const NAME: &'static str = "identities.listIdentities";
    const SUMMARY: &'static str = "List identities";
    type Request = PageRequest;
    type Data = Vec<IdentityResponse>;

    async fn run(
        call: &Call,
        request: PageRequest,
    ) -> Result<Reply<Vec<IdentityResponse>>, ApiError> {
        call.need(&Need::on_all("identity", "read_identity"))?;
        let store = call.service.store();
        let found = store.identities(call.workspace(), request.into()).await?;
        let shown = found.items.iter().map(Into::into).collect();
        Ok(Reply::Page(shown, found.next))
    }
}
