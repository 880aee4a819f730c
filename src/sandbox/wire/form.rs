//! The query protocols' parameters: `A.member.1.B=x` in, a tree out.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// How deep names may nest; AWS's own shapes stay below ten.
const DEEPEST: usize = 24;

/// A branch while the tree is being built: every part of a dotted name is a step.
#[derive(Default)]
struct Branch {
    text: Option<String>,
    below: BTreeMap<String, Branch>,
}

/// Folds the parameters of a request into a tree.
///
/// Lists come as `X.member.1` (query), `X.1` (EC2) and maps as `X.entry.1.key`
/// with `X.entry.1.value`; each becomes a JSON array or object.
///
/// Returns `None` when a name nests absurdly deep.
pub(crate) fn fold(pairs: impl IntoIterator<Item = (String, String)>) -> Option<Value> {
    let mut root = Branch::default();
    for (name, text) in pairs {
        let mut branch = &mut root;
        for (depth, part) in name.split('.').enumerate() {
            if depth >= DEEPEST {
                return None;
            }
            branch = branch.below.entry(part.to_owned()).or_default();
        }
        branch.text = Some(text);
    }
    Some(root.into_value())
}

impl Branch {
    fn into_value(mut self) -> Value {
        if self.below.is_empty() {
            return Value::String(self.text.unwrap_or_default());
        }
        if self.below.len() == 1 {
            if let Some(members) = self.below.remove("member") {
                return members.into_list();
            }
            if let Some(entries) = self.below.remove("entry") {
                return entries.into_map();
            }
        }
        if self.below.keys().all(|part| is_index(part)) {
            return self.into_list();
        }
        let fields = self
            .below
            .into_iter()
            .map(|(name, branch)| (name, branch.into_value()));
        Value::Object(fields.collect())
    }

    /// Turns `1`, `2`, `10` into a list in the order of the numbers.
    fn into_list(self) -> Value {
        let mut items: Vec<(u64, Value)> = self
            .below
            .into_iter()
            .filter_map(|(part, branch)| Some((part.parse().ok()?, branch.into_value())))
            .collect();
        items.sort_by_key(|(index, _)| *index);
        Value::Array(items.into_iter().map(|(_, item)| item).collect())
    }

    fn into_map(self) -> Value {
        let mut map = Map::new();
        for entry in self.below.into_values() {
            let mut value = entry.into_value();
            let key = value.get("key").and_then(Value::as_str).map(str::to_owned);
            if let (Some(key), Some(value)) = (key, value.get_mut("value")) {
                map.insert(key, value.take());
            }
        }
        Value::Object(map)
    }
}

fn is_index(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn folded(pairs: &[(&str, &str)]) -> Value {
        fold(
            pairs
                .iter()
                .map(|(name, text)| ((*name).to_owned(), (*text).to_owned())),
        )
        .unwrap()
    }

    #[test]
    fn lists_of_structures_keep_the_order_of_their_numbers() {
        let tree = folded(&[
            ("P.member.10.K", "ten"),
            ("P.member.2.K", "two"),
            ("P.member.2.Use", "true"),
            ("Name", "x"),
        ]);
        assert_eq!(
            tree,
            json!({ "P": [{ "K": "two", "Use": "true" }, { "K": "ten" }], "Name": "x" })
        );
    }

    #[test]
    fn ec2_lists_and_nested_filters() {
        let tree = folded(&[
            ("InstanceId.1", "i-1"),
            ("InstanceId.2", "i-2"),
            ("Filter.1.Name", "n"),
            ("Filter.1.Value.1", "v"),
        ]);
        assert_eq!(
            tree,
            json!({
                "InstanceId": ["i-1", "i-2"],
                "Filter": [{ "Name": "n", "Value": ["v"] }],
            })
        );
    }

    #[test]
    fn maps_come_as_entries() {
        let tree = folded(&[("M.entry.1.key", "a"), ("M.entry.1.value", "b")]);
        assert_eq!(tree, json!({ "M": { "a": "b" } }));
    }

    #[test]
    fn absurd_depth_is_refused() {
        let name = "a.".repeat(100_000);
        assert_eq!(fold([(name, String::new())]), None);
    }

    proptest! {
        #[test]
        fn any_form_folds(pairs in prop::collection::vec(("[a.1-9]{0,12}", "[ -~]{0,4}"), 0..20)) {
            fold(pairs);
        }
    }
}
