//! `rootKeys.createKey`.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{format, within_own};
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::keys::once::{MadeKey, once, reply};
use crate::console::v2::operation::{Call, Operation};
use crate::keys::{IdKind, Need, new_id};
use crate::store::NewRootKey;

/// A root key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct CreateRootKeyRequest {
    /// What it may do: nothing that the caller may not.
    #[schema(max_items = 1000)]
    permissions: Vec<String>,
    #[schema(min_length = 1, max_length = 255)]
    name: Option<String>,
    /// From when on it opens nothing, in Unix milliseconds.
    #[schema(minimum = 0, maximum = 4_102_444_800_000_i64)]
    expires: Option<i64>,
}

/// Makes a root key.
pub(in crate::console::v2) struct CreateRootKey;

#[async_trait]
impl Operation for CreateRootKey {
    const NAME: &'static str = "rootKeys.createKey";
    const SUMMARY: &'static str = "Make a root key; its secret is shown this once";
    const MAKES_SECRET: bool = true;
    type Request = CreateRootKeyRequest;
    type Data = MadeKey;

    async fn run(call: &Call, request: CreateRootKeyRequest) -> Result<Reply<MadeKey>, ApiError> {
        call.need(&Need::on_all("root_key", "create_root_key"))?;
        let now = call.service.now();
        if request.expires.is_some_and(|expires| expires <= now) {
            return Err(ApiError::invalid(
                "expires",
                "The expiry must be in the future.",
            ));
        }
        within_own(call, &request.permissions, request.expires)?;
        let entropy = call.service.entropy();
        let (id, secret) = (new_id(IdKind::Key, now, entropy), format()?.mint(entropy));
        let made = MadeKey::new(&id, &secret.text);
        let once = once(call, &made)?;
        let new = NewRootKey {
            id,
            secret,
            name: request.name,
            permissions: request.permissions,
            expires: request.expires,
        };
        let store = call.service.store();
        let answered = store
            .create_root_key_once(new, call.audited(), once)
            .await?;
        reply(call, answered.map(|()| made)).await
    }
}
