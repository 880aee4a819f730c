//! `keys.rerollKey`: a new secret with everything that the old key had, and a grace period.

use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use utoipa::ToSchema;

use super::once::{MadeKey, once, reply};
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::three_state;
use crate::keys::{Grace, IdKind, Need, SecretFormat, new_id};
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
        let (key, api) = call.key_record(&request.key_id).await?;
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
        let prefix = key.prefix.or(api.default_prefix);
        let format = SecretFormat::new(prefix.as_deref(), key.bytes)
            .map_err(|error| ApiError::new(Kind::UNEXPECTED, error.to_string()))?;
        let entropy = call.service.entropy();
        let now = call.service.now();
        let (id, secret) = (new_id(IdKind::Key, now, entropy), format.mint(entropy));
        let sealed = key
            .recoverable
            .then(|| call.service.seal(secret.text.expose_secret(), &id));
        let made = MadeKey::new(&id, &secret.text);
        let once = once(call, &made)?;
        let request = RerollRequest {
            key: key.id,
            grace: match request.expiration.flatten() {
                None => Grace::Keep,
                Some(ms) => Grace::For(ms),
            },
            successor: id,
            secret,
            format,
            sealed,
        };
        let store = call.service.store();
        let answered = store
            .reroll_key(request, call.audited(), once.clone())
            .await?;
        reply(call, made, once.as_ref(), answered).await
    }
}
