//! Whether a key opens what it is shown for.
//!
//! The order is upstream's: disabled, expired, permissions, rate limits, credits. Whatever fails
//! stops what comes after it, so that a refused request uses nothing up.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::facts::KeyFacts;
use super::model::RateLimit;
use super::query::PermissionQuery;
use super::reroll::is_past;
use super::window::Want;

/// How a verification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Code {
    /// The key opens it.
    Valid,
    /// There is no such key, or the caller may not know of it.
    NotFound,
    /// The key's workspace is disabled.
    Forbidden,
    /// The key lacks a permission.
    InsufficientPermissions,
    /// No credits are left.
    UsageExceeded,
    /// A rate limit forbids it for now.
    RateLimited,
    /// The key is disabled.
    Disabled,
    /// The key has expired.
    Expired,
}

impl Code {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "VALID",
            Self::NotFound => "NOT_FOUND",
            Self::Forbidden => "FORBIDDEN",
            Self::InsufficientPermissions => "INSUFFICIENT_PERMISSIONS",
            Self::UsageExceeded => "USAGE_EXCEEDED",
            Self::RateLimited => "RATE_LIMITED",
            Self::Disabled => "DISABLED",
            Self::Expired => "EXPIRED",
        }
    }
}

/// What a verification asks of a key besides being there.
#[derive(Debug, Clone, Default)]
pub struct Demand {
    /// The permissions that it must have.
    pub permissions: Option<PermissionQuery>,
    /// How many credits it costs, where that is said: else 1.
    pub cost: Option<i64>,
    /// Limits that are asked for by name.
    pub limits: Vec<LimitDemand>,
}

/// A limit that is asked for by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitDemand {
    /// Its name.
    pub name: String,
    /// How many uses this is.
    pub cost: i64,
    /// Another limit for this once.
    pub limit: Option<i64>,
    /// Another span of time for this once, in ms.
    pub duration: Option<i64>,
}

/// Neither the key nor its identity has a limit of that name, and the request brings none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the key has no rate limit `{0}`")]
pub struct NoSuchLimit(pub String);

/// How a key stands before anything is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It may go on to its limits and credits.
    Open,
    /// It is refused.
    Refused(Code),
}

/// Decides what needs no counting.
#[must_use]
pub fn standing(key: &KeyFacts, demand: &Demand, now: i64) -> Standing {
    if !key.enabled {
        return Standing::Refused(Code::Disabled);
    }
    if key.is_cut || is_past(key.expires, now) {
        return Standing::Refused(Code::Expired);
    }
    if let Some(query) = &demand.permissions {
        let held = |slug: &str| key.permissions.iter().any(|held| **held == *slug);
        if !query.is_met(&held) {
            return Standing::Refused(Code::InsufficientPermissions);
        }
    }
    Standing::Open
}

/// A limit that a verification counts against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted<'k> {
    /// The limit.
    pub limit: Cow<'k, RateLimit>,
    /// How many uses the verification is.
    pub cost: i64,
}

impl Wanted<'_> {
    /// Returns what is to be counted.
    #[must_use]
    pub fn want(&self) -> Want<'_> {
        Want {
            window: &self.limit.window,
            limit: self.limit.limit,
            duration: self.limit.duration.max(1),
            cost: self.cost,
        }
    }
}

/// Lists the limits that a verification counts against: those that always apply and those that
/// are asked for. The key's own come before its identity's of the same name.
///
/// # Errors
/// When a limit is asked for that there is not.
pub fn windows_wanted<'k>(
    key: &'k KeyFacts,
    demand: &'k Demand,
) -> Result<Vec<Wanted<'k>>, NoSuchLimit> {
    let of_identity = key
        .identity
        .iter()
        .flat_map(|identity| &identity.ratelimits);
    let mut known: BTreeMap<&str, &RateLimit> = BTreeMap::new();
    for limit in of_identity.chain(&key.ratelimits) {
        known.insert(&limit.name, limit);
    }
    let mut wanted: BTreeMap<&str, Wanted<'k>> = BTreeMap::new();
    for (name, limit) in &known {
        if limit.auto_apply {
            let limit = Cow::Borrowed(*limit);
            wanted.insert(name, Wanted { limit, cost: 1 });
        }
    }
    for asked in &demand.limits {
        let name = asked.name.as_str();
        let limit = match (known.get(name), asked.limit, asked.duration) {
            (Some(known), None, None) => Cow::Borrowed(*known),
            (Some(known), limit, duration) => Cow::Owned(RateLimit {
                limit: limit.unwrap_or(known.limit),
                duration: duration.unwrap_or(known.duration),
                ..(*known).clone()
            }),
            (None, Some(limit), Some(duration)) => Cow::Owned(RateLimit {
                id: String::new(),
                window: format!("{}:{name}", key.id),
                name: name.to_owned(),
                limit,
                duration,
                auto_apply: false,
            }),
            (None, ..) => return Err(NoSuchLimit(name.to_owned())),
        };
        let cost = asked.cost;
        wanted.insert(name, Wanted { limit, cost });
    }
    Ok(wanted.into_values().collect())
}
