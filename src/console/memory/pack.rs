//! Writes what is known of a key in few bytes, and reads it back.
//!
//! Words that many keys have in common, such as the slugs of permissions, are written as their
//! numbers in a list.

use std::collections::HashMap;
use std::sync::Arc;

use crate::keys::{Identity, KeyFacts, RateLimit};

/// Words that were met, by number.
#[derive(Default)]
pub(super) struct Words {
    numbers: HashMap<Arc<str>, u64>,
    words: Vec<Arc<str>>,
    bytes: usize,
}

impl Words {
    /// Returns about how many bytes the words take.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Forgets all words; what was written with them cannot be read any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn number(&mut self, word: &Arc<str>) -> u64 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u64;
        // The text once, a pointer with its length in two places, and what a map needs.
        self.bytes += word.len() + 80;
        self.words.push(Arc::clone(word));
        self.numbers.insert(Arc::clone(word), number);
        number
    }
}

const ENABLED: u8 = 1;
const WORKSPACE_ENABLED: u8 = 2;
const CUT: u8 = 4;

/// Writes what is known of a key.
pub(super) fn pack(facts: &KeyFacts, words: &mut Words) -> Vec<u8> {
    let mut out = Writer {
        bytes: Vec::with_capacity(96),
        words,
    };
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.bytes.push(
        flag(facts.enabled, ENABLED)
            | flag(facts.workspace_enabled, WORKSPACE_ENABLED)
            | flag(facts.is_cut, CUT),
    );
    out.id("key_", &facts.id);
    for word in [&facts.workspace, &facts.api, &facts.key_space] {
        out.word(word);
    }
    out.maybe(facts.name.as_deref(), Writer::text);
    let meta = facts.meta.as_ref().map(ToString::to_string);
    out.maybe(meta.as_deref(), Writer::text);
    out.maybe(facts.expires, Writer::integer);
    out.maybe(facts.rerolled_at, Writer::integer);
    out.maybe(facts.pool.as_deref(), |out, pool| out.id("pool_", pool));
    out.limits(&facts.ratelimits);
    for words in [&facts.permissions, &facts.roles] {
        out.list(words, Writer::word);
    }
    out.maybe(facts.identity.as_ref(), |out, identity| {
        out.id("id_", &identity.id);
        out.text(&identity.external_id);
        let meta = identity.meta.as_ref().map(ToString::to_string);
        out.maybe(meta.as_deref(), Writer::text);
        out.limits(&identity.ratelimits);
    });
    out.bytes
}

/// Reads back what [`pack`] wrote with the same words.
pub(super) fn unpack(bytes: &[u8], words: &Words) -> Option<KeyFacts> {
    let mut input = Reader { bytes, words };
    let flags = input.byte()?;
    let facts = KeyFacts {
        enabled: flags & ENABLED != 0,
        workspace_enabled: flags & WORKSPACE_ENABLED != 0,
        is_cut: flags & CUT != 0,
        id: input.id("key_")?,
        workspace: input.word()?,
        api: input.word()?,
        key_space: input.word()?,
        name: input.maybe(Reader::text)?,
        meta: input.maybe(Reader::json)?,
        expires: input.maybe(Reader::integer)?,
        rerolled_at: input.maybe(Reader::integer)?,
        pool: input.maybe(|input| input.id("pool_"))?,
        ratelimits: input.list(Reader::limit)?,
        permissions: input.list(Reader::word)?,
        roles: input.list(Reader::word)?,
        identity: input.maybe(|input| {
            Some(Identity {
                id: input.id("id_")?,
                external_id: input.text()?,
                meta: input.maybe(Reader::json)?,
                ratelimits: input.list(Reader::limit)?,
            })
        })?,
    };
    Some(facts)
}

struct Writer<'w> {
    bytes: Vec<u8>,
    words: &'w mut Words,
}

impl Writer<'_> {
    /// Writes a number, seven bits a byte.
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.bytes.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.bytes.push(number.to_le_bytes()[0]);
    }

    fn integer(&mut self, integer: i64) {
        // Small ones are short, whether below or above 0.
        self.number(((integer << 1) ^ (integer >> 63)).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.bytes.extend_from_slice(text.as_bytes());
    }

    /// Writes an id without its usual beginning.
    fn id(&mut self, prefix: &str, id: &str) {
        let (rest, is_usual) = match id.strip_prefix(prefix) {
            Some(rest) => (rest, 1),
            None => (id, 0),
        };
        self.number((rest.len() as u64) << 1 | is_usual);
        self.bytes.extend_from_slice(rest.as_bytes());
    }

    fn word(&mut self, word: &Arc<str>) {
        let number = self.words.number(word);
        self.number(number);
    }

    fn maybe<T>(&mut self, it: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.bytes.push(u8::from(it.is_some()));
        if let Some(it) = it {
            write(self, it);
        }
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn limits(&mut self, limits: &[RateLimit]) {
        self.list(limits, |out, limit| {
            out.id("rl_", &limit.id);
            // Only what was rerolled is counted by the name of another.
            let other = (limit.window != limit.id).then_some(limit.window.as_str());
            out.maybe(other, |out, window| out.id("rl_", window));
            out.word(&limit.name.as_str().into());
            out.integer(limit.limit);
            out.integer(limit.duration);
            out.bytes.push(u8::from(limit.auto_apply));
        });
    }
}

struct Reader<'r> {
    bytes: &'r [u8],
    words: &'r Words,
}

