//! `keys.updateCredits`: sets what is left, or counts it up or down.

use async_trait::async_trait;
use serde::Deserialize;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{KeyCredits, KeyRefill, three_state};
use crate::keys::{CreditsChange, Need};

/// What is to become of the credits of a key.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct UpdateCreditsRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    operation: CreditsOperation,
    /// How many; null, which only `set` takes, for no limit.
    #[serde(default, deserialize_with = "three_state")]
    #[schema(value_type = Option<i64>, minimum = 0)]
    value: Option<Option<i64>>,
}

/// What is done with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console::v2) enum CreditsOperation {
    /// It is what is left from now on.
    Set,
    /// It is added to what is left.
    Increment,
    /// It is taken from what is left, which is 0 at least.
    Decrement,
}

impl UpdateCreditsRequest {
    fn change(&self) -> Result<CreditsChange, ApiError> {
        match (self.operation, self.value) {
            (CreditsOperation::Set, Some(Some(value))) => Ok(CreditsChange::Set {
                remaining: Some(value),
                refill: None,
            }),
            (CreditsOperation::Set, Some(None)) => Ok(CreditsChange::Unlimited),
            // A field that was forgotten must not take a limit away.
            (CreditsOperation::Set, None) => Err(ApiError::invalid(
                "value",
                "The operation 'set' needs a value: a number, or null for no limit.",
            )),
            (_, None | Some(None)) => Err(ApiError::invalid(
                "value",
                "The operations 'increment' and 'decrement' need a number as value.",
            )),
            (CreditsOperation::Increment, Some(Some(by))) => Ok(CreditsChange::Increment(by)),
            (CreditsOperation::Decrement, Some(Some(by))) => Ok(CreditsChange::Decrement(by)),
        }
    }
}

/// Changes the credits of a key.
pub(in crate::console::v2) struct UpdateCredits;

#[async_trait]
impl Operation for UpdateCredits {
    const NAME: &'static str = "keys.updateCredits";
    const SUMMARY: &'static str = "Set the credits of a key, or count them up or down";
    type Request = UpdateCreditsRequest;
    type Data = KeyCredits;

    async fn run(
        call: &Call,
        request: UpdateCreditsRequest,
    ) -> Result<Reply<KeyCredits>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(
            &api.id,
            &api.key_space,
            &key.id,
            "update_key",
        ))?;
        let change = request.change()?;
        let store = call.service.store();
        let after = store
            .update_credits(&key.id, change, call.audited())
            .await?;
        let (remaining, refill) = match after {
            Some(after) => (Some(after.remaining), after.refill),
            None => (None, None),
        };
        Ok(Reply::Data(KeyCredits {
            remaining,
            refill: refill.map(KeyRefill::from),
        }))
    }
}
