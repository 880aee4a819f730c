//! Conditions and properties, worked out from parameters and what is known of resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::functions;
use super::parameter::ParameterDeclaration;
use super::{Template, TemplateError};

/// What is known of the resources of a stack, and of other stacks' exports.
pub trait Lookup {
    /// Returns what `Ref` yields for a resource: as a rule its physical id.
    fn reference(&self, logical_id: &str) -> Option<Value>;
    /// Returns an attribute of a resource, for `Fn::GetAtt`.
    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value>;
    /// Returns the value of an export, for `Fn::ImportValue`.
    fn export(&self, name: &str) -> Option<Value> {
        let _ = name;
        None
    }
}

/// Knows no resource: every reference is a stable placeholder such as `<Instances>`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Nothing;

impl Lookup for Nothing {
    fn reference(&self, _logical_id: &str) -> Option<Value> {
        None
    }

    fn attribute(&self, _logical_id: &str, _attribute: &str) -> Option<Value> {
        None
    }
}

/// What the pseudo parameters (`AWS::Region` and so on) stand for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pseudo {
    /// `AWS::AccountId`.
    pub account: String,
    /// `AWS::Region`.
    pub region: String,
    /// `AWS::StackId`.
    pub stack_id: String,
    /// `AWS::StackName`.
    pub stack_name: String,
    /// `AWS::NotificationARNs`.
    pub notification_arns: Vec<String>,
}

impl Default for Pseudo {
    fn default() -> Self {
        Self {
            account: "<AWS::AccountId>".to_owned(),
            region: "us-east-1".to_owned(),
            stack_id: "<AWS::StackId>".to_owned(),
            stack_name: "<AWS::StackName>".to_owned(),
            notification_arns: Vec::new(),
        }
    }
}

/// A resource whose condition holds, with everything in it worked out.
#[derive(Debug, Clone, PartialEq)]
pub struct EvaluatedResource {
    /// The name in the template.
    pub logical_id: String,
    /// The type.
    pub kind: String,
    /// `Properties`; an empty object when there are none.
    pub properties: Value,
    /// `UpdatePolicy`; null when there is none.
    pub update_policy: Value,
    /// `CreationPolicy`; null when there is none.
    pub creation_policy: Value,
    /// `DeletionPolicy`, `Delete` unless said otherwise.
    pub deletion_policy: String,
    /// `DependsOn`, those whose condition holds.
    pub depends_on: Vec<String>,
}

/// Evaluates one template for one set of parameters.
pub struct Evaluator<'a> {
    pub(super) template: &'a Template,
    pub(super) pseudo: Pseudo,
    pub(super) lookup: &'a dyn Lookup,
    parameters: BTreeMap<String, Value>,
    conditions: BTreeMap<String, bool>,
    lenient: bool,
}

impl std::fmt::Debug for Evaluator<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Parameters may be secrets, so only their names are shown.
        f.debug_struct("Evaluator")
            .field("parameters", &self.parameters.keys())
            .field("conditions", &self.conditions)
            .finish_non_exhaustive()
    }
}

