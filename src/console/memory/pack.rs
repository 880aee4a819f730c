//! Writes what is known of a key in few bytes, and reads it back.
//!
//! Most keys are like others but for their ids: they have the same permissions, and limits of the
//! same size. So a key is written in two parts. Its form is what others may have as well, with words
//! such as the slugs of permissions as numbers; it is kept once, and has a number too. The other
//! part is its own: ids, texts and times.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::keys::{Identity, KeyFacts, RateLimit};

/// How many forms are kept at most. A key of yet another one holds it itself.
const FORMS: usize = 1024;
/// The longest form that is kept, in bytes.
const LONGEST_FORM: usize = 256;

/// Words and forms that were met, by number.
#[derive(Default)]
pub(super) struct Words {
    texts: Numbered<str>,
    forms: Numbered<[u8]>,
}

impl Words {
    /// Returns about how many bytes the words take; the forms have a bound of their own.
    pub(super) fn bytes(&self) -> usize {
        self.texts.bytes
    }

    /// Forgets all words; what was written with them cannot be read any more.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

/// Things that were met, by number.
struct Numbered<T: ?Sized> {
    numbers: HashMap<Arc<T>, u64>,
    things: Vec<Arc<T>>,
    bytes: usize,
}

impl<T: ?Sized> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            things: Vec::new(),
            bytes: 0,
        }
    }
}

impl<T: ?Sized + Eq + Hash> Numbered<T> {
    fn find(&self, thing: &T) -> Option<u64> {
        self.numbers.get(thing).copied()
    }

    fn add(&mut self, thing: Arc<T>) -> u64 {
        let number = self.things.len() as u64;
        // The thing once, a pointer with its length in two places, and what a map needs.
        self.bytes += size_of_val(&*thing) + 80;
        self.things.push(Arc::clone(&thing));
        self.numbers.insert(thing, number);
        number
    }

    fn get(&self, number: u64) -> Option<&Arc<T>> {
        self.things.get(usize::try_from(number).ok()?)
    }
}

const ENABLED: u8 = 1;
const WORKSPACE_ENABLED: u8 = 2;
const CUT: u8 = 4;

/// Writes what is known of a key.
pub(super) fn pack(facts: &KeyFacts, words: &mut Words) -> Vec<u8> {
    let mut out = Writer {
        form: Output(Vec::with_capacity(64)),
        own: Output(Vec::with_capacity(64)),
        words,
    };
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    out.form.0.push(
        flag(facts.enabled, ENABLED)
            | flag(facts.workspace_enabled, WORKSPACE_ENABLED)
            | flag(facts.is_cut, CUT),
    );
    out.own.id("key_", &facts.id);
    for word in [&facts.workspace, &facts.api, &facts.key_space] {
        out.word(word);
    }
    out.maybe(facts.name.as_deref(), |out, name| out.own.text(name));
    let meta = facts.meta.as_ref().map(ToString::to_string);
    out.maybe(meta.as_deref(), |out, meta| out.own.text(meta));
    for time in [facts.expires, facts.rerolled_at] {
        out.maybe(time, |out, time| out.own.integer(time));
    }
    out.maybe(facts.pool.as_deref(), |out, pool| out.own.id("pool_", pool));
    out.limits(&facts.ratelimits);
    for words in [&facts.permissions, &facts.roles] {
        out.list(words, Writer::word);
    }
    out.maybe(facts.identity.as_ref(), |out, identity| {
        out.own.id("id_", &identity.id);
        out.own.text(&identity.external_id);
        let meta = identity.meta.as_ref().map(ToString::to_string);
        out.maybe(meta.as_deref(), |out, meta| out.own.text(meta));
        out.limits(&identity.ratelimits);
    });
    out.finish()
}

