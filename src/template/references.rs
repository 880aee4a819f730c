//! Who refers to whom: parameters, conditions and resources.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Template;
use super::evaluate::Evaluator;

/// The names that a piece of template mentions.
#[derive(Debug, Default)]
struct Names {
    /// By `Ref`, `Fn::GetAtt` or `Fn::Sub`: parameters and resources.
    referred: BTreeSet<String>,
    /// Conditions.
    conditions: BTreeSet<String>,
}

impl Template {
    /// Returns the resources that mention a parameter, also through conditions.
    ///
    /// A resource whose own condition rests on the parameter counts, and so does one
    /// whose condition does not hold just now. Resources that only refer to such a
    /// resource do not count; see [`Evaluator::affected_by`].
    #[must_use]
    pub fn resources_naming(&self, parameter: &str) -> BTreeSet<String> {
        let conditions = self.conditions_naming(parameter);
        self.entries("Resources")
            .filter(|(_, body)| {
                let mut names = Names::default();
                gather(body, &mut names, &|_| None);
                names.conditions.extend(condition_of(body));
                names.referred.contains(parameter) || !names.conditions.is_disjoint(&conditions)
            })
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Returns the conditions that rest on a parameter, directly or through others.
    fn conditions_naming(&self, parameter: &str) -> BTreeSet<String> {
        let mut mentioned = BTreeMap::new();
        for (name, body) in self.entries("Conditions") {
            let mut names = Names::default();
            gather(body, &mut names, &|_| None);
            mentioned.insert(name.to_owned(), names);
        }
        let mut found = BTreeSet::new();
        loop {
            let more: Vec<_> = mentioned
                .iter()
                .filter(|(name, names)| {
                    !found.contains(*name)
                        && (names.referred.contains(parameter)
                            || !names.conditions.is_disjoint(&found))
                })
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return found;
            }
            found.extend(more);
        }
    }
}

impl Evaluator<'_> {
    /// Returns, for every resource whose condition holds, the resources that it waits for.
    ///
    /// Of an `Fn::If` only the branch that is taken counts, as in CloudFormation.
    #[must_use]
    pub fn dependencies(&self) -> BTreeMap<String, BTreeSet<String>> {
        let present: BTreeSet<String> = self
            .template
            .entries("Resources")
            .filter(|(_, body)| self.holds(body).unwrap_or(false))
            .map(|(name, _)| name.to_owned())
            .collect();
        let mut dependencies = BTreeMap::new();
        for name in &present {
            let Some(body) = self.template.entry("Resources", name) else {
                continue;
            };
            let mut names = Names::default();
            gather(body, &mut names, &|condition| {
                self.condition(condition).ok()
            });
            names.referred.extend(depends_on(body));
            names
                .referred
                .retain(|other| present.contains(other) && other != name);
            dependencies.insert(name.clone(), names.referred);
        }
        dependencies
    }

    /// Returns the parameters of nested stack `logical_id` whose values rest on a parameter of
    /// this template, directly, by a condition or by way of a resource that it affects.
    #[must_use]
    pub fn nested_parameters(&self, logical_id: &str, parameter: &str) -> BTreeSet<String> {
        let conditions = self.template.conditions_naming(parameter);
        let affected = self.affected_by(parameter);
        let given = self
            .template
            .entry("Resources", logical_id)
            .and_then(|body| body.pointer("/Properties/Parameters"))
            .and_then(Value::as_object);
        let rests = |expression: &&Value| {
            let mut names = Names::default();
            gather(expression, &mut names, &|name| self.condition(name).ok());
            names.referred.contains(parameter)
                || !names.referred.is_disjoint(&affected)
                || !names.conditions.is_disjoint(&conditions)
        };
        given
            .into_iter()
            .flatten()
            .filter(|(_, expression)| rests(expression))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Returns the present resources that mention a parameter, and all that wait for those.
    #[must_use]
    pub fn affected_by(&self, parameter: &str) -> BTreeSet<String> {
        let dependencies = self.dependencies();
        let mut affected = self.template.resources_naming(parameter);
        affected.retain(|name| dependencies.contains_key(name));
        loop {
            let more: Vec<_> = dependencies
                .iter()
                .filter(|(name, needs)| !affected.contains(*name) && !needs.is_disjoint(&affected))
                .map(|(name, _)| name.clone())
                .collect();
            if more.is_empty() {
                return affected;
            }
            affected.extend(more);
        }
    }
}

