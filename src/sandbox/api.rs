//! What every simulated service shares: the parsed input of a call and AWS's errors.

use serde_json::Value;

/// The parameters of one call, as a tree, whatever protocol brought them.
///
/// The query protocols send every scalar as text and JSON does not, so the
/// accessors accept either. A list is a JSON array in both: `X.member.1` and
/// EC2's `X.1` are folded before a handler sees them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Input(pub Value);

impl Input {
    /// Returns a text parameter; numbers and truth values are turned into text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            _ => None,
        }
    }

    /// Returns a text parameter that must be there.
    ///
    /// # Errors
    /// `ValidationError` when it is missing.
    pub fn required(&self, name: &str) -> Result<String, AwsError> {
        self.text(name).ok_or_else(|| {
            AwsError::new(
                400,
                "ValidationError",
                format!(
                    "1 validation error detected: Value null at '{}' failed to satisfy constraint: \
                     Member must not be null",
                    lower_first(name)
                ),
            )
        })
    }

    /// Returns a whole number.
    #[must_use]
    pub fn integer(&self, name: &str) -> Option<i64> {
        self.text(name)?.parse().ok()
    }

    /// Returns a truth value.
    #[must_use]
    pub fn truth(&self, name: &str) -> Option<bool> {
        self.text(name)?.parse().ok()
    }

    /// Returns a list of text; a missing one is empty, a lone scalar is a list of one.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.items(name)
            .into_iter()
            .filter_map(|item| Input(serde_json::json!({ "it": item.0 })).text("it"))
            .collect()
    }

    /// Returns a list of structures; a missing one is empty.
    #[must_use]
    pub fn items(&self, name: &str) -> Vec<Input> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items.iter().cloned().map(Input).collect(),
            Some(Value::Null) | None => Vec::new(),
            // The query protocol writes an empty list as `Name=`.
            Some(Value::String(text)) if text.is_empty() => Vec::new(),
            Some(one) => vec![Input(one.clone())],
        }
    }

    /// Returns a structure; a missing one is empty.
    #[must_use]
    pub fn inner(&self, name: &str) -> Input {
        Input(self.0.get(name).cloned().unwrap_or(Value::Null))
    }

    /// Tells whether the parameter was sent at all.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }
}

fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_lowercase().collect::<String>() + letters.as_str()
    })
}

/// An error in AWS's terms; the wire gives it the protocol's shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsError {
    /// The HTTP status.
    pub status: u16,
    /// The code, such as `ValidationError`.
    pub code: String,
    /// The sentence.
    pub message: String,
}

impl AwsError {
    /// Makes an error.
    #[must_use]
    pub fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: message.into(),
        }
    }

    /// Makes CloudFormation's and Auto Scaling's everyday error.
    #[must_use]
    pub fn validation(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationError", message)
    }
}

/// The answer of a handler: a tree with the names that the service's protocol uses.
///
/// The wire renders arrays as `<member>` (query), `<item>` (EC2) or JSON arrays, and
/// leaves out `null`. Handlers write timestamps in their own protocol's form.
pub type Answer = Result<Value, AwsError>;
