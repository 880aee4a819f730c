//! Checks bodies against the schema that the documentation shows.

use jsonschema::Validator;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::error::{ApiError, FieldError};

/// The most errors that are told.
const MOST: usize = 20;

/// The schema of an operation's body.
pub(super) struct BodySchema {
    path: String,
    validator: Validator,
}

impl BodySchema {
    /// Takes the schema `name` of `components` for the body of `path`.
    ///
    /// # Panics
    /// When the schema is none, which a test of every operation finds.
    pub(super) fn new(path: &str, name: &str, components: &Value) -> Self {
        let document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "$ref": format!("#/components/schemas/{name}"),
            "components": { "schemas": needed(name, &components["schemas"]) },
        });
        let validator = jsonschema::validator_for(&document);
        Self {
            path: path.to_owned(),
            validator: validator.expect("the schemas of this program are schemas"),
        }
    }

    /// Reads a body.
    ///
    /// # Errors
    /// 400 with everything that is wrong with it.
    pub(super) fn read<T: DeserializeOwned>(&self, body: &[u8]) -> Result<T, ApiError> {
        let value: Value = serde_json::from_slice(body)
            .map_err(|error| self.refuse(vec![field("", format!("not JSON: {error}"))]))?;
        // Looked for in the text first, since hardly any body has one.
        if body.windows(ESCAPED.len()).any(|text| text == ESCAPED)
            && let Some(place) = holds_nul(&value, String::new())
        {
            let what =
                format!("{place}: a string holds the character NUL, which no database keeps");
            return Err(self.refuse(vec![field("", what)]));
        }
        if !self.validator.is_valid(&value) {
            let errors = self.validator.iter_errors(&value).take(MOST);
            let errors = errors.map(|error| {
                // The text of an error may quote what was sent, which may be a secret.
                let at = error.instance_path().to_string();
                let what = error.masked_with("the value").to_string();
                let place = if at.is_empty() { "body" } else { &at };
                field(&error.schema_path().to_string(), format!("{place}: {what}"))
            });
            return Err(self.refuse(errors.collect()));
        }
        // What passes the schema fits the type; a test of every operation holds them together.
        // Only 1.0 is an integer to the one and none to the other.
        T::deserialize(&value)
            .or_else(|_| serde_json::from_value(whole(value)))
            .map_err(|_| self.refuse(vec![field("", "the body does not fit".to_owned())]))
    }

    fn refuse(&self, errors: Vec<FieldError>) -> ApiError {
        ApiError::schema(&self.path, errors)
    }
}

/// Takes of all schemas the one called `name` and those that it refers to: every operation keeps
/// its own.
fn needed(name: &str, schemas: &Value) -> Map<String, Value> {
    let mut needed = Map::new();
    let mut names = vec![name.to_owned()];
    while let Some(name) = names.pop() {
        if !needed.contains_key(&name) {
            names.extend(references(&schemas[&name]));
            needed.insert(name.clone(), schemas[&name].clone());
        }
    }
    needed
}

/// Lists the names of the schemas that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| match value.as_str() {
                Some(path) if name == "$ref" => {
                    let name = path.strip_prefix("#/components/schemas/");
                    name.map(str::to_owned).into_iter().collect()
                }
                _ => references(value),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

/// How JSON writes the character NUL; there is no other way.
const ESCAPED: &[u8] = br"\u0000";

/// Returns where a string, or the name of a property, holds the character NUL.
fn holds_nul(value: &Value, place: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(place),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .find_map(|(number, item)| holds_nul(item, format!("{place}/{number}"))),
        Value::Object(fields) => fields.iter().find_map(|(name, item)| {
            if name.contains('\0') {
                return Some(place.clone());
            }
            holds_nul(item, format!("{place}/{name}"))
        }),
        _ => None,
    }
}

/// Writes every number that is whole without a fraction.
fn whole(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0);
            let text = float.map(|float| format!("{float:.0}"));
            match text.and_then(|text| text.parse::<i64>().ok()) {
                Some(integer) => integer.into(),
                None => number.into(),
            }
        }
        Value::Array(items) => items.into_iter().map(whole).collect(),
        Value::Object(fields) => {
            let fields = fields.into_iter();
            fields.map(|(name, value)| (name, whole(value))).collect()
        }
        other => other,
    }
}

fn field(location: &str, message: String) -> FieldError {
    FieldError {
        location: location.to_owned(),
        message,
        fix: None,
    }
}
