//! What is set, and where it came from.

use serde::Serialize;

/// A text, and what told it, such as `flag --rack` or `environment CONVOX_RACK`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The text.
    pub text: String,
    /// What told it.
    pub source: String,
}

impl Told {
    /// Makes one.
    #[must_use]
    pub fn new(text: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            source: source.into(),
        }
    }
}

/// A setting as `--explain` shows it; the value of a secret is never in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// What it is called.
    pub name: &'static str,
    /// Its value; for a secret, only that there is one.
    pub value: String,
    /// Where it came from.
    pub source: String,
}

impl Setting {
    /// Makes one.
    #[must_use]
    pub fn new(name: &'static str, value: impl Into<String>, source: impl Into<String>) -> Self {
        Self {
            name,
            value: value.into(),
            source: source.into(),
        }
    }
}
