//! The OpenAPI document: whatever it refers to is in it.

use serde_json::Value;

/// Gathers what a document refers to.
fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                found.push(reference.clone());
            }
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn what_it_refers_to_is_there() {
    let document = serde_json::to_value(convox::console::openapi()).unwrap();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(
        found.iter().any(|it| it.ends_with("/UpdateKeyRequest")),
        "{found:?}"
    );
    for reference in found {
        let place = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(place).is_some(), "{reference}");
    }
}
