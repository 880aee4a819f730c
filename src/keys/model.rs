//! What is known of a key, and of what it hangs on. Times are Unix milliseconds.

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reroll::is_past;
use super::secret::Hash;

/// A set of keys that are issued and verified together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Api {
    /// Its id.
    pub id: String,
    /// The workspace that it belongs to.
    pub workspace: String,
    /// The name of its set of keys in permissions.
    pub key_space: String,
    /// What its owner calls it.
    pub name: String,
    /// The prefix of keys that name none.
    pub default_prefix: Option<String>,
    /// The random bytes of keys that name no number.
    pub default_bytes: u8,
    /// Whether its keys may be kept so that they can be read back.
    pub stores_sealed_keys: bool,
    /// Whether it cannot be deleted.
    pub delete_protection: bool,
}

/// What the row of a key says, without what hangs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyRecord {
    /// Its id.
    pub id: String,
    /// The hash of its secret.
    pub hash: Hash,
    /// The beginning of its secret.
    pub start: String,
    /// The workspace that it belongs to.
    pub workspace: String,
    /// The API that it is a key of.
    pub api: String,
    /// The name of the API's set of keys in permissions.
    pub key_space: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// The id of whom it was issued to.
    pub identity_id: Option<String>,
    /// Whatever its owner keeps with it.
    pub meta: Option<Value>,
    /// Whether it opens anything.
    pub enabled: bool,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
    /// What stands before the last underscore of its secret.
    pub prefix: Option<String>,
    /// The random bytes of its secret.
    pub bytes: u8,
    /// What it may be used up by; none for a key without a limit.
    pub credits: Option<Credits>,
    /// Whether its secret is kept, sealed.
    pub recoverable: bool,
    /// When it was made.
    pub created_at: i64,
    /// When it was last changed.
    pub updated_at: Option<i64>,
    /// When it was last verified.
    pub last_used_at: Option<i64>,
    /// What it replaces, and what replaces it.
    pub rotation: Rotation,
}

/// A key that was issued: its record, and what hangs on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Key {
    /// What its row says.
    pub record: KeyRecord,
    /// Whom it was issued to.
    pub identity: Option<Identity>,
    /// The limits of its own.
    pub ratelimits: Vec<RateLimit>,
    /// Permissions that it was given directly.
    pub permissions: Vec<Permission>,
    /// Roles, with their permissions.
    pub roles: Vec<Role>,
}

impl Deref for Key {
    type Target = KeyRecord;

    fn deref(&self) -> &KeyRecord {
        &self.record
    }
}

impl Key {
    /// Returns the slugs of all its permissions, its roles' included, ordered and each once.
    #[must_use]
    pub fn all_permissions(&self) -> Vec<String> {
        let of_roles = self.roles.iter().flat_map(|role| &role.permissions);
        let mut slugs: Vec<_> = self
            .permissions
            .iter()
            .chain(of_roles)
            .map(|permission| permission.slug.clone())
            .collect();
        slugs.sort();
        slugs.dedup();
        slugs
    }
}

/// How a key stands to the key that it replaces, and to the one that replaces it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The key that this one was rerolled from.
    pub predecessor: Option<String>,
    /// The key that took this one's place.
    pub successor: Option<String>,
    /// When this key was rerolled.
    pub rerolled_at: Option<i64>,
    /// What this key's expiry was before it was rerolled.
    pub expires_before: Option<i64>,
    /// When the rotation that made this key was taken back.
    pub cancelled_at: Option<i64>,
    /// When this key's grace period was ended early.
    pub finished_at: Option<i64>,
}

impl Rotation {
    /// Tells whether a key that expires at `expires` was cut off when it was rerolled, finished or
    /// taken back.
    ///
    /// Such a key is past whatever the time is: the clock of the server that is asked may be
    /// behind the clock of the one that cut it off.
    #[must_use]
    pub fn is_cut(&self, expires: Option<i64>) -> bool {
        let at = self
            .rerolled_at
            .max(self.cancelled_at)
            .max(self.finished_at);
        at.zip(expires).is_some_and(|(at, expires)| expires <= at)
    }

    /// Tells whether a key that expires at `expires` opens nothing any more at `now`.
    #[must_use]
    pub fn is_over(&self, expires: Option<i64>, now: i64) -> bool {
        is_past(expires, now) || self.is_cut(expires)
    }
}

/// A balance that verifications use up. Keys that follow one another share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credits {
    /// The id of the balance.
    pub pool: String,
    /// What is left; none for no limit.
    pub remaining: Option<i64>,
    /// How it fills up again.
    pub refill: Option<Refill>,
    /// When it was last filled up.
    pub refilled_at: Option<i64>,
}

/// How a balance fills up again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refill {
    /// How often.
    pub interval: RefillInterval,
    /// What the balance is set to.
    pub amount: i64,
    /// The day of the month, for one that fills up monthly; the last day where there is none such.
    pub day: Option<u8>,
}

/// How often a balance fills up, at midnight UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RefillInterval {
    /// Every day.
    Daily,
    /// Every month.
    Monthly,
}

impl RefillInterval {
    /// Returns the word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Daily => "daily",
            Self::Monthly => "monthly",
        }
    }

    /// Reads the word back.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "daily" => Some(Self::Daily),
            "monthly" => Some(Self::Monthly),
            _ => None,
        }
    }
}

/// A customer of the API's owner, who may have several keys, one after the other or at once.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// Its id.
    pub id: String,
    /// What the API's owner calls it.
    pub external_id: String,
    /// Whatever the owner keeps with it.
    pub meta: Option<Value>,
    /// Limits that all its keys share.
    pub ratelimits: Vec<RateLimit>,
}

/// How often something may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimit {
    /// Its id.
    pub id: String,
    /// By what its uses are counted: a key and the one that it replaces have this in common.
    pub window: String,
    /// What it is called.
    pub name: String,
    /// How often.
    pub limit: i64,
    /// In how many milliseconds.
    pub duration: i64,
    /// Whether every verification counts.
    pub auto_apply: bool,
}

/// Something that a key may be allowed to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What programs call it.
    pub slug: String,
    /// What it is for.
    pub description: Option<String>,
}

/// Several permissions under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its id.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// What it allows.
    pub permissions: Vec<Permission>,
}

/// A key to the key service itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootKey {
    /// Its id.
    pub id: String,
    /// The hash of its secret.
    pub hash: Hash,
    /// The beginning of its secret.
    pub start: String,
    /// The workspace that it opens.
    pub workspace: String,
    /// What its owner calls it.
    pub name: Option<String>,
    /// What it may do.
    pub permissions: Vec<String>,
    /// Whether it opens anything.
    pub enabled: bool,
    /// From when on it opens nothing.
    pub expires: Option<i64>,
    /// When it was made.
    pub created_at: i64,
    /// When it was last used.
    pub last_used_at: Option<i64>,
    /// What it replaces, and what replaces it.
    pub rotation: Rotation,
}
