//! JSON objects as Go writes them, with secrets in them.

use std::collections::BTreeMap;
use std::io;

use secrecy::SecretString;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::error::Category;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};
use zeroize::{Zeroize as _, Zeroizing};

/// A JSON object whose texts may be secret; members of other kinds are kept as they are.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Entries(BTreeMap<String, Value>);

impl Entries {
    pub(super) fn get(&self, name: &str) -> Option<SecretString> {
        self.0
            .get(name)?
            .as_str()
            .filter(|text| !text.is_empty())
            .map(SecretString::from)
    }

    pub(super) fn set(&mut self, name: &str, text: &str) {
        let old = self
            .0
            .insert(name.to_owned(), Value::String(text.to_owned()));
        forget(old);
    }

    /// Removes a member, and tells whether it was there.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let old = self.0.remove(name);
        let was_there = old.is_some();
        forget(old);
        was_there
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        for value in self.0.values_mut() {
            forget(Some(value.take()));
        }
    }
}

fn forget(value: Option<Value>) {
    if let Some(Value::String(mut text)) = value {
        text.zeroize();
    }
}

/// Reads an object; text that is not one is told apart without being repeated.
pub(super) fn from_json<T: DeserializeOwned + Default>(text: &str) -> Result<T, NotJson> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_json::from_str(text).map_err(|error| NotJson {
        line: error.line(),
        column: error.column(),
        message: match error.classify() {
            Category::Data => "this is not the JSON object that belongs here",
            Category::Eof => "this JSON is cut off",
            Category::Syntax | Category::Io => "this is not JSON",
        },
    })
}

/// Where text stops being the JSON that is expected. Never says what is there.
#[derive(Debug)]
pub(super) struct NotJson {
    pub(super) line: usize,
    pub(super) column: usize,
    pub(super) message: &'static str,
}

/// Writes JSON as Go's `json.MarshalIndent(value, "", "  ")` does: two blanks of
/// indentation, no line break at the end, and `&`, `<`, `>` escaped.
pub(super) fn to_json(value: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let formatter = GoFormatter(PrettyFormatter::new());
    value.serialize(&mut Serializer::with_formatter(&mut *bytes, formatter))?;
    Ok(bytes)
}

struct GoFormatter(PrettyFormatter<'static>);

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let special = |c: char| matches!(c, '&' | '<' | '>' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some(at) = rest.find(special) {
            let (plain, tail) = rest.split_at(at);
            let mut letters = tail.chars();
            let letter = letters.next().map_or(0, u32::from);
            write!(writer, "{plain}\\u{letter:04x}")?;
            rest = letters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret as _;

    use super::*;

    fn again(text: &str) -> String {
        let entries: Entries = from_json(text).unwrap();
        String::from_utf8(to_json(&entries).unwrap().to_vec()).unwrap()
    }

    #[test]
    fn what_go_wrote_is_written_again_byte_for_byte() {
        for text in [
            "{}",
            "{\n  \"a\": \"b\"\n}",
            "{\n  \"a.example\": \"p@ss/w+rd %\\u0026\\u003c\\u003e\\\"\\\\\",\n  \"b.example:5443\": \"\\u2028é\\t\"\n}",
            "{\n  \"a\": {\n    \"deep\": [\n      1,\n      true,\n      null\n    ],\n    \"none\": [],\n    \"nothing\": {}\n  }\n}",
        ] {
            assert_eq!(again(text), text);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_back_and_none_can_end_a_page(
            host in "[a-z0-9.:-]{1,20}",
            password in any::<String>(),
        ) {
            let mut entries = Entries::default();
            entries.set(&host, &password);
            let text = String::from_utf8(to_json(&entries).unwrap().to_vec()).unwrap();
            let escaped = ['<', '>', '&', '\u{2028}', '\u{2029}'];
            prop_assert!(!text.contains(escaped));
            let read: Entries = from_json(&text).unwrap();
            let read = read.get(&host).map_or(String::new(), |text| text.expose_secret().to_owned());
            prop_assert_eq!(read, password);
        }
    }

    #[test]
    fn a_damaged_text_is_not_repeated() {
        for (text, message) in [
            (
                "\"hunter2\"",
                "this is not the JSON object that belongs here",
            ),
            ("{\"host\": \"hunter2", "this JSON is cut off"),
            ("{\"host\": hunter2}", "this is not JSON"),
        ] {
            let error = from_json::<Entries>(text).err().unwrap();
            assert_eq!(error.message, message);
        }
        assert!(from_json::<Entries>("").is_ok_and(|entries| entries.names().count() == 0));
    }
}