impl<'a> Evaluator<'a> {
    /// Prepares to evaluate, strictly: whatever CloudFormation would refuse is an error.
    ///
    /// `parameters` holds the text of each parameter; for an SSM-typed one that is
    /// the name of an SSM parameter, which `ssm` turns into its value.
    ///
    /// # Errors
    /// When a condition cannot be evaluated.
    pub fn new(
        template: &'a Template,
        parameters: &BTreeMap<String, String>,
        pseudo: Pseudo,
        lookup: &'a dyn Lookup,
        ssm: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Self, TemplateError> {
        Self::prepare(template, parameters, pseudo, lookup, ssm, false)
    }

    /// Prepares to evaluate what can be known from parameters alone, for a preflight.
    ///
    /// Nothing fails: values may be masked (`****`), parameters may be missing, and
    /// whatever cannot be worked out is a placeholder in angle brackets.
    #[must_use]
    pub fn preflight(
        template: &'a Template,
        parameters: &BTreeMap<String, String>,
        pseudo: Pseudo,
    ) -> Self {
        let bare = || Self {
            template,
            pseudo: pseudo.clone(),
            lookup: &Nothing,
            parameters: BTreeMap::new(),
            conditions: BTreeMap::new(),
            lenient: true,
        };
        Self::prepare(
            template,
            parameters,
            pseudo.clone(),
            &Nothing,
            &|_| None,
            true,
        )
        .unwrap_or_else(|_| bare())
    }

    fn prepare(
        template: &'a Template,
        given: &BTreeMap<String, String>,
        pseudo: Pseudo,
        lookup: &'a dyn Lookup,
        ssm: &dyn Fn(&str) -> Option<String>,
        lenient: bool,
    ) -> Result<Self, TemplateError> {
        let mut parameters = BTreeMap::new();
        for (name, declaration) in template.parameters() {
            if let Some(value) = parameter_value(&declaration, given.get(&name), ssm) {
                parameters.insert(name, value);
            } else if lenient {
                parameters.insert(name.clone(), placeholder(&name));
            }
        }
        let mut this = Self {
            template,
            pseudo,
            lookup,
            parameters,
            conditions: BTreeMap::new(),
            lenient,
        };
        let names: Vec<_> = template
            .entries("Conditions")
            .map(|(name, _)| name)
            .collect();
        for name in names {
            this.settle(name, &mut BTreeSet::new())?;
        }
        Ok(this)
    }

    /// Works out a condition and those that it rests on.
    fn settle(&mut self, name: &str, open: &mut BTreeSet<String>) -> Result<bool, TemplateError> {
        if let Some(known) = self.conditions.get(name) {
            return Ok(*known);
        }
        let unresolved = || TemplateError::Unresolved {
            what: "condition",
            name: name.to_owned(),
        };
        let body = self.template.entry("Conditions", name);
        let outcome = match body.filter(|_| open.insert(name.to_owned())) {
            Some(body) => self
                .settle_inner(body, open)
                .and_then(|()| self.truth(body)),
            None => Err(unresolved()),
        };
        let truth = match outcome {
            Err(_) if self.lenient => false,
            outcome => outcome?,
        };
        self.conditions.insert(name.to_owned(), truth);
        Ok(truth)
    }

    fn settle_inner(
        &mut self,
        body: &Value,
        open: &mut BTreeSet<String>,
    ) -> Result<(), TemplateError> {
        match body {
            Value::Object(object) => {
                for (key, value) in object {
                    match value.as_str() {
                        Some(name) if key == "Condition" => {
                            self.settle(name, open)?;
                        }
                        _ => self.settle_inner(value, open)?,
                    }
                }
                Ok(())
            }
            Value::Array(items) => items
                .iter()
                .try_for_each(|item| self.settle_inner(item, open)),
            _ => Ok(()),
        }
    }

    /// Tells whether a condition holds.
    ///
    /// # Errors
    /// When the template has no such condition.
    pub fn condition(&self, name: &str) -> Result<bool, TemplateError> {
        match self.conditions.get(name) {
            Some(truth) => Ok(*truth),
            None if self.lenient => Ok(false),
            None => Err(TemplateError::Unresolved {
                what: "condition",
                name: name.to_owned(),
            }),
        }
    }

    /// Returns what `Ref` yields for a parameter.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&Value> {
        self.parameters.get(name)
    }

    /// Evaluates a value; `None` stands for `AWS::NoValue`.
    ///
    /// # Errors
    /// When a function or a reference cannot be worked out, unless lenient.
    pub fn evaluate(&self, value: &Value) -> Result<Option<Value>, TemplateError> {
        match value {
            Value::Object(object) => {
                if let Some((name, argument)) = function_of(object) {
                    return match functions::call(self, name, argument) {
                        Err(_) if self.lenient => Ok(Some(placeholder(name))),
                        outcome => outcome,
                    };
                }
                let mut evaluated = Map::new();
                for (key, value) in object {
                    if let Some(value) = self.evaluate(value)? {
                        evaluated.insert(key.clone(), value);
                    }
                }
                Ok(Some(Value::Object(evaluated)))
            }
            Value::Array(items) => {
                let mut evaluated = Vec::with_capacity(items.len());
                for item in items {
                    evaluated.extend(self.evaluate(item)?);
                }
                Ok(Some(Value::Array(evaluated)))
            }
            scalar => Ok(Some(scalar.clone())),
        }
    }

