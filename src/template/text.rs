//! From the text of a template to a tree in long form.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::TemplateError;
use super::parameter::ParameterDeclaration;

/// A template in long form: `{"Ref": ...}` and `{"Fn::If": [...]}`, never a YAML tag.
///
/// Clones share it: the stacks of an account with many racks are made of few templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Template {
    #[serde(with = "shared")]
    tree: Arc<Value>,
}

/// Writes what is shared as if it were not.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use serde_json::Value;

    pub(super) fn serialize<S: Serializer>(tree: &Arc<Value>, to: S) -> Result<S::Ok, S::Error> {
        tree.as_ref().serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Arc<Value>, D::Error> {
        Value::deserialize(from).map(Arc::new)
    }
}

impl Template {
    /// Reads a template from JSON or YAML.
    ///
    /// YAML's short forms become long ones: `!GetAtt A.B` is
    /// `{"Fn::GetAtt": ["A", "B"]}` (AWS CloudFormation user guide, "Fn::GetAtt").
    ///
    /// # Errors
    /// [`TemplateError::Syntax`] with line and column when it is neither, and
    /// [`TemplateError::Shape`] when it has no resources.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let tree = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| TemplateError::Syntax(error.to_string()))?
        } else {
            let mut yaml: serde_yaml::Value = serde_yaml::from_str(text)
                .map_err(|error| TemplateError::Syntax(error.to_string()))?;
            yaml.apply_merge()
                .map_err(|error| TemplateError::Syntax(error.to_string()))?;
            long_form(yaml)?
        };
        Self::from_value(tree)
    }

    /// Takes a template that is already a tree in long form.
    ///
    /// # Errors
    /// [`TemplateError::Shape`] when it is no object, has no resources, or a
    /// resource has no type.
    pub fn from_value(tree: Value) -> Result<Self, TemplateError> {
        let shape = |problem: &str| TemplateError::Shape(problem.to_owned());
        let Some(sections) = tree.as_object() else {
            return Err(shape("it is not an object"));
        };
        let Some(resources) = sections.get("Resources").and_then(Value::as_object) else {
            return Err(shape("at least one Resources member must be defined"));
        };
        if resources.is_empty() {
            return Err(shape("at least one Resources member must be defined"));
        }
        for (name, resource) in resources {
            if !resource.get("Type").is_some_and(Value::is_string) {
                return Err(TemplateError::Shape(format!(
                    "resource `{name}` has no type"
                )));
            }
        }
        Ok(Self {
            tree: Arc::new(tree),
        })
    }

    /// Returns the whole tree.
    #[must_use]
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// Returns the description, if there is one.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.tree.get("Description")?.as_str()
    }

    /// Returns the declared parameters by name.
    #[must_use]
    pub fn parameters(&self) -> BTreeMap<String, ParameterDeclaration> {
        self.entries("Parameters")
            .map(|(name, body)| (name.to_owned(), ParameterDeclaration::read(name, body)))
            .collect()
    }

    /// Returns the entries of a section (`Resources`, `Conditions`, `Outputs`, ...) in order.
    pub fn entries(&self, section: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.tree
            .get(section)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, body)| (name.as_str(), body))
    }

    /// Returns one entry of a section.
    #[must_use]
    pub fn entry(&self, section: &str, name: &str) -> Option<&Value> {
        self.tree.get(section)?.get(name)
    }
}

/// Turns YAML into JSON and every tag into the object that it is short for.
fn long_form(yaml: serde_yaml::Value) -> Result<Value, TemplateError> {
    use serde_yaml::Value as Yaml;
    Ok(match yaml {
        Yaml::Null => Value::Null,
        Yaml::Bool(truth) => Value::Bool(truth),
        Yaml::Number(number) => number_form(&number),
        Yaml::String(text) => Value::String(text),
        Yaml::Sequence(items) => {
            Value::Array(items.into_iter().map(long_form).collect::<Result<_, _>>()?)
        }
        Yaml::Mapping(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                object.insert(key_form(key)?, long_form(value)?);
            }
            Value::Object(object)
        }
        Yaml::Tagged(tagged) => {
            let tag = tagged.tag.to_string();
            let tag = tag.trim_start_matches('!');
            let body = long_form(tagged.value)?;
            let (name, body) = match tag {
                "Ref" | "Condition" => (tag.to_owned(), body),
                "GetAtt" => ("Fn::GetAtt".to_owned(), attribute_form(body)),
                _ => (format!("Fn::{tag}"), body),
            };
            Value::Object(Map::from_iter([(name, body)]))
        }
    })
}

fn attribute_form(body: Value) -> Value {
    match body.as_str().and_then(|text| text.split_once('.')) {
        Some((resource, attribute)) => Value::from(vec![resource, attribute]),
        None => body,
    }
}

fn number_form(number: &serde_yaml::Number) -> Value {
    if let Some(whole) = number.as_i64() {
        Value::from(whole)
    } else if let Some(whole) = number.as_u64() {
        Value::from(whole)
    } else {
        number.as_f64().map_or(Value::Null, Value::from)
    }
}

fn key_form(key: serde_yaml::Value) -> Result<String, TemplateError> {
    use serde_yaml::Value as Yaml;
    match key {
        Yaml::String(text) => Ok(text),
        Yaml::Bool(truth) => Ok(truth.to_string()),
        Yaml::Number(number) => Ok(number.to_string()),
        _ => Err(TemplateError::Shape("a key is not text".to_owned())),
    }
}
