//! Names of things, as the `/v2` API shows them: what it is, an underscore, and chance.

use crate::ids::Entropy;

/// What an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// An API, which is a set of keys.
    Api,
    /// An identity: a customer of the API's owner.
    Identity,
    /// A key that was issued.
    Key,
    /// The set of keys of an API, as permissions name it.
    KeySpace,
    /// What a balance of credits is called; never shown.
    Pool,
    /// A permission.
    Permission,
    /// A rate limit.
    RateLimit,
    /// A namespace of rate limits.
    Namespace,
    /// One request.
    Request,
    /// A role.
    Role,
    /// A workspace.
    Workspace,
    /// A line of the audit log.
    Event,
}

impl IdKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Identity => "id",
            Self::Key => "key",
            Self::KeySpace => "ks",
            Self::Pool => "pool",
            Self::Permission => "perm",
            Self::RateLimit => "rl",
            Self::Namespace => "rlns",
            Self::Request => "req",
            Self::Role => "role",
            Self::Workspace => "ws",
            Self::Event => "evt",
        }
    }
}

/// How many characters of chance an id has: 95 bits, so that none is ever made twice.
const CHANCE: usize = 16;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes a new id, such as `key_4Jc9fPqK2mWzR7tB`.
#[must_use]
pub fn new_id(kind: IdKind, entropy: &Entropy) -> String {
    let mut id = String::with_capacity(5 + CHANCE);
    id.push_str(kind.prefix());
    id.push('_');
    let end = id.len() + CHANCE;
    let mut bytes = [0; 32];
    while id.len() < end {
        entropy.fill(&mut bytes);
        // 248 is four times 62: a byte above it would favour some letters.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        let letters = fair.map(|byte| char::from(ALPHABET[usize::from(byte % 62)]));
        id.extend(letters.take(end - id.len()));
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_say_what_they_name_and_are_never_the_same() {
        let entropy = Entropy::seeded(1);
        let ids: BTreeSet<_> = (0..1000).map(|_| new_id(IdKind::Key, &entropy)).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let chance = id.strip_prefix("key_").unwrap();
            assert_eq!(chance.len(), CHANCE);
            assert!(chance.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }
}
