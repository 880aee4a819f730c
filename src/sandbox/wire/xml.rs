//! A small XML writer: trees of answers in, AWS's elements out.

use serde_json::Value;

/// Writes XML into one string.
#[derive(Debug, Default)]
pub(crate) struct Xml {
    text: String,
    /// The element that each member of a list gets: `member` (query) or `item` (EC2).
    list_element: &'static str,
}

impl Xml {
    /// Starts a document whose lists use `list_element`.
    pub(crate) fn new(list_element: &'static str) -> Self {
        Self {
            text: r#"<?xml version="1.0" encoding="UTF-8"?>"#.to_owned() + "\n",
            list_element,
        }
    }

    /// Opens an element, with a namespace unless it is empty.
    pub(crate) fn open(&mut self, name: &str, namespace: &str) {
        self.text.push('<');
        self.text.push_str(name);
        if !namespace.is_empty() {
            self.text.push_str(" xmlns=\"");
            escape(&mut self.text, namespace);
            self.text.push('"');
        }
        self.text.push('>');
    }

    /// Closes an element.
    pub(crate) fn close(&mut self, name: &str) {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
    }

    /// Writes an element that holds only text.
    pub(crate) fn leaf(&mut self, name: &str, text: &str) {
        self.open(name, "");
        escape(&mut self.text, text);
        self.close(name);
    }

    /// Writes an element that holds a tree; `null` writes nothing.
    pub(crate) fn element(&mut self, name: &str, value: &Value) {
        if value.is_null() {
            return;
        }
        self.open(name, "");
        self.content(value);
        self.close(name);
    }

    /// Writes what stands between an element's tags.
    pub(crate) fn content(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => escape(&mut self.text, text),
            Value::Bool(truth) => self.text.push_str(if *truth { "true" } else { "false" }),
            Value::Number(number) => self.text.push_str(&number.to_string()),
            Value::Array(items) => {
                for item in items {
                    self.element(self.list_element, item);
                }
            }
            Value::Object(fields) => {
                for (name, field) in fields {
                    self.element(name, field);
                }
            }
        }
    }

    /// Returns the document.
    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// Writes text so that a parser gives it back: what XML 1.0 cannot hold becomes U+FFFD.
fn escape(out: &mut String, text: &str) {
    // Nearly all that is written: names, ids, times.
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !b"&<>\"".contains(&byte);
    if text.bytes().all(is_plain) {
        out.push_str(text);
        return;
    }
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(letter),
            '\0'..='\x1f' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ => out.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(list: &'static str, value: &Value) -> String {
        let mut xml = Xml::new(list);
        xml.content(value);
        xml.finish().split_once('\n').unwrap().1.to_owned()
    }

    #[test]
    fn trees_become_elements_and_nulls_are_left_out() {
        let tree = json!({ "A": [{ "B": 1 }, { "B": true }], "C": null, "D": [] });
        assert_eq!(
            written("member", &tree),
            "<A><member><B>1</B></member><member><B>true</B></member></A><D></D>"
        );
        assert_eq!(
            written("item", &json!({ "set": ["x"] })),
            "<set><item>x</item></set>"
        );
    }

    #[test]
    fn text_cannot_break_out() {
        let text = json!({ "A": "<b> & \"q\"\r\u{1}\n" });
        assert_eq!(
            written("item", &text),
            "<A>&lt;b&gt; &amp; &quot;q&quot;&#13;\u{fffd}\n</A>"
        );
    }
}
