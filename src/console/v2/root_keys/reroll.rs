//! `rootKeys.rerollKey`: a new secret with everything that the old root key had.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{format, within_own};
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::keys::once::{MadeKey, once, reply};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::three_state;
use crate::keys::{Grace, IdKind, Need, new_id};
use crate::store::RootReroll;

/// Which root key, and for how long it goes on working.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct RerollRootKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    /// For how many milliseconds the old root key goes on working: 0 revokes it at once, null
    /// leaves its expiry as it is. Its life is never lengthened.
    #[serde(deserialize_with = "three_state", default)]
    #[schema(
        minimum = 0, maximum = 4_102_444_800_000_i64,
        value_type = Option<i64>, required = true
    )]
    expiration: Option<Option<i64>>,
}

/// Has a new root key take the place of an old one.
pub(in crate::console::v2) struct RerollRootKey;

#[async_trait]
impl Operation for RerollRootKey {
    const NAME: &'static str = "rootKeys.rerollKey";
    const SUMMARY: &'static str =
        "Make a new root key with everything that an old one has, which goes on for a grace period";
    const MAKES_SECRET: bool = true;
    type Request = RerollRootKeyRequest;
    type Data = MadeKey;

    async fn run(call: &Call, request: RerollRootKeyRequest) -> Result<Reply<MadeKey>, ApiError> {
        let store = call.service.store();
        let old = store.root_key(call.workspace(), &request.key_id).await?;
        call.need(&Need::on_all("root_key", "create_root_key"))?;
        // What it inherits is the expiry of its own, which a reroll before has shortened.
        let own = match old.rotation.successor {
            None => old.expires,
            Some(_) => old.rotation.expires_before,
        };
        within_own(call, &old.permissions, own)?;
        let entropy = call.service.entropy();
        let now = call.service.now();
        let (id, secret) = (new_id(IdKind::Key, now, entropy), format()?.mint(entropy));
        let made = MadeKey::new(&id, &secret.text);
        let once = once(call, &made)?;
        let request = RootReroll {
            key: old.id,
            grace: match request.expiration.flatten() {
                None => Grace::Keep,
                Some(ms) => Grace::For(ms),
            },
            successor: id,
            secret,
        };
        let answered = store.reroll_root_key(request, call.audited(), once).await?;
        reply(call, answered.map(|()| made)).await
    }
}
