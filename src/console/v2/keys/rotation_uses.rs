//! Who uses a key that was rerolled, and the one that took its place: so that a person knows when
//! the old one can go.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::console::v2::error::ApiError;
use crate::console::v2::operation::Call;
use crate::keys::KeyRecord;
use crate::keys::analytics::Grain;
use crate::store::{Bucket, Caller, Side};

/// For how long after a reroll uses are told by the hour, in ms, where nobody says otherwise.
const HOURLY: i64 = 3 * 24 * 60 * 60 * 1000;
/// How long verifications may wait to be added up without a word, in ms.
const SOON: i64 = 1000;

/// A span of time by which uses are told.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(in crate::console::v2) enum Interval {
    Hour,
    Day,
}

/// How often the keys on both sides of a reroll were verified since.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct RotationUses {
    /// Since when: the reroll, in Unix milliseconds.
    since: i64,
    /// The key that was rerolled.
    old: KeyUses,
    /// The key that took its place.
    new: KeyUses,
    /// The span of time of each part of `series`.
    interval: Interval,
    /// Both keys, by the span of time; those in which nobody used either are left out.
    series: Vec<UsesThen>,
    /// Since when verifications wait to be added up, in Unix milliseconds, if they do for more
    /// than a second: nothing here counts them, nor does any `lastUsedAt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_since: Option<i64>,
}

/// How often a key was verified.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct KeyUses {
    key_id: String,
    /// How often, however it ended.
    verifications: i64,
    /// How often, by how it ended.
    outcomes: BTreeMap<String, i64>,
    /// When it was last verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    /// By whom, as the tags of their verifications tell: the most frequent fifty.
    callers: Vec<CallerUses>,
}

/// How often somebody verified a key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct CallerUses {
    tags: Vec<String>,
    verifications: i64,
    /// The beginning of the last hour in which they did.
    last_hour: i64,
}

/// How often both keys were verified in one span of time.
#[derive(Debug, Serialize, ToSchema)]
struct UsesThen {
    /// When it begins.
    time: i64,
    old: i64,
    new: i64,
}

impl Call {
    /// Counts the uses of both sides of the reroll that a key is one of; none if it is of none.
    ///
    /// # Errors
    /// As the database's.
    pub(super) async fn rotation_uses(
        &self,
        key: &KeyRecord,
        interval: Option<Interval>,
    ) -> Result<Option<RotationUses>, ApiError> {
        let Some((old, new)) = self.service.both_sides(key).await? else {
            return Ok(None);
        };
        let Some(since) = old.rotation.rerolled_at else {
            return Ok(None);
        };
        let now = self.service.now();
        let is_young = now - since < HOURLY;
        let default = if is_young {
            Interval::Hour
        } else {
            Interval::Day
        };
        let interval = interval.unwrap_or(default);
        let grain = match interval {
            Interval::Hour => Grain::Hour,
            Interval::Day => Grain::Day,
        };
        let new_used = new.as_ref().and_then(|new| new.last_used_at);
        let new_id = new.map(|new| new.id).or(old.rotation.successor.clone());
        let new_id = new_id.unwrap_or_default();
        let uses = self.service.store().uses(&old, &new_id, grain).await?;
        let old_used = old.last_used_at.filter(|last| *last >= since);
        Ok(Some(RotationUses {
            since,
            old: KeyUses::of(old.id, uses.old, old_used),
            new: KeyUses::of(new_id, uses.new, new_used),
            interval,
            series: uses.buckets.into_iter().map(UsesThen::of).collect(),
            waiting_since: uses.waiting_since.filter(|at| now - at > SOON),
        }))
    }
}

impl KeyUses {
    fn of(key_id: String, side: Side, last_used_at: Option<i64>) -> Self {
        Self {
            key_id,
            verifications: side.outcomes.values().sum(),
            outcomes: side.outcomes,
            last_used_at,
            callers: side.callers.into_iter().map(CallerUses::of).collect(),
        }
    }
}

impl CallerUses {
    fn of(caller: Caller) -> Self {
        Self {
            tags: caller.tags,
            verifications: caller.count,
            last_hour: caller.last_hour,
        }
    }
}

impl UsesThen {
    fn of(bucket: Bucket) -> Self {
        Self {
            time: bucket.time,
            old: bucket.old,
            new: bucket.new,
        }
    }
}
