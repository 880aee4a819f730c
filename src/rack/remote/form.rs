//! Forms, as the classic sends them: keys sorted, one field holding another form.

use std::collections::BTreeMap;

use form_urlencoded::Serializer;

/// Writes a form, keys in order.
pub(super) fn encode(fields: &BTreeMap<String, String>) -> String {
    let mut form = Serializer::new(String::new());
    for (key, value) in fields {
        form.append_pair(key, value);
    }
    form.finish()
}

/// Writes the form of an update: one field, `parameters`, that holds a form itself.
pub(super) fn parameters(changes: &BTreeMap<String, String>) -> String {
    let mut form = Serializer::new(String::new());
    form.append_pair("parameters", &encode(changes));
    form.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_nested_and_sorted() {
        let changes = [("Password", "a=b&c d"), ("Foo", "bar")]
            .map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(
            parameters(&BTreeMap::from(changes)),
            "parameters=Foo%3Dbar%26Password%3Da%253Db%2526c%2Bd"
        );
    }
}
