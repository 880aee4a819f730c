//! What a verification needs to know of a key, and no more: what a server remembers of it.

use std::sync::Arc;

use serde_json::Value;

use super::model::{Identity, Key, RateLimit};

/// A key as verifications see it. Words that many keys have in common are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct KeyFacts {
    /// The key's id.
    pub id: String,
    /// The workspace that it belongs to.
    pub workspace: Arc<str>,
    /// Whether the workspace is enabled.
    pub workspace_enabled: bool,
    /// The API that it is a key of.
    pub api: Arc<str>,
    /// The name of the API's set of keys in permissions.
    pub key_space: Arc<str>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// Whom it was issued to.
    pub identity: Option<Identity>,
    /// Whatever its owner keeps with it.
    pub meta: Option<Value>,
    /// Whether it opens anything.
    pub enabled: bool,
    /// From when on it opens nothing, in Unix ms.
    pub expires: Option<i64>,
    /// Whether a rotation cut it off: then it is past whatever the time is.
    pub is_cut: bool,
    /// When it was rerolled, in Unix ms.
    pub rerolled_at: Option<i64>,
    /// The id of the balance that verifications use up.
    pub pool: Option<String>,
    /// The limits of its own, by name.
    pub ratelimits: Vec<RateLimit>,
    /// The slugs of all its permissions, its roles' included, ordered and each once.
    pub permissions: Vec<Arc<str>>,
    /// The names of its roles.
    pub roles: Vec<Arc<str>>,
}

impl KeyFacts {
    /// Takes from a key, whose workspace is enabled or not, what verifications need.
    #[must_use]
    pub fn of(key: Key, workspace_enabled: bool) -> Self {
        let permissions = key.all_permissions().into_iter().map(Arc::from);
        let record = key.record;
        Self {
            permissions: permissions.collect(),
            roles: key.roles.into_iter().map(|role| role.name.into()).collect(),
            workspace: record.workspace.into(),
            workspace_enabled,
            api: record.api.into(),
            key_space: record.key_space.into(),
            is_cut: record.rotation.is_cut(record.expires),
            rerolled_at: record.rotation.rerolled_at,
            pool: record.credits.map(|credits| credits.pool),
            id: record.id,
            name: record.name,
            identity: key.identity,
            meta: record.meta,
            enabled: record.enabled,
            expires: record.expires,
            ratelimits: key.ratelimits,
        }
    }
}

#[cfg(test)]
impl KeyFacts {
    /// A key that opens everything and has nothing else, for tests.
    pub(crate) fn plain(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            workspace: "ws_1".into(),
            workspace_enabled: true,
            api: "api_1".into(),
            key_space: "ks_1".into(),
            name: None,
            identity: None,
            meta: None,
            enabled: true,
            expires: None,
            is_cut: false,
            rerolled_at: None,
            pool: None,
            ratelimits: Vec::new(),
            permissions: Vec::new(),
            roles: Vec::new(),
        }
    }
}
