//! EC2's filters: every filter must hold, and of each any one value.

use std::collections::BTreeMap;

use super::super::super::api::{AwsError, Input};

/// One filter: a name and the values of which one must match.
pub(super) struct Filter {
    name: String,
    values: Vec<String>,
}

/// Reads a call's filters.
pub(super) fn read(input: &Input) -> Vec<Filter> {
    input
        .items("Filter")
        .iter()
        .map(|filter| Filter {
            name: filter.text("Name").unwrap_or_default(),
            values: filter.texts("Value"),
        })
        .collect()
}

/// Returns the values of a filter on a tag, if there is one and it is for no more than these.
pub(super) fn exact_values<'f>(filters: &'f [Filter], tag: &str) -> Option<&'f [String]> {
    let is_it = |filter: &&Filter| filter.name.strip_prefix("tag:") == Some(tag);
    let values = &filters.iter().find(is_it)?.values;
    let is_pattern = |value: &String| value.contains(['*', '?']);
    (!values.iter().any(is_pattern)).then_some(values)
}

/// Tells whether something passes all filters.
///
/// `field` returns the thing's value for a filter name, or `None` when there is no such filter.
///
/// # Errors
/// EC2's complaint about a filter that it does not know.
pub(super) fn pass(
    filters: &[Filter],
    tags: &BTreeMap<String, String>,
    field: impl Fn(&str) -> Option<String>,
) -> Result<bool, AwsError> {
    for filter in filters {
        let fits = |text: &str| filter.values.iter().any(|pattern| matches(pattern, text));
        let passes = if let Some(name) = filter.name.strip_prefix("tag:") {
            tags.get(name).is_some_and(|value| fits(value))
        } else if filter.name == "tag-key" {
            tags.keys().any(|name| fits(name))
        } else if filter.name == "tag-value" {
            tags.values().any(|value| fits(value))
        } else if let Some(value) = field(&filter.name) {
            fits(&value)
        } else {
            return Err(AwsError::new(
                400,
                "InvalidParameterValue",
                format!("The filter '{}' is invalid", filter.name),
            ));
        };
        if !passes {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Matches with `*` for any text and `?` for any letter.
fn matches(pattern: &str, text: &str) -> bool {
    // Every instance of the account is asked, and nearly always for one very text.
    if pattern.contains(['*', '?']) {
        matches_wildly(pattern, text)
    } else {
        pattern == text
    }
}

fn matches_wildly(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => {
            let rest = &pattern[1..];
            text.char_indices()
                .map(|(place, _)| place)
                .chain([text.len()])
                .any(|place| matches_wildly(rest, &text[place..]))
        }
        Some(letter) => {
            let mut letters = text.chars();
            letters
                .next()
                .is_some_and(|found| letter == '?' || letter == found)
                && matches_wildly(&pattern[letter.len_utf8()..], letters.as_str())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn wildcards_stand_for_text() {
        for (pattern, text, fits) in [
            ("demo-*", "demo-keypair-1", true),
            ("demo-*", "other", false),
            ("*", "", true),
            ("k?", "k1", true),
            ("k?", "k", false),
            ("*-keypair-*", "a-keypair-b", true),
            ("running", "running", true),
            ("run", "running", false),
        ] {
            assert_eq!(matches(pattern, text), fits, "{pattern} {text}");
        }
    }
}
