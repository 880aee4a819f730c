//! `keys.verifyKey`: whether a key opens what it is shown for.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use crate::console::v2::envelope::Reply;
use crate::console::v2::error::{ApiError, Kind};
use crate::console::v2::operation::{Call, Operation};
use crate::console::v2::types::{IdentityResponse, secret, shown};
use crate::keys::{
    Code, Demand, KeyFacts, LimitDemand, Need, PermissionQuery, Standing, Taken, Wanted, standing,
    windows_wanted,
};

/// A key, and what it is shown for.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::console::v2) struct VerifyKeyRequest {
    /// The whole secret.
    #[schema(min_length = 1, max_length = 512, value_type = String)]
    #[serde(deserialize_with = "secret")]
    key: SecretString,
    /// Words by which the verification is counted.
    #[serde(default)]
    #[schema(max_items = 20)]
    tags: Vec<String>,
    /// Permissions that the key must have, joined by AND, OR and parentheses.
    #[schema(min_length = 1, max_length = 1000)]
    permissions: Option<String>,
    credits: Option<VerifyCredits>,
    /// Limits that are asked for by name, besides those that always apply.
    #[serde(default)]
    #[schema(max_items = 50)]
    ratelimits: Vec<VerifyRatelimit>,
    /// Accepted for compatibility; nothing is migrated here.
    #[schema(max_length = 256)]
    #[expect(dead_code, reason = "it is taken so that it is not refused")]
    migration_id: Option<String>,
    /// Accepted for compatibility: only keys of these sets of keys are found.
    #[serde(default)]
    #[schema(max_items = 100)]
    keyspaces: Vec<String>,
}

/// What a verification costs.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct VerifyCredits {
    #[schema(minimum = 0, maximum = 1_000_000_000_000_i64)]
    cost: i64,
}

/// A limit that is asked for by name.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::console::v2) struct VerifyRatelimit {
    #[schema(min_length = 3, max_length = 255)]
    name: String,
    #[schema(minimum = 0)]
    cost: Option<i64>,
    #[schema(minimum = 1)]
    limit: Option<i64>,
    /// In milliseconds, at most 30 days.
    #[schema(minimum = 1000, maximum = 2_592_000_000_i64)]
    duration: Option<i64>,
}

/// How a verification ended. What is empty is left out.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::console::v2) struct VerifyKeyData {
    valid: bool,
    #[schema(value_type = String)]
    code: Code,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    enabled: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// How many credits are left, for a key that has a limit of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    meta: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "words")]
    #[schema(value_type = Vec<String>)]
    permissions: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "words")]
    #[schema(value_type = Vec<String>)]
    roles: Vec<Arc<str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityResponse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratelimits: Vec<LimitState>,
}

/// How a limit stands.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct LimitState {
    exceeded: bool,
    id: String,
    name: String,
    limit: i64,
    duration: i64,
    /// When the current span of time ends, in Unix milliseconds.
    reset: i64,
    remaining: i64,
    auto_apply: bool,
}

/// Verifies a key.
pub(in crate::console::v2) struct VerifyKey;

#[async_trait]
impl Operation for VerifyKey {
    const NAME: &'static str = "keys.verifyKey";
    const SUMMARY: &'static str = "Tell whether a key opens what it is shown for";
    type Request = VerifyKeyRequest;
    type Data = VerifyKeyData;

    async fn run(call: &Call, request: VerifyKeyRequest) -> Result<Reply<VerifyKeyData>, ApiError> {
        let demand = demand(&request)?;
        let known = call.service.key(&request.key).await?;
        let Some(key) = known.filter(|known| may_know(call, &request, known)) else {
            return Ok(Reply::Data(nobody()));
        };
        let now = call.service.now();
        let mut used = match standing(&key, &demand, now) {
            _ if !key.workspace_enabled => Used::nothing(Code::Forbidden),
            Standing::Refused(code) => Used::nothing(code),
            Standing::Open => use_up(call, &key, &demand, now).await?,
        };
        let valid = used.code == Code::Valid;
        let is_limited = valid && used.credits.is_some();
        if !valid && used.credits.is_none() {
            used.credits = left(call, &key, now).await?;
        }
        let spent = if is_limited {
            demand.cost.unwrap_or(1)
        } else {
            0
        };
        call.service
            .count(&key, used.code, &request.tags, spent, now);
        Ok(Reply::Data(VerifyKeyData {
            valid,
            code: used.code,
            credits: used.credits,
            ratelimits: used.ratelimits,
            ..told(key)
        }))
    }
}