/// Returns a resource's `DependsOn`, which is one name or a list.
pub(super) fn depends_on(resource: &Value) -> Vec<String> {
    match resource.get("DependsOn") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    }
}

fn condition_of(resource: &Value) -> Option<String> {
    resource
        .get("Condition")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Gathers the names in a piece of template.
///
/// `holds` decides a condition where it is known; else both branches are gathered.
fn gather(value: &Value, names: &mut Names, holds: &dyn Fn(&str) -> Option<bool>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| gather(item, names, holds)),
        Value::Object(object) => {
            for (key, inner) in object {
                match (key.as_str(), inner) {
                    ("Ref", Value::String(name)) => {
                        names.referred.insert(name.clone());
                    }
                    ("Condition", Value::String(name)) => {
                        names.conditions.insert(name.clone());
                    }
                    ("Fn::GetAtt", Value::String(dotted)) => {
                        let name = dotted.split('.').next().unwrap_or_default();
                        names.referred.insert(name.to_owned());
                    }
                    ("Fn::GetAtt", Value::Array(parts)) => {
                        let name = parts.first().and_then(Value::as_str).unwrap_or_default();
                        names.referred.insert(name.to_owned());
                    }
                    ("Fn::Sub", inner) => gather_sub(inner, names, holds),
                    ("Fn::If", Value::Array(parts)) => gather_if(parts, names, holds),
                    _ => gather(inner, names, holds),
                }
            }
        }
        _ => {}
    }
}

fn gather_if(parts: &[Value], names: &mut Names, holds: &dyn Fn(&str) -> Option<bool>) {
    let [condition, then, otherwise] = parts else {
        return;
    };
    let known = condition.as_str().and_then(|name| {
        names.conditions.insert(name.to_owned());
        holds(name)
    });
    if known != Some(false) {
        gather(then, names, holds);
    }
    if known != Some(true) {
        gather(otherwise, names, holds);
    }
}

fn gather_sub(argument: &Value, names: &mut Names, holds: &dyn Fn(&str) -> Option<bool>) {
    let (pattern, variables) = match argument {
        Value::Array(parts) => (parts.first().and_then(Value::as_str), parts.get(1)),
        other => (other.as_str(), None),
    };
    for variable in pieces(pattern.unwrap_or_default())
        .into_iter()
        .filter_map(Result::err)
    {
        if variables
            .and_then(|variables| variables.get(variable.as_str()))
            .is_none()
        {
            let name = variable.split('.').next().unwrap_or_default();
            names.referred.insert(name.to_owned());
        }
    }
    if let Some(variables) = variables {
        gather(variables, names, holds);
    }
}

/// Cuts the pattern of an `Fn::Sub` into literals (`Ok`) and variables (`Err`).
///
/// `${!Name}` is a literal `${Name}`.
pub(super) fn pieces(pattern: &str) -> Vec<Result<String, String>> {
    let mut found = Vec::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once("${") {
        found.push(Ok(before.to_owned()));
        let Some((name, tail)) = after.split_once('}') else {
            found.push(Ok(format!("${{{after}")));
            return found;
        };
        found.push(match name.strip_prefix('!') {
            Some(literal) => Ok(format!("${{{literal}}}")),
            None => Err(name.trim().to_owned()),
        });
        rest = tail;
    }
    found.push(Ok(rest.to_owned()));
    found
}
