//! `keys.rerollKey`: a new secret with everything that the old key had, and a grace period.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::{MadeKey, is_repeatable, once, reply};
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::three_state;
use crate::keys::{Api, Grace, IdKind, KeyRecord, Need, new_id};
use crate::store::RerollRequest;

/// Which key, and for how long it goes on working.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct RerollKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    /// For how many milliseconds the old key goes on working: 0 revokes it at once, null leaves
    /// its expiry as it is. Its life is never lengthened.
    #[serde(deserialize_with = "three_state", default)]
    #[schema(
        minimum = 0, maximum = 4_102_444_800_000_i64,
        value_type = Option<i64>, required = true
    )]
    expiration: Option<Option<i64>>,
}

/// Has a new key take the place of an old one.
pub(in crate::console::v2) struct RerollKey;

#[async_trait]
impl Operation for RerollKey {
    const NAME: &'static str = "keys.rerollKey";
    const SUMMARY: &'static str =
        "Make a new key with everything that an old one has, which goes on for a grace period";
    const MAKES_SECRET: bool = true;
    type Request = RerollKeyRequest;
    type Data = MadeKey;

    async fn run(call: &Call, request: RerollKeyRequest) -> Result<Reply<MadeKey>, ApiError> {
        let id = new_id(IdKind::Key, call.service.now(), call.service.entropy());
        let (asked, successor) = (call.clone(), id.clone());
        let make = move |key: &KeyRecord, api: &Api| {
            check(&asked, key, api)?;
            let mut made = asked.service.successor_secret(key, api, &successor)?;
            made.once = once(&asked, &MadeKey::new(&successor, &made.secret.text))?;
            Ok(made)
        };
        let request = RerollRequest {
            key: request.key_id,
            grace: match request.expiration.flatten() {
                None => Grace::Keep,
                Some(ms) => Grace::For(ms),
            },
            successor: id.clone(),
            make: Arc::new(make),
            is_repeatable: is_repeatable(call),
        };
        let store = call.service.store();
        let answered = store.reroll_key(request, call.audited()).await?;
        reply(call, answered.map(|done| MadeKey::new(&id, &done.secret))).await
    }
}

/// Makes sure that the caller may reroll a key.
fn check(call: &Call, key: &KeyRecord, api: &Api) -> Result<(), ApiError> {
    call.need(&Need::on_api(&api.id, &api.key_space, "create_key"))?;
    if key.recoverable {
        call.need(&Need::on_key(&api.id, &api.key_space, "*", "encrypt_key"))?;
        if !api.stores_sealed_keys {
            return Err(ApiError::new(
                Kind::PRECONDITION_FAILED,
                "This API does not support key encryption any more.",
            ));
        }
    }
    Ok(())
}
