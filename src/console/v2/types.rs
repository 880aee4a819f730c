//! What several operations take or answer.

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::keys::{Credits, Identity, Key, Permission, RateLimit, Refill, RefillInterval, Role};
use crate::store::{NewCredits, NewRateLimit, filled_up};

use super::error::ApiError;

/// A limit on how often something may be done.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct RatelimitRequest {
    #[schema(min_length = 3, max_length = 128)]
    name: String,
    #[schema(minimum = 1)]
    limit: i64,
    /// In milliseconds.
    #[schema(minimum = 1000)]
    duration: i64,
    /// Whether every verification counts.
    #[serde(default)]
    auto_apply: bool,
}

impl From<RatelimitRequest> for NewRateLimit {
    fn from(request: RatelimitRequest) -> Self {
        Self {
            name: request.name,
            limit: request.limit,
            duration: request.duration,
            auto_apply: request.auto_apply,
        }
    }
}

/// Refuses two limits of one name.
pub(super) fn new_ratelimits(
    requests: Vec<RatelimitRequest>,
) -> Result<Vec<NewRateLimit>, ApiError> {
    let mut names: Vec<_> = requests.iter().map(|limit| limit.name.clone()).collect();
    names.sort();
    if let Some(twice) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        let message = format!("There are two rate limits called '{}'.", twice[0]);
        return Err(ApiError::invalid("ratelimits", message));
    }
    Ok(requests.into_iter().map(NewRateLimit::from).collect())
}

/// A limit as it is kept.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct RatelimitResponse {
    id: String,
    name: String,
    limit: i64,
    duration: i64,
    auto_apply: bool,
}

impl From<&RateLimit> for RatelimitResponse {
    fn from(limit: &RateLimit) -> Self {
        Self {
            id: limit.id.clone(),
            name: limit.name.clone(),
            limit: limit.limit,
            duration: limit.duration,
            auto_apply: limit.auto_apply,
        }
    }
}

/// A balance that verifications use up.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyCredits {
    /// What is left; null for no limit.
    #[schema(minimum = 0, required = true)]
    pub(super) remaining: Option<i64>,
    /// How it fills up again, at midnight UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refill: Option<KeyRefill>,
}

/// How a balance fills up again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct KeyRefill {
    #[schema(value_type = RefillWord)]
    interval: RefillInterval,
    /// What the balance is set to.
    #[schema(minimum = 1)]
    amount: i64,
    /// The day of the month; its last where there is none such.
    #[schema(minimum = 1, maximum = 31)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refill_day: Option<u8>,
}

/// How often a balance fills up.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(
    dead_code,
    reason = "it stands for a type of another room in the schema"
)]
pub(super) enum RefillWord {
    Daily,
    Monthly,
}

impl KeyCredits {
    /// Checks what the schema cannot say.
    pub(super) fn check(self) -> Result<NewCredits, ApiError> {
        let refill = self.refill.map(KeyRefill::check).transpose()?;
        if refill.is_some() && self.remaining.is_none() {
            return Err(ApiError::invalid(
                "credits.refill",
                "Credits that are refilled need a number that remains.",
            ));
        }
        Ok(NewCredits {
            remaining: self.remaining,
            refill,
        })
    }

    /// Shows a balance as it stands at `now`.
    pub(super) fn of(credits: &Credits, now: i64) -> Self {
        let credits = filled_up(credits.clone(), now);
        Self {
            remaining: credits.remaining,
            refill: credits.refill.map(KeyRefill::from),
        }
    }
}

impl From<Refill> for KeyRefill {
    fn from(refill: Refill) -> Self {
        Self {
            interval: refill.interval,
            amount: refill.amount,
            refill_day: refill.day,
        }
    }
}

impl KeyRefill {
    pub(super) fn check(self) -> Result<Refill, ApiError> {
        match (self.interval, self.refill_day) {
            (RefillInterval::Monthly, None) => Err(ApiError::invalid(
                "credits.refill.refillDay",
                "A monthly refill needs a day of the month.",
            )),
            (RefillInterval::Daily, Some(_)) => Err(ApiError::invalid(
                "credits.refill.refillDay",
                "A daily refill has no day of the month.",
            )),
            _ => Ok(Refill {
                interval: self.interval,
                amount: self.amount,
                day: self.refill_day,
            }),
        }
    }
}