    /// Evaluates something that must be true or false.
    pub(super) fn truth(&self, value: &Value) -> Result<bool, TemplateError> {
        if let Some(name) = value.get("Condition").and_then(Value::as_str) {
            return self.condition(name);
        }
        match self.evaluate(value)? {
            Some(Value::Bool(truth)) => Ok(truth),
            Some(Value::String(text)) if text == "true" => Ok(true),
            Some(Value::String(text)) if text == "false" => Ok(false),
            _ => Err(TemplateError::function(
                "Conditions",
                "neither true nor false",
            )),
        }
    }

    /// Tells whether a resource (or an output) is part of the stack.
    ///
    /// # Errors
    /// When its condition does not exist.
    pub fn holds(&self, entry: &Value) -> Result<bool, TemplateError> {
        entry
            .get("Condition")
            .and_then(Value::as_str)
            .map_or(Ok(true), |name| self.condition(name))
    }

    /// Evaluates every resource whose condition holds, in the template's order.
    ///
    /// # Errors
    /// When one cannot be evaluated, unless lenient.
    pub fn resources(&self) -> Result<Vec<EvaluatedResource>, TemplateError> {
        let names: Vec<_> = self
            .template
            .entries("Resources")
            .map(|(name, _)| name)
            .collect();
        let mut found = Vec::new();
        for name in names {
            found.extend(self.resource(name)?);
        }
        Ok(found)
    }

    /// Evaluates one resource; `None` when its condition does not hold or it does not exist.
    ///
    /// # Errors
    /// When it cannot be evaluated, unless lenient.
    pub fn resource(&self, logical_id: &str) -> Result<Option<EvaluatedResource>, TemplateError> {
        let Some(body) = self.template.entry("Resources", logical_id) else {
            return Ok(None);
        };
        if !self.holds(body)? {
            return Ok(None);
        }
        let part = |key: &str| match body.get(key) {
            Some(part) => self.evaluate(part),
            None => Ok(None),
        };
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let mut depends_on = Vec::new();
        for name in super::references::depends_on(body) {
            let there = self.template.entry("Resources", &name);
            if there.map_or(Ok(false), |there| self.holds(there))? {
                depends_on.push(name);
            }
        }
        Ok(Some(EvaluatedResource {
            logical_id: logical_id.to_owned(),
            kind: text("Type").unwrap_or_default().to_owned(),
            properties: part("Properties")?.unwrap_or_else(|| Value::Object(Map::new())),
            update_policy: part("UpdatePolicy")?.unwrap_or_default(),
            creation_policy: part("CreationPolicy")?.unwrap_or_default(),
            deletion_policy: text("DeletionPolicy").unwrap_or("Delete").to_owned(),
            depends_on,
        }))
    }

    /// Evaluates the outputs whose condition holds, by name.
    ///
    /// # Errors
    /// When one cannot be evaluated, unless lenient.
    pub fn outputs(&self) -> Result<BTreeMap<String, Value>, TemplateError> {
        let mut outputs = BTreeMap::new();
        for (name, body) in self.template.entries("Outputs") {
            if self.holds(body)? {
                let evaluated = self.evaluate(body)?.unwrap_or_default();
                outputs.insert(name.to_owned(), evaluated);
            }
        }
        Ok(outputs)
    }
}

fn parameter_value(
    declaration: &ParameterDeclaration,
    given: Option<&String>,
    ssm: &dyn Fn(&str) -> Option<String>,
) -> Option<Value> {
    let text = given.or(declaration.default.as_ref())?;
    if declaration.is_ssm() {
        let resolved = ssm(text).unwrap_or_else(|| format!("<ssm:{text}>"));
        return Some(declaration.value(&resolved));
    }
    Some(declaration.value(text))
}

/// Stands for what cannot be known.
pub(super) fn placeholder(name: &str) -> Value {
    Value::String(format!("<{name}>"))
}

/// Returns the function that an object calls, if it is a call.
fn function_of(object: &Map<String, Value>) -> Option<(&str, &Value)> {
    if object.len() != 1 {
        return None;
    }
    let (name, argument) = object.iter().next()?;
    (name == "Ref" || name.starts_with("Fn::")).then_some((name.as_str(), argument))
}
