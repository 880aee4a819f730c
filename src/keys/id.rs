//! Names of things, as the `/v2` API shows them: what it is, an underscore, when it was made, and
//! chance.

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
    /// Somebody who may call the console.
    Person,
    /// A rack that the console knows.
    Rack,
    /// One request.
    Request,
    /// A role.
    Role,
    /// A workspace.
    Workspace,
    /// A line of the audit log.
    Event,
    /// When a rack's key is rolled by itself.
    Schedule,
    /// A span in which nothing begins by itself.
    Freeze,
    /// Rolls of many racks.
    Wave,
    /// Somebody who is told of events.
    Webhook,
    /// A notice on its way.
    Delivery,
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
            Self::Person => "person",
            Self::Rack => "rack",
            Self::Request => "req",
            Self::Role => "role",
            Self::Workspace => "ws",
            Self::Event => "evt",
            Self::Schedule => "sched",
            Self::Freeze => "frz",
            Self::Wave => "wave",
            Self::Webhook => "hook",
            Self::Delivery => "msg",
        }
    }
}

/// How many characters of time (Unix ms) an id begins with, so that what is made after another sorts
/// after it: a database finds a place for it where it has just written, in each of its indexes.
const TIME: usize = 7;

/// How many characters of chance follow: 53 bits, so that none is ever made twice in a millisecond.
/// Whoever guesses an id has nothing: it is no secret.
const CHANCE: usize = 9;

/// In the order in which bytes sort.
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Makes a new id at `now`, in Unix ms, such as `key_VT3kQ0xK2mWzR7tB`.
#[must_use]
pub fn new_id(kind: IdKind, now: i64, entropy: &Entropy) -> String {
    let mut id = String::with_capacity(5 + TIME + CHANCE);
    id.push_str(kind.prefix());
    id.push('_');
    let mut time = [ALPHABET[0]; TIME];
    let mut rest = u64::try_from(now).unwrap_or_default();
    for digit in time.iter_mut().rev() {
        *digit = ALPHABET[usize::try_from(rest % 62).unwrap_or_default()];
        rest /= 62;
    }
    id.extend(time.map(char::from));
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
        let made = |now| new_id(IdKind::Key, now, &entropy);
        let ids: BTreeSet<_> = (0..1000).map(|_| made(1_795_000_000_000)).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let rest = id.strip_prefix("key_").unwrap();
            assert_eq!(rest.len(), TIME + CHANCE);
            assert!(rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        }
    }

    #[test]
    fn what_is_made_later_sorts_after_it() {
        let entropy = Entropy::seeded(1);
        // From 1970 to the year 2081, with the steps at which a digit is full.
        let times = [
            0,
            1,
            61,
            62,
            3843,
            3844,
            1_795_000_000_000,
            1_795_000_000_001,
            3_521_614_606_207,
        ];
        let ids = times.map(|now| new_id(IdKind::Event, now, &entropy));
        assert!(ids.is_sorted(), "{ids:?}");
        assert_eq!(&ids[8][4..11], "zzzzzzz");
    }
}