/// Whom a key was issued to.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdentityResponse {
    id: String,
    external_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    meta: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratelimits: Vec<RatelimitResponse>,
}

impl From<&Identity> for IdentityResponse {
    fn from(identity: &Identity) -> Self {
        Self {
            id: identity.id.clone(),
            external_id: identity.external_id.clone(),
            meta: shown(identity.meta.clone()),
            ratelimits: identity.ratelimits.iter().map(Into::into).collect(),
        }
    }
}

/// A permission.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct PermissionResponse {
    id: String,
    name: String,
    slug: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl From<&Permission> for PermissionResponse {
    fn from(permission: &Permission) -> Self {
        Self {
            id: permission.id.clone(),
            name: permission.name.clone(),
            slug: permission.slug.clone(),
            description: permission.description.clone(),
        }
    }
}

/// A role.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct RoleResponse {
    id: String,
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<PermissionResponse>,
}

impl From<&Role> for RoleResponse {
    fn from(role: &Role) -> Self {
        Self {
            id: role.id.clone(),
            name: role.name.clone(),
            description: role.description.clone(),
            permissions: role.permissions.iter().map(Into::into).collect(),
        }
    }
}

/// A key, without its secret. What is empty is left out.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyResponse {
    key_id: String,
    /// The beginning of the secret.
    start: String,
    enabled: bool,
    created_at: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    meta: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<i64>,
    /// Slugs of all permissions, its roles' included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    permissions: Vec<String>,
    /// Names of roles.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<KeyCredits>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity: Option<IdentityResponse>,
    /// The secret, where it was asked for and may be read back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) plaintext: Option<Plaintext>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ratelimits: Vec<RatelimitResponse>,
    /// The key that this one was rerolled from. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    predecessor_id: Option<String>,
    /// The key that took this one's place. An extension.
    #[serde(skip_serializing_if = "Option::is_none")]
    successor_id: Option<String>,
}

impl KeyResponse {
    pub(super) fn of(key: &Key, now: i64) -> Self {
        Self {
            key_id: key.id.clone(),
            start: key.start.clone(),
            enabled: key.enabled,
            created_at: key.created_at,
            name: key.name.clone(),
            meta: shown(key.meta.clone()),
            updated_at: key.updated_at,
            last_used_at: key.last_used_at,
            expires: key.expires,
            permissions: key.all_permissions(),
            roles: key.roles.iter().map(|role| role.name.clone()).collect(),
            credits: key
                .credits
                .as_ref()
                .map(|credits| KeyCredits::of(credits, now)),
            identity: key.identity.as_ref().map(Into::into),
            plaintext: None,
            ratelimits: key.ratelimits.iter().map(Into::into).collect(),
            predecessor_id: key.rotation.predecessor.clone(),
            successor_id: key.rotation.successor.clone(),
        }
    }
}

/// Leaves an empty object out.
pub(super) fn shown(meta: Option<Value>) -> Option<Value> {
    meta.filter(|meta| !meta.as_object().is_some_and(Map::is_empty))
}

/// Tells a field that is null from one that is not there.
pub(super) fn three_state<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A secret that is answered, and shown to nobody else.
#[derive(Debug, Clone)]
pub(super) struct Plaintext(SecretString);

impl From<SecretString> for Plaintext {
    fn from(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl Serialize for Plaintext {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.expose_secret())
    }
}

/// Reads a secret.
pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// Makes an object of metadata.
pub(super) fn metadata(meta: Option<Map<String, Value>>) -> Result<Option<Value>, ApiError> {
    /// The most properties.
    const MOST: usize = 100;
    /// The most bytes of JSON: a page of a list holds a hundred of them.
    const LARGEST: usize = 64 * 1024;
    let size = |meta| serde_json::to_vec(meta).map_or(usize::MAX, |json| json.len());
    if meta.as_ref().is_some_and(|meta| size(meta) > LARGEST) {
        return Err(ApiError::invalid(
            "meta",
            "It takes more than 64 KiB as JSON.",
        ));
    }
    if meta.as_ref().is_some_and(|meta| meta.len() > MOST) {
        return Err(ApiError::invalid(
            "meta",
            "There are more than 100 properties.",
        ));
    }
    Ok(meta.map(Value::Object))
}

/// Nothing.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Empty {}