/// What a verification came to, and how what it is counted against stands then.
struct Used {
    code: Code,
    credits: Option<i64>,
    ratelimits: Vec<LimitState>,
}

impl Used {
    fn nothing(code: Code) -> Self {
        Self {
            code,
            credits: None,
            ratelimits: Vec::new(),
        }
    }
}

fn demand(request: &VerifyKeyRequest) -> Result<Demand, ApiError> {
    let lengths = request.tags.iter().map(|tag| tag.chars().count());
    if lengths
        .into_iter()
        .any(|length| !(1..=512).contains(&length))
    {
        return Err(ApiError::invalid(
            "tags",
            "A tag has from 1 to 512 characters.",
        ));
    }
    let query = request.permissions.as_deref().map(PermissionQuery::parse);
    let query = query.transpose().map_err(|error| {
        let mut refused = ApiError::invalid("permissions", error.to_string());
        refused.kind = Kind::BAD_QUERY;
        refused
    })?;
    let limits = request.ratelimits.iter().map(|limit| LimitDemand {
        name: limit.name.clone(),
        cost: limit.cost.unwrap_or(1),
        limit: limit.limit,
        duration: limit.duration,
    });
    Ok(Demand {
        permissions: query,
        cost: request.credits.as_ref().map(|credits| credits.cost),
        limits: limits.collect(),
    })
}

/// Tells whether the caller may know of a key. Else it is as if there were none.
fn may_know(call: &Call, request: &VerifyKeyRequest, key: &KeyFacts) -> bool {
    let is_asked_for = request.keyspaces.is_empty()
        || request
            .keyspaces
            .iter()
            .any(|asked| **asked == *key.key_space);
    is_asked_for
        && *key.workspace == *call.workspace()
        && call.may(&Need::on_key(
            &key.api,
            &key.key_space,
            &key.id,
            "verify_key",
        ))
}

/// Counts the verification against limits and credits.
async fn use_up(call: &Call, key: &KeyFacts, demand: &Demand, now: i64) -> Result<Used, ApiError> {
    let wanted = windows_wanted(key, demand).map_err(|missing| {
        let detail = format!("The key has no rate limit called '{}'.", missing.0);
        ApiError::new(Kind::PRECONDITION_FAILED, detail)
    })?;
    let mut used = Used::nothing(Code::Valid);
    if !wanted.is_empty() {
        let wants: Vec<_> = wanted.iter().map(Wanted::want).collect();
        let taken = call.service.windows().take(&wants, now);
        let is_denied = taken.iter().any(|taken| taken.exceeded);
        used.ratelimits = wanted.iter().zip(taken).map(LimitState::of).collect();
        if is_denied {
            used.code = Code::RateLimited;
            return Ok(used);
        }
    }
    let Some(pool) = &key.pool else {
        return Ok(used);
    };
    let cost = demand.cost.unwrap_or(1);
    let store = call.service.store();
    let (left, is_enough) = store.spend(pool, cost, now).await?;
    used.credits = left;
    if !is_enough {
        used.code = Code::UsageExceeded;
    }
    Ok(used)
}

/// Returns the credits of a key that was refused before they were asked for: what is remembered
/// of them is old.
async fn left(call: &Call, key: &KeyFacts, now: i64) -> Result<Option<i64>, ApiError> {
    match &key.pool {
        Some(pool) => Ok(call.service.store().left(pool, now).await?),
        None => Ok(None),
    }
}

impl LimitState {
    fn of((wanted, taken): (&Wanted<'_>, Taken)) -> Self {
        let limit = &wanted.limit;
        Self {
            exceeded: taken.exceeded,
            id: limit.id.clone(),
            name: limit.name.clone(),
            limit: limit.limit,
            duration: limit.duration,
            reset: taken.reset,
            remaining: taken.remaining,
            auto_apply: limit.auto_apply,
        }
    }
}

fn words<S: Serializer>(words: &[Arc<str>], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(words.iter().map(|word| &**word))
}

fn told(key: KeyFacts) -> VerifyKeyData {
    VerifyKeyData {
        key_id: Some(key.id),
        enabled: Some(key.enabled),
        name: key.name,
        expires: key.expires,
        meta: shown(key.meta),
        permissions: key.permissions,
        roles: key.roles,
        identity: key.identity.as_ref().map(Into::into),
        ..nobody()
    }
}

fn nobody() -> VerifyKeyData {
    VerifyKeyData {
        valid: false,
        code: Code::NotFound,
        key_id: None,
        enabled: None,
        name: None,
        expires: None,
        credits: None,
        meta: None,
        permissions: Vec::new(),
        roles: Vec::new(),
        identity: None,
        ratelimits: Vec::new(),
    }
}
