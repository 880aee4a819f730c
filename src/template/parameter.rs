//! What a template declares of its parameters, and what they are for one stack.

use std::collections::BTreeMap;

use regex_lite::Regex;
use serde_json::Value;

/// A parameter as the template declares it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParameterDeclaration {
    /// The name.
    pub name: String,
    /// The type, such as `String` or `AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>`.
    pub kind: String,
    /// The default, as text.
    pub default: Option<String>,
    /// Whether the value is masked (`****`) wherever it is read back.
    pub no_echo: bool,
    /// What the parameter is for.
    pub description: Option<String>,
    /// The only values allowed; empty for any.
    pub allowed_values: Vec<String>,
    /// The regular expression that the whole value must match.
    pub allowed_pattern: Option<String>,
    /// What the template says when a constraint is not met.
    pub constraint_description: Option<String>,
    /// The fewest characters.
    pub min_length: Option<u64>,
    /// The most characters.
    pub max_length: Option<u64>,
    /// The least number.
    pub min_value: Option<f64>,
    /// The greatest number.
    pub max_value: Option<f64>,
}

/// Why a set of parameters does not fit a template, in CloudFormation's own words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParameterProblem {
    /// Parameters were given that the template does not declare.
    #[error("Parameters: [{}] do not exist in the template", .0.join(", "))]
    Unknown(Vec<String>),
    /// Parameters without a default were not given.
    #[error("Parameters: [{}] must have values", .0.join(", "))]
    Missing(Vec<String>),
    /// A value is not one of those allowed, too short, too small, and so on.
    #[error("Parameter '{name}' {rule}")]
    Constraint {
        /// The parameter.
        name: String,
        /// The rule, such as `must be one of AllowedValues`.
        rule: String,
    },
    /// A value breaks a rule that the template explains in its own words.
    #[error("Parameter {name} failed to satisfy constraint: {description}")]
    Explained {
        /// The parameter.
        name: String,
        /// Its `ConstraintDescription`.
        description: String,
    },
    /// The SSM parameter that a parameter names does not exist.
    #[error("Unable to fetch parameters [{0}] from parameter store for this account.")]
    NoSsmParameter(String),
}

impl ParameterDeclaration {
    pub(super) fn read(name: &str, body: &Value) -> Self {
        let text = |key: &str| body.get(key).and_then(scalar);
        let number = |key: &str| text(key)?.parse::<f64>().ok();
        let length = |key: &str| text(key)?.parse::<u64>().ok();
        let allowed = body.get("AllowedValues").and_then(Value::as_array);
        Self {
            name: name.to_owned(),
            kind: text("Type").unwrap_or_else(|| "String".to_owned()),
            default: text("Default"),
            no_echo: text("NoEcho").is_some_and(|truth| truth == "true"),
            description: text("Description"),
            allowed_values: allowed.into_iter().flatten().filter_map(scalar).collect(),
            allowed_pattern: text("AllowedPattern"),
            constraint_description: text("ConstraintDescription"),
            min_length: length("MinLength"),
            max_length: length("MaxLength"),
            min_value: number("MinValue"),
            max_value: number("MaxValue"),
        }
    }

    /// Tells whether the value is the name of an SSM parameter, read anew at every update.
    #[must_use]
    pub fn is_ssm(&self) -> bool {
        self.kind.starts_with("AWS::SSM::Parameter::Value<")
    }

    /// Tells whether the parameter is a list: its `Ref` is an array.
    #[must_use]
    pub fn is_list(&self) -> bool {
        let inner = self
            .kind
            .strip_prefix("AWS::SSM::Parameter::Value<")
            .and_then(|rest| rest.strip_suffix('>'))
            .unwrap_or(&self.kind);
        inner == "CommaDelimitedList" || inner.starts_with("List<")
    }

    /// Checks one value against the declaration.
    ///
    /// Every item of a `CommaDelimitedList` must be allowed. A pattern that only Java's
    /// regular expressions know (with look-around, say) is left unchecked.
    ///
    /// # Errors
    /// [`ParameterProblem::Constraint`] with the rule that the value breaks, or
    /// [`ParameterProblem::Explained`] where the template has words for it.
    pub fn check(&self, value: &str) -> Result<(), ParameterProblem> {
        let broken = |rule: String| {
            let name = self.name.clone();
            Err(match self.constraint_description.clone() {
                Some(description) => ParameterProblem::Explained { name, description },
                None => ParameterProblem::Constraint { name, rule },
            })
        };
        let items: Vec<&str> = if self.kind == "CommaDelimitedList" {
            value.split(',').map(str::trim).collect()
        } else {
            vec![value]
        };
        let allowed = |item: &&str| self.allowed_values.iter().any(|value| value == item);
        if !self.allowed_values.is_empty() && !items.iter().all(allowed) {
            return broken("must be one of AllowedValues".to_owned());
        }
        if let Some(pattern) = &self.allowed_pattern
            && let Ok(whole) = Regex::new(&format!(r"\A(?:{pattern})\z"))
            && !items.iter().all(|item| whole.is_match(item))
        {
            return broken(format!("must match pattern {pattern}"));
        }
        let length = u64::try_from(value.chars().count()).unwrap_or(u64::MAX);
        if let Some(least) = self.min_length.filter(|least| length < *least) {
            return broken(format!("must contain at least {least} characters"));
        }
        if let Some(most) = self.max_length.filter(|most| length > *most) {
            return broken(format!("must contain at most {most} characters"));
        }
        if self.kind == "Number" {
            let Ok(number) = value.trim().parse::<f64>() else {
                return broken("must be a number".to_owned());
            };
            if let Some(least) = self.min_value.filter(|least| number < *least) {
                return broken(format!("must be a number not less than {least}"));
            }
            if let Some(most) = self.max_value.filter(|most| number > *most) {
                return broken(format!("must be a number not greater than {most}"));
            }
        }
        Ok(())
    }

    /// Turns the text of a value into what `Ref` yields: a list for a list, else text.
    #[must_use]
    pub fn value(&self, text: &str) -> Value {
        if !self.is_list() {
            return Value::from(text);
        }
        text.split(',')
            .map(|item| Value::from(item.trim()))
            .collect()
    }
}

/// Works out the text of every declared parameter: what was given, else the default.
///
/// # Errors
/// [`ParameterProblem`] for names that are not declared, values that are missing
/// and values that break a constraint, in that order.
pub fn resolve(
    declared: &BTreeMap<String, ParameterDeclaration>,
    given: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ParameterProblem> {
    let unknown: Vec<_> = given
        .keys()
        .filter(|name| !declared.contains_key(*name))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(ParameterProblem::Unknown(unknown));
    }
    let mut resolved = BTreeMap::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        match given.get(name).or(declaration.default.as_ref()) {
            Some(value) => {
                resolved.insert(name.clone(), value.clone());
            }
            None => missing.push(name.clone()),
        }
    }
    if !missing.is_empty() {
        return Err(ParameterProblem::Missing(missing));
    }
    for (name, value) in &resolved {
        if let Some(declaration) = declared.get(name) {
            declaration.check(value)?;
        }
    }
    Ok(resolved)
}

/// Returns a scalar as text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        _ => None,
    }
}
