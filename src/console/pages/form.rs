//! What a browser sends, and whether one of our own pages had it sent.

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::{HOST, ORIGIN};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::answer::Wrong;

/// The fields of a form or a query, by name; of those that are there twice the last.
#[derive(Debug, Default)]
pub(super) struct Fields(BTreeMap<String, String>);

impl Fields {
    /// Reads `name=value&name=value`.
    pub(super) fn read(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// Returns a field that is filled in, without the blanks around it.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// Returns a field as it is, with blanks.
    pub(super) fn exactly(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// Decodes a part of a path.
pub(super) fn decoded(part: &str) -> String {
    percent_decode_str(part).decode_utf8_lossy().into_owned()
}

/// Encodes a text as a part of a path.
pub(super) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, NON_ALPHANUMERIC).to_string()
}

/// Makes sure that a form was sent by one of our own pages.
///
/// Browsers say where a form comes from in `Sec-Fetch-Site`, older ones in `Origin`; whoever says
/// neither is none, and has no business here.
///
/// # Errors
/// When it was not.
pub(super) fn is_from_here(headers: &HeaderMap) -> Result<(), Wrong> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let is_ours = match (text("sec-fetch-site"), text(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_some() && host == text(HOST.as_str())
        }
        (None, None) => false,
    };
    if is_ours {
        Ok(())
    } else {
        Err(Wrong::Elsewhere)
    }
}

/// Tells whether a browser that sends a form has the page by `https`, here or from whatever stands
/// before the server.
pub(super) fn is_encrypted(headers: &HeaderMap) -> bool {
    let origin = headers.get(ORIGIN);
    origin.is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_own_pages_send_is_taken() {
        let cases: [(&[(&str, &str)], bool); 9] = [
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site")], false),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "https://console.example")], true),
            (&[("origin", "https://evil.example")], false),
            (&[("origin", "null")], false),
            (
                &[
                    ("sec-fetch-site", "cross-site"),
                    ("origin", "https://console.example"),
                ],
                false,
            ),
            (&[], false),
        ];
        for (told, expected) in cases {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, "console.example".parse().unwrap());
            for (name, value) in told {
                headers.insert(*name, value.parse().unwrap());
            }
            assert_eq!(is_from_here(&headers).is_ok(), expected, "{told:?}");
        }
    }

    #[test]
    fn a_field_of_blanks_is_not_filled_in() {
        let fields = Fields::read(b"name=+a+&empty=+&twice=1&twice=2&plus=a%2Bb");
        assert_eq!(fields.get("name"), Some("a"));
        assert_eq!(fields.exactly("name"), " a ");
        assert_eq!(fields.get("empty"), None);
        assert_eq!(fields.get("twice"), Some("2"));
        assert_eq!(fields.get("plus"), Some("a+b"));
        assert_eq!(decoded("a%2Fb+c"), "a/b+c");
        assert_eq!(encoded("a/b c"), "a%2Fb%20c");
    }
}