impl Reader<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn integer(&mut self) -> Option<i64> {
        let number = self.number()?;
        Some((number >> 1).cast_signed() ^ -((number & 1).cast_signed()))
    }

    fn bytes(&mut self, length: u64) -> Option<&str> {
        let length = usize::try_from(length).ok()?;
        let (text, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        std::str::from_utf8(text).ok()
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        self.bytes(length).map(str::to_owned)
    }

    fn json(&mut self) -> Option<serde_json::Value> {
        let length = self.number()?;
        serde_json::from_str(self.bytes(length)?).ok()
    }

    fn id(&mut self, prefix: &str) -> Option<String> {
        let length = self.number()?;
        let prefix = if length & 1 == 1 { prefix } else { "" };
        let rest = self.bytes(length >> 1)?;
        let mut id = String::with_capacity(prefix.len() + rest.len());
        id.push_str(prefix);
        id.push_str(rest);
        Some(id)
    }

    fn word(&mut self) -> Option<Arc<str>> {
        let number = usize::try_from(self.number()?).ok()?;
        self.words.words.get(number).cloned()
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.byte()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.number()?).map(|_| read(self)).collect()
    }

    fn limit(&mut self) -> Option<RateLimit> {
        let id = self.id("rl_")?;
        let window = self.maybe(|input| input.id("rl_"))?;
        Some(RateLimit {
            window: window.unwrap_or_else(|| id.clone()),
            id,
            name: self.word()?.to_string(),
            limit: self.integer()?,
            duration: self.integer()?,
            auto_apply: self.byte()? == 1,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn limit() -> impl Strategy<Value = RateLimit> {
        let ids = prop_oneof!["rl_[a-z]{3}", "[a-z_]{0,6}"];
        (
            ids,
            any::<bool>(),
            ".{0,6}",
            any::<i64>(),
            any::<i64>(),
            any::<bool>(),
        )
            .prop_map(
                |(id, is_own, name, limit, duration, auto_apply)| RateLimit {
                    window: if is_own {
                        id.clone()
                    } else {
                        format!("rl_{name}")
                    },
                    id,
                    name,
                    limit,
                    duration,
                    auto_apply,
                },
            )
    }

    fn identity() -> impl Strategy<Value = Identity> {
        let meta = proptest::option::of(".{0,9}");
        (
            ".{0,9}",
            ".{0,200}",
            meta,
            proptest::collection::vec(limit(), 0..3),
        )
            .prop_map(|(id, external_id, meta, ratelimits)| Identity {
                id,
                external_id,
                meta: meta.map(|text| serde_json::json!({ "text": text })),
                ratelimits,
            })
    }

    fn facts() -> impl Strategy<Value = KeyFacts> {
        let words = || proptest::collection::vec("[a-z.]{1,9}", 0..4);
        let maybe = || proptest::option::of(any::<i64>());
        let texts = (
            "(key_)?.{0,9}",
            proptest::option::of(".{0,9}"),
            "(pool_)?[a-z]{0,4}",
        );
        let lists = (proptest::collection::vec(limit(), 0..3), words(), words());
        let identity = proptest::option::of(identity());
        let flags = any::<[bool; 4]>();
        (texts, maybe(), maybe(), lists, flags, identity).prop_map(
            |((id, name, pool), expires, rerolled_at, lists, flags, identity)| KeyFacts {
                id,
                workspace: "ws_1".into(),
                workspace_enabled: flags[0],
                api: "api_1".into(),
                key_space: "ks_1".into(),
                meta: name
                    .as_ref()
                    .map(|name| serde_json::json!([name, 1.5, null])),
                name,
                identity,
                enabled: flags[1],
                expires,
                is_cut: flags[2],
                rerolled_at,
                pool: flags[3].then_some(pool),
                ratelimits: lists.0,
                permissions: lists.1.into_iter().map(Arc::from).collect(),
                roles: lists.2.into_iter().map(Arc::from).collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(many in proptest::collection::vec(facts(), 1..5)) {
            let mut words = Words::default();
            let packed: Vec<_> = many.iter().map(|facts| pack(facts, &mut words)).collect();
            for (facts, packed) in many.iter().zip(packed) {
                let read = unpack(&packed, &words);
                prop_assert_eq!(read.as_ref(), Some(facts));
            }
        }
    }

    #[test]
    fn a_usual_key_takes_little() {
        let mut words = Words::default();
        let limit = RateLimit {
            id: "rl_4Jc9fPqK2mWzR7tB".to_owned(),
            window: "rl_4Jc9fPqK2mWzR7tB".to_owned(),
            name: "requests".to_owned(),
            limit: 1000,
            duration: 60_000,
            auto_apply: true,
        };
        let facts = KeyFacts {
            ratelimits: vec![limit],
            permissions: vec!["documents.read".into(), "documents.write".into()],
            ..KeyFacts::plain("key_4Jc9fPqK2mWzR7tB")
        };
        assert_eq!(pack(&facts, &mut words).len(), 57);
    }
}
