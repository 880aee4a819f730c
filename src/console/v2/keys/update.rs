//! `keys.updateKey`: changes what is given, and leaves the rest as it is.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::create::check_slugs;
use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{
    Empty, KeyRefill, RatelimitRequest, metadata, new_ratelimits, three_state,
};
use crate::keys::{CreditsChange, CreditsRefusal, Need};
use crate::store::KeyUpdate;

/// What is to change of a key. What is left out stays as it is; null takes away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct UpdateKeyRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<String>, min_length = 1, max_length = 255)]
    name: Option<Option<String>>,
    /// Whom the key is issued to, as you call them.
    #[serde(default, deserialize_with = "three_state")]
    #[schema(
        value_type = Option<String>, min_length = 1, max_length = 255,
        pattern = "^[a-zA-Z0-9_.-]+$"
    )]
    external_id: Option<Option<String>>,
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<Object>)]
    meta: Option<Option<Map<String, Value>>>,
    /// From when on the key opens nothing, in Unix milliseconds.
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<i64>, minimum = 0, maximum = 4_102_444_800_000_i64)]
    expires: Option<Option<i64>>,
    /// A key and the one that it replaces have one balance, which changes for both.
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<UpdateKeyCredits>)]
    credits: Option<Option<UpdateKeyCredits>>,
    /// All the limits of its own. One that keeps its name and its duration counts on.
    #[schema(max_items = 50)]
    ratelimits: Option<Vec<RatelimitRequest>>,
    enabled: Option<bool>,
    /// Names of all its roles, which must be there.
    #[schema(max_items = 100)]
    roles: Option<Vec<String>>,
    /// Slugs of all the permissions that it has directly, which are made if need be.
    #[schema(max_items = 1000)]
    permissions: Option<Vec<String>>,
}

/// What is to change of a balance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct UpdateKeyCredits {
    /// What is left; null for no limit, which takes the refill away too.
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    remaining: Option<Option<i64>>,
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<KeyRefill>)]
    refill: Option<Option<KeyRefill>>,
}

impl UpdateKeyCredits {
    fn check(self) -> Result<CreditsChange, ApiError> {
        let refill = self
            .refill
            .map(|refill| refill.map(KeyRefill::check).transpose());
        let refill = refill.transpose()?;
        match self.remaining {
            Some(None) if matches!(refill, Some(Some(_))) => {
                let message = CreditsRefusal::NothingToRefill.to_string();
                Err(ApiError::invalid("credits.refill", message))
            }
            Some(None) => Ok(CreditsChange::Unlimited),
            remaining => Ok(CreditsChange::Set {
                remaining: remaining.flatten(),
                refill,
            }),
        }
    }
}

/// Changes a key.
pub(in crate::console::v2) struct UpdateKey;

#[async_trait]
impl Operation for UpdateKey {
    const NAME: &'static str = "keys.updateKey";
    const SUMMARY: &'static str = "Change a key";
    type Request = UpdateKeyRequest;
    type Data = Empty;

    async fn run(call: &Call, request: UpdateKeyRequest) -> Result<Reply<Empty>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(
            &api.id,
            &api.key_space,
            &key.id,
            "update_key",
        ))?;
        check_slugs(request.permissions.as_deref().unwrap_or_default())?;
        let credits = request.credits.map(|credits| match credits {
            None => Ok(CreditsChange::Unlimited),
            Some(credits) => credits.check(),
        });
        let update = KeyUpdate {
            name: request.name,
            external_id: request.external_id,
            meta: request.meta.map(metadata).transpose()?,
            expires: request.expires,
            credits: credits.transpose()?,
            ratelimits: request.ratelimits.map(new_ratelimits).transpose()?,
            enabled: request.enabled,
            roles: request.roles,
            permissions: request.permissions,
        };
        let store = call.service.store();
        store.update_key(&key.id, update, call.audited()).await?;
        Ok(Reply::Data(Empty {}))
    }
}
