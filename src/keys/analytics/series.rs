//! By what verifications are counted.

use std::sync::Arc;

use crate::keys::{Code, Hash, KeyFacts};

/// All that verifications that are counted together have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The workspace of the key.
    pub workspace: Arc<str>,
    /// The API of the key.
    pub api: Arc<str>,
    /// The API's set of keys.
    pub key_space: Arc<str>,
    /// The key.
    pub key: String,
    /// When the key had been rerolled, if it had: what is counted from then on is counted apart.
    pub rerolled_at: Option<i64>,
    /// The id of whom the key was issued to.
    pub identity: Option<String>,
    /// What the API's owner calls them.
    pub external_id: Option<String>,
    /// How the verifications ended.
    pub outcome: Code,
    /// The tags that they carried: a JSON array, ordered, each tag on a line of its own.
    pub tags: String,
}

/// The name of a series: a hash of what makes it one, so that every server finds the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesId([u8; 16]);

impl SeriesId {
    /// Names what a verification belongs to.
    #[must_use]
    pub fn of(key: &KeyFacts, outcome: Code, tags: &[String]) -> Self {
        let identity = key.identity.as_ref().map_or("", |identity| &identity.id);
        let rerolled_at = key.rerolled_at.unwrap_or(i64::MIN);
        let mut text = Vec::with_capacity(128);
        for part in [key.id.as_str(), identity, outcome.as_str()] {
            text.extend(part.as_bytes());
            text.push(0);
        }
        text.extend(rerolled_at.to_be_bytes());
        for tag in ordered(tags) {
            // Its length first, since a tag may hold anything.
            text.extend(tag.len().to_be_bytes());
            text.extend(tag.as_bytes());
        }
        Self::new(Hash::of_bytes(&text))
    }

    /// Takes as much of a hash as tells any two series apart.
    #[must_use]
    pub fn new(hash: Hash) -> Self {
        let mut id = [0; 16];
        id.copy_from_slice(&hash.as_bytes()[..16]);
        Self(id)
    }

    /// Writes it as hexadecimal digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        format!("{:032x}", u128::from_be_bytes(self.0))
    }

    /// Reads hexadecimal digits; none if they are not a name.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        let number = u128::from_str_radix(text, 16).ok()?;
        (text.len() == 32).then_some(Self(number.to_be_bytes()))
    }

    /// Returns the bytes to keep.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl Series {
    /// Says what a verification belongs to.
    #[must_use]
    pub fn of(key: &KeyFacts, outcome: Code, tags: &[String]) -> Self {
        let identity = key.identity.as_ref();
        Self {
            workspace: key.workspace.clone(),
            api: key.api.clone(),
            key_space: key.key_space.clone(),
            key: key.id.clone(),
            rerolled_at: key.rerolled_at,
            identity: identity.map(|identity| identity.id.clone()),
            external_id: identity.map(|identity| identity.external_id.clone()),
            outcome,
            tags: tags_text(tags),
        }
    }
}

/// One verification.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// When, in Unix ms.
    pub at: i64,
    /// What it belongs to.
    pub series: SeriesId,
    /// How many credits it used up.
    pub spent: i64,
}

/// Verifications summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// How many they are.
    pub count: i64,
    /// How many credits they used up.
    pub spent: i64,
    /// When the last one was, in Unix ms.
    pub last: i64,
}

impl Tally {
    /// Adds others.
    pub fn add(&mut self, other: Self) {
        self.count = self.count.saturating_add(other.count);
        self.spent = self.spent.saturating_add(other.spent);
        self.last = self.last.max(other.last);
    }
}

/// Orders tags and takes each once: the same ones in another order are the same.
fn ordered(tags: &[String]) -> Vec<&str> {
    let mut tags: Vec<_> = tags.iter().map(String::as_str).collect();
    tags.sort_unstable();
    tags.dedup();
    tags
}

/// Writes tags as a JSON array with each tag on a line of its own.
///
/// JSON escapes line breaks, so a line is a tag and nothing else, which `tag_line` finds.
#[must_use]
pub(super) fn tags_text(tags: &[String]) -> String {
    let tags = ordered(tags);
    if tags.is_empty() {
        return "[]".to_owned();
    }
    let lines: Vec<_> = tags.into_iter().map(quoted).collect();
    format!("[\n{}\n]", lines.join("\n,\n"))
}

/// Returns the part of the text of tags that says that a tag is there.
#[must_use]
pub(super) fn tag_line(tag: &str) -> String {
    format!("\n{}\n", quoted(tag))
}

fn quoted(tag: &str) -> String {
    serde_json::Value::from(tag).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn owned(tags: &[&str]) -> Vec<String> {
        tags.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn tags_are_an_array_of_json() {
        let text = tags_text(&owned(&["b", "a\"\n", "b"]));
        let read: Vec<String> = serde_json::from_str(&text).unwrap();
        assert_eq!(read, ["a\"\n", "b"]);
        assert_eq!(tags_text(&[]), "[]");
    }

    proptest! {
        #[test]
        fn a_tag_is_found_where_it_is_and_nowhere_else(
            tags in proptest::collection::vec("[ab\",\\[\\]\\\\\n]{0,3}", 0..4),
            wanted in "[ab\",\\[\\]\\\\\n]{0,3}",
        ) {
            let is_found = tags_text(&tags).contains(&tag_line(&wanted));
            prop_assert_eq!(is_found, tags.contains(&wanted));
        }
    }
}
