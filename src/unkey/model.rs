//! What a key service answers, as far as it is shown. Times are Unix milliseconds.

use std::fmt;

use secrecy::SecretString;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A key that was made. Its secret is answered this once.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeKey {
    /// Its id.
    pub key_id: String,
    /// The whole secret.
    #[serde(deserialize_with = "secret")]
    pub key: SecretString,
}

impl fmt::Debug for MadeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeKey")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

/// A key, without its secret.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its id.
    pub key_id: String,
    /// The beginning of its secret.
    pub start: String,
    /// Whether it opens anything.
    pub enabled: bool,
    /// When it was made.
    pub created_at: i64,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Whatever its owner keeps with it.
    pub meta: Option<Value>,
    /// When it was last used.
    pub last_used_at: Option<i64>,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
    /// Slugs of its permissions.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Names of its roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// What it may be used up by.
    pub credits: Option<Credits>,
    /// Whom it was issued to.
    pub identity: Option<Identity>,
    /// Its own limits.
    #[serde(default)]
    pub ratelimits: Vec<RateLimit>,
    /// The key that it was rerolled from, where the service says so.
    pub predecessor_id: Option<String>,
    /// The key that took its place, where the service says so.
    pub successor_id: Option<String>,
}

/// A balance that verifications use up.
#[derive(Debug, Clone, Deserialize)]
pub struct Credits {
    /// What is left; none for no limit.
    pub remaining: Option<i64>,
    /// How it fills up again.
    pub refill: Option<Refill>,
}

/// How a balance fills up again.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Refill {
    /// `daily` or `monthly`.
    pub interval: String,
    /// What the balance is set to.
    pub amount: i64,
    /// The day of the month.
    pub refill_day: Option<u8>,
}

/// A limit on how often something may be done.
#[derive(Debug, Clone, Deserialize)]
pub struct RateLimit {
    /// What it is called.
    pub name: String,
    /// How often.
    pub limit: i64,
    /// In how many milliseconds.
    pub duration: i64,
}

/// Whom keys are issued to.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// What the API's owner calls it.
    pub external_id: String,
    /// Whatever its owner keeps with it.
    pub meta: Option<Value>,
    /// Limits that all its keys share.
    #[serde(default)]
    pub ratelimits: Vec<RateLimit>,
}

/// An identity that was made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeIdentity {
    /// Its id.
    pub identity_id: String,
}

/// A set of keys.
#[derive(Debug, Clone, Deserialize)]
pub struct Api {
    /// Its id.
    pub id: String,
    /// What its owner calls it.
    pub name: String,
}

/// An API that was made.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeApi {
    /// Its id.
    pub api_id: String,
}

/// How a verification ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verification {
    /// Whether the key opens what it was shown for.
    pub valid: bool,
    /// Why, in one word.
    pub code: String,
    /// Which key it is.
    pub key_id: Option<String>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
    /// How many credits are left.
    pub credits: Option<i64>,
    /// Slugs of its permissions.
    #[serde(default)]
    pub permissions: Vec<String>,
    /// Names of its roles.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Whom it was issued to.
    pub identity: Option<Identity>,
}

/// How a rotation stands. An extension: api.unkey.com has none such.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rotation {
    /// The key that was asked about.
    pub key_id: String,
    /// The key that it was rerolled from.
    pub predecessor_id: Option<String>,
    /// The key that took its place.
    pub successor_id: Option<String>,
    /// When it was rerolled.
    pub rerolled_at: Option<i64>,
    /// From when on it opens nothing.
    pub grace_ends_at: Option<i64>,
    /// Whether it still opens what it opened.
    pub active: bool,
    /// When it was last used.
    pub last_used_at: Option<i64>,
    /// How often both keys were verified since the reroll.
    pub uses: Option<RotationUses>,
}

/// How often the keys on both sides of a reroll were verified since.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RotationUses {
    /// The key that was rerolled.
    pub old: KeyUses,
    /// The key that took its place.
    pub new: KeyUses,
    /// Since when verifications wait to be counted, if they do.
    pub waiting_since: Option<i64>,
}

/// How often a key was verified.
#[derive(Debug, Clone, Deserialize)]
pub struct KeyUses {
    /// How often, however it ended.
    pub verifications: i64,
    /// By whom, as tags tell: the most frequent ones.
    pub callers: Vec<CallerUses>,
}

/// How often somebody verified a key.
#[derive(Debug, Clone, Deserialize)]
pub struct CallerUses {
    /// By which tags they are known.
    pub tags: Vec<String>,
    /// How often they did.
    pub verifications: i64,
}