/// Reads back what [`pack`] wrote with the same words.
pub(super) fn unpack(bytes: &[u8], words: &Words) -> Option<KeyFacts> {
    let mut own = Input(bytes);
    let form = match own.number()? {
        0 => {
            let length = own.number()?;
            own.bytes(length)?
        }
        number => words.forms.get(number - 1)?,
    };
    let mut input = Reader {
        form: Input(form),
        own,
        words,
    };
    let flags = input.form.byte()?;
    let facts = KeyFacts {
        enabled: flags & ENABLED != 0,
        workspace_enabled: flags & WORKSPACE_ENABLED != 0,
        is_cut: flags & CUT != 0,
        id: input.own.id("key_")?,
        workspace: input.word()?,
        api: input.word()?,
        key_space: input.word()?,
        name: input.maybe(|input| input.own.text())?,
        meta: input.maybe(|input| input.own.json())?,
        expires: input.maybe(|input| input.own.integer())?,
        rerolled_at: input.maybe(|input| input.own.integer())?,
        pool: input.maybe(|input| input.own.id("pool_"))?,
        ratelimits: input.list(Reader::limit)?,
        permissions: input.list(Reader::word)?,
        roles: input.list(Reader::word)?,
        identity: input.maybe(|input| {
            Some(Identity {
                id: input.own.id("id_")?,
                external_id: input.own.text()?,
                meta: input.maybe(|input| input.own.json())?,
                ratelimits: input.list(Reader::limit)?,
            })
        })?,
    };
    Some(facts)
}

struct Writer<'w> {
    form: Output,
    own: Output,
    words: &'w mut Words,
}

impl Writer<'_> {
    fn word(&mut self, word: &Arc<str>) {
        let texts = &mut self.words.texts;
        let number = texts.find(word);
        let number = number.unwrap_or_else(|| texts.add(Arc::clone(word)));
        self.form.number(number);
    }

    fn maybe<T>(&mut self, it: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.form.0.push(u8::from(it.is_some()));
        if let Some(it) = it {
            write(self, it);
        }
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.form.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn limits(&mut self, limits: &[RateLimit]) {
        self.list(limits, |out, limit| {
            out.own.id("rl_", &limit.id);
            // Only what was rerolled is counted by the name of another.
            let other = (limit.window != limit.id).then_some(limit.window.as_str());
            out.maybe(other, |out, window| out.own.id("rl_", window));
            out.word(&limit.name.as_str().into());
            out.form.integer(limit.limit);
            out.form.integer(limit.duration);
            out.form.0.push(u8::from(limit.auto_apply));
        });
    }

    /// Puts the two parts together.
    fn finish(self) -> Vec<u8> {
        let (form, forms) = (self.form.0, &mut self.words.forms);
        let is_kept = form.len() <= LONGEST_FORM && forms.things.len() < FORMS;
        let number = match forms.find(&form) {
            None if is_kept => Some(forms.add(form.as_slice().into())),
            found => found,
        };
        let mut all = Output(Vec::with_capacity(self.own.0.len() + 4));
        match number {
            Some(number) => all.number(number + 1),
            None => {
                all.number(0);
                all.number(form.len() as u64);
                all.0.extend(form);
            }
        }
        all.0.extend(self.own.0);
        all.0
    }
}

/// What ids are made of: each of these is six bits.
const LETTERS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

