//! `keys.getRotation`, `keys.finishRotation`, `keys.cancelRotation`: what a person does between
//! the reroll of a key and its end. Extensions: upstream has nothing like them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::ApiError;
use crate::console::v2::operation::{Call, Operation};
use crate::keys::{KeyRecord, Need};

use super::rotation_uses::{Interval, RotationUses};

/// The key that was rerolled.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct RotationRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
}

/// The key that was rerolled, or the one that took its place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct GetRotationRequest {
    #[schema(min_length = 3, max_length = 255, pattern = "^[a-zA-Z0-9_]+$")]
    key_id: String,
    /// The span of time by which uses are told; else hours for three days, and then days.
    interval: Option<Interval>,
}

/// How a rotation stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct RotationData {
    key_id: String,
    /// The key that this one was rerolled from.
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor_id: Option<String>,
    /// The key that took this one's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor_id: Option<String>,
    /// When this key was rerolled, in Unix milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    rerolled_at: Option<i64>,
    /// From when on this key opens nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    grace_ends_at: Option<i64>,
    /// Whether this key still opens what it opened.
    active: bool,
    /// When this key was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// How often both keys were verified since the reroll; from `keys.getRotation` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    uses: Option<RotationUses>,
}

/// Shows how a rotation stands, and who still uses the old key.
pub(in crate::console::v2) struct GetRotation;

#[async_trait]
impl Operation for GetRotation {
    const NAME: &'static str = "keys.getRotation";
    const SUMMARY: &'static str = "Show how the rotation of a key stands, and who still uses it";
    type Request = GetRotationRequest;
    type Data = RotationData;

    async fn run(
        call: &Call,
        request: GetRotationRequest,
    ) -> Result<Reply<RotationData>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(&api.id, &api.key_space, &key.id, "read_key"))?;
        let uses = call.rotation_uses(&key, request.interval).await?;
        let shown = shown(key, call.service.now());
        Ok(Reply::Data(RotationData { uses, ..shown }))
    }
}

fn shown(key: KeyRecord, now: i64) -> RotationData {
    let is_over = key.rotation.is_over(key.expires, now);
    RotationData {
        grace_ends_at: key.expires.filter(|_| key.rotation.successor.is_some()),
        key_id: key.id,
        predecessor_id: key.rotation.predecessor,
        successor_id: key.rotation.successor,
        rerolled_at: key.rotation.rerolled_at,
        active: key.enabled && !is_over,
        last_used_at: key.last_used_at,
        uses: None,
    }
}

/// Ends the grace period of a rerolled key now.
pub(in crate::console::v2) struct FinishRotation;

#[async_trait]
impl Operation for FinishRotation {
    const NAME: &'static str = "keys.finishRotation";
    const SUMMARY: &'static str = "End the grace period of a rerolled key now";
    type Request = RotationRequest;
    type Data = RotationData;

    async fn run(call: &Call, request: RotationRequest) -> Result<Reply<RotationData>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(
            &api.id,
            &api.key_space,
            &key.id,
            "update_key",
        ))?;
        let store = call.service.store();
        store.finish_rotation(&key.id, call.audited()).await?;
        let (key, _) = call.key_record(&key.id).await?;
        Ok(Reply::Data(shown(key, call.service.now())))
    }
}

/// Makes a rerolled key whole again, and expires the one that was to take its place: as long as
/// the one still works and the other was not rerolled itself.
pub(in crate::console::v2) struct CancelRotation;

#[async_trait]
impl Operation for CancelRotation {
    const NAME: &'static str = "keys.cancelRotation";
    const SUMMARY: &'static str =
        "Make a rerolled key whole again, and expire the one that was to take its place";
    type Request = RotationRequest;
    type Data = RotationData;

    async fn run(call: &Call, request: RotationRequest) -> Result<Reply<RotationData>, ApiError> {
        let (key, api) = call.key_record(&request.key_id).await?;
        call.need(&Need::on_key(
            &api.id,
            &api.key_space,
            &key.id,
            "update_key",
        ))?;
        let store = call.service.store();
        store.cancel_rotation(&key.id, call.audited()).await?;
        let (key, _) = call.key_record(&key.id).await?;
        Ok(Reply::Data(shown(key, call.service.now())))
    }
}