fn six_bits(letter: u8) -> Option<u8> {
    Some(match letter {
        b'0'..=b'9' => letter - b'0',
        b'A'..=b'Z' => letter - b'A' + 10,
        b'a'..=b'z' => letter - b'a' + 36,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

/// Bytes that are being written.
struct Output(Vec<u8>);

impl Output {
    /// Writes a number, seven bits a byte.
    fn number(&mut self, mut number: u64) {
        while number > 0x7f {
            self.0.push(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.0.push(number.to_le_bytes()[0]);
    }

    fn integer(&mut self, integer: i64) {
        // Small ones are short, whether below or above 0.
        self.number(((integer << 1) ^ (integer >> 63)).cast_unsigned());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    /// Writes an id: without its usual beginning, and four letters in three bytes.
    fn id(&mut self, prefix: &str, id: &str) {
        let (rest, is_usual) = match id.strip_prefix(prefix) {
            Some(rest) => (rest, 1),
            None => (id, 0),
        };
        let bits: Option<Vec<u8>> = rest.bytes().map(six_bits).collect();
        let is_packed = u64::from(bits.is_some());
        self.number((rest.len() as u64) << 2 | is_packed << 1 | is_usual);
        let Some(bits) = bits else {
            self.0.extend_from_slice(rest.as_bytes());
            return;
        };
        for four in bits.chunks(4) {
            let joined = four.iter().zip([18, 12, 6, 0]);
            let joined = joined.fold(0_u32, |all, (six, shift)| all | u32::from(*six) << shift);
            // As many bytes as hold what is there.
            let [_, bytes @ ..] = joined.to_be_bytes();
            self.0
                .extend_from_slice(&bytes[..(four.len() * 6).div_ceil(8)]);
        }
    }
}

struct Reader<'r> {
    form: Input<'r>,
    own: Input<'r>,
    words: &'r Words,
}

impl Reader<'_> {
    fn word(&mut self) -> Option<Arc<str>> {
        self.words.texts.get(self.form.number()?).cloned()
    }

    fn maybe<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        match self.form.byte()? {
            0 => Some(None),
            _ => read(self).map(Some),
        }
    }

    fn list<T>(&mut self, read: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        (0..self.form.number()?).map(|_| read(self)).collect()
    }

    fn limit(&mut self) -> Option<RateLimit> {
        let id = self.own.id("rl_")?;
        let window = self.maybe(|input| input.own.id("rl_"))?;
        Some(RateLimit {
            window: window.unwrap_or_else(|| id.clone()),
            id,
            name: self.word()?.as_ref().to_owned(),
            limit: self.form.integer()?,
            duration: self.form.integer()?,
            auto_apply: self.form.byte()? == 1,
        })
    }
}

/// Bytes that are being read.
struct Input<'r>(&'r [u8]);

impl<'r> Input<'r> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
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

    fn bytes(&mut self, length: u64) -> Option<&'r [u8]> {
        let (bytes, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(bytes)
    }

    fn text(&mut self) -> Option<String> {
        let length = self.number()?;
        let text = std::str::from_utf8(self.bytes(length)?);
        text.ok().map(str::to_owned)
    }

    fn json(&mut self) -> Option<serde_json::Value> {
        let length = self.number()?;
        serde_json::from_slice(self.bytes(length)?).ok()
    }

    fn id(&mut self, prefix: &str) -> Option<String> {
        let head = self.number()?;
        let prefix = if head & 1 == 1 { prefix } else { "" };
        let length = head >> 2;
        if head & 2 == 0 {
            let rest = std::str::from_utf8(self.bytes(length)?).ok()?;
            return Some([prefix, rest].concat());
        }
        let letters = usize::try_from(length).ok()?;
        let packed = self.bytes(length.checked_mul(6)?.div_ceil(8))?;
        let mut id = String::with_capacity(prefix.len() + letters + 3);
        id.push_str(prefix);
        for three in packed.chunks(3) {
            let joined = three.iter().zip([16, 8, 0]);
            let joined = joined.fold(0_u32, |all, (byte, shift)| all | u32::from(*byte) << shift);
            let letter = |shift: u32| {
                let [.., six] = (joined >> shift).to_be_bytes();
                char::from(LETTERS[usize::from(six & 63)])
            };
            id.extend([18, 12, 6, 0].map(letter));
        }
        // The last three bytes may hold fewer than four letters.
        id.truncate(prefix.len() + letters);
        Some(id)
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
    fn a_form_that_is_not_kept_is_read_too() {
        let mut words = Words::default();
        let keys = (0..2 * FORMS).map(|number| {
            let mut key = KeyFacts::plain("key_1");
            key.permissions = vec![format!("documents.{number}.read").into()];
            key
        });
        // Longer than any that is kept.
        let mut long = KeyFacts::plain("key_2");
        long.roles = vec!["reader".into(); LONGEST_FORM];
        for key in keys.chain([long]) {
            let packed = pack(&key, &mut words);
            assert_eq!(unpack(&packed, &words), Some(key));
        }
        assert_eq!(words.forms.things.len(), FORMS);
    }

    proptest! {
        #[test]
        fn an_id_is_read_as_it_was_written(id in "(key_)?([0-9A-Za-z_-]{0,20}|.{0,9})") {
            let mut out = Output(Vec::new());
            out.id("key_", &id);
            let mut input = Input(&out.0);
            prop_assert_eq!(input.id("key_"), Some(id));
            prop_assert!(input.0.is_empty());
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
        // The number of its form, and two ids of 16 letters.
        assert_eq!(pack(&facts, &mut words).len(), 1 + 2 * (1 + 12));
    }
}
