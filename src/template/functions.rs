//! The intrinsic functions (AWS CloudFormation user guide, "Intrinsic function reference").

use std::net::Ipv4Addr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::TemplateError;
use super::evaluate::{Evaluator, placeholder};
use super::parameter::scalar;
use super::references::pieces;

type Outcome = Result<Option<Value>, TemplateError>;

/// Calls a function; `None` stands for `AWS::NoValue`.
pub(super) fn call(scope: &Evaluator<'_>, name: &str, argument: &Value) -> Outcome {
    match name {
        "Ref" => reference(scope, argument.as_str().unwrap_or_default()),
        "Fn::GetAtt" => get_att(scope, argument).map(Some),
        "Fn::If" => branch(scope, argument),
        "Fn::Equals" => {
            let [left, right] = list(scope, name, argument)?;
            Ok(Some(Value::Bool(same(&left, &right))))
        }
        "Fn::And" => truths(scope, name, argument).map(|all| Some(all.iter().all(|t| *t).into())),
        "Fn::Or" => truths(scope, name, argument).map(|all| Some(all.iter().any(|t| *t).into())),
        "Fn::Not" => truths(scope, name, argument).map(|all| Some(all.iter().all(|t| !*t).into())),
        "Fn::Join" => join(scope, argument).map(Some),
        "Fn::Sub" => substitute(scope, argument).map(|text| Some(text.into())),
        "Fn::Select" => select(scope, argument),
        "Fn::Split" => split(scope, argument).map(Some),
        "Fn::FindInMap" => find_in_map(scope, argument),
        "Fn::Base64" => Ok(Some(STANDARD.encode(text(scope, name, argument)?).into())),
        "Fn::GetAZs" => zones(scope, argument).map(Some),
        "Fn::Cidr" => cidr(scope, argument).map(Some),
        "Fn::ImportValue" => {
            let export = text(scope, name, argument)?;
            Ok(Some(
                scope
                    .lookup
                    .export(&export)
                    .unwrap_or_else(|| placeholder(&export)),
            ))
        }
        "Fn::Length" => match scope.evaluate(argument)? {
            Some(Value::Array(items)) => Ok(Some(items.len().into())),
            _ => Err(TemplateError::function(name, "not a list")),
        },
        "Fn::ToJsonString" => {
            let value = scope.evaluate(argument)?.unwrap_or_default();
            Ok(Some(value.to_string().into()))
        }
        _ => Err(TemplateError::function(name, "not supported")),
    }
}

fn reference(scope: &Evaluator<'_>, name: &str) -> Outcome {
    let pseudo = &scope.pseudo;
    Ok(Some(match name {
        "AWS::NoValue" => return Ok(None),
        "AWS::AccountId" => pseudo.account.as_str().into(),
        "AWS::Region" => pseudo.region.as_str().into(),
        "AWS::StackId" => pseudo.stack_id.as_str().into(),
        "AWS::StackName" => pseudo.stack_name.as_str().into(),
        "AWS::NotificationARNs" => pseudo.notification_arns.clone().into(),
        "AWS::Partition" => partition(&pseudo.region).into(),
        "AWS::URLSuffix" if pseudo.region.starts_with("cn-") => "amazonaws.com.cn".into(),
        "AWS::URLSuffix" => "amazonaws.com".into(),
        _ => {
            if let Some(value) = scope.parameter(name) {
                value.clone()
            } else if scope.template.entry("Resources", name).is_some() {
                scope
                    .lookup
                    .reference(name)
                    .unwrap_or_else(|| placeholder(name))
            } else {
                return Err(TemplateError::Unresolved {
                    what: "reference",
                    name: name.to_owned(),
                });
            }
        }
    }))
}

fn partition(region: &str) -> &'static str {
    if region.starts_with("cn-") {
        "aws-cn"
    } else if region.starts_with("us-gov-") {
        "aws-us-gov"
    } else {
        "aws"
    }
}

fn get_att(scope: &Evaluator<'_>, argument: &Value) -> Result<Value, TemplateError> {
    let name = "Fn::GetAtt";
    let (resource, attribute) = match argument {
        Value::String(dotted) => dotted
            .split_once('.')
            .map(|(resource, attribute)| (resource.to_owned(), attribute.to_owned()))
            .ok_or_else(|| TemplateError::function(name, "no attribute"))?,
        _ => {
            let [resource, attribute] = texts(scope, name, argument)?;
            (resource, attribute)
        }
    };
    attribute_of(scope, &resource, &attribute)
}

fn attribute_of(
    scope: &Evaluator<'_>,
    resource: &str,
    attribute: &str,
) -> Result<Value, TemplateError> {
    if scope.template.entry("Resources", resource).is_none() {
        return Err(TemplateError::Unresolved {
            what: "resource",
            name: resource.to_owned(),
        });
    }
    let known = scope.lookup.attribute(resource, attribute);
    Ok(known.unwrap_or_else(|| placeholder(&format!("{resource}.{attribute}"))))
}

fn branch(scope: &Evaluator<'_>, argument: &Value) -> Outcome {
    let Some([condition, then, otherwise]) = argument.as_array().map(Vec::as_slice) else {
        return Err(TemplateError::function("Fn::If", "not a list of three"));
    };
    let holds = match condition.as_str() {
        Some(name) => scope.condition(name)?,
        None => scope.truth(condition)?,
    };
    scope.evaluate(if holds { then } else { otherwise })
}

/// Compares as CloudFormation does: `3` and `"3"` are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (scalar(left), scalar(right)) {
        (Some(left), Some(right)) => left == right,
        _ => left == right,
    }
}

fn truths(scope: &Evaluator<'_>, name: &str, argument: &Value) -> Result<Vec<bool>, TemplateError> {
    let items = argument
        .as_array()
        .ok_or_else(|| TemplateError::function(name, "not a list"))?;
    items.iter().map(|item| scope.truth(item)).collect()
}

fn join(scope: &Evaluator<'_>, argument: &Value) -> Result<Value, TemplateError> {
    let name = "Fn::Join";
    let [delimiter, items] = list(scope, name, argument)?;
    let delimiter = delimiter.as_str().unwrap_or_default().to_owned();
    let mut parts = Vec::new();
    for item in items
        .as_array()
        .map_or_else(|| vec![items.clone()], Clone::clone)
    {
        match &item {
            Value::Array(inner) => parts.extend(inner.iter().filter_map(scalar)),
            item => parts.push(
                scalar(item).ok_or_else(|| TemplateError::function(name, "an item is no text"))?,
            ),
        }
    }
    Ok(parts.join(&delimiter).into())
}

fn substitute(scope: &Evaluator<'_>, argument: &Value) -> Result<String, TemplateError> {
    let name = "Fn::Sub";
    let (pattern, variables) = match argument {
        Value::String(pattern) => (pattern.as_str(), None),
        Value::Array(parts) => (
            parts.first().and_then(Value::as_str).unwrap_or_default(),
            parts.get(1),
        ),
        _ => return Err(TemplateError::function(name, "neither text nor a list")),
    };
    let mut text = String::new();
    for piece in pieces(pattern) {
        let variable = match piece {
            Ok(literal) => {
                text.push_str(&literal);
                continue;
            }
            Err(variable) => variable,
        };
        let local = variables.and_then(|variables| variables.get(variable.as_str()));
        let value = match (local, variable.split_once('.')) {
            (Some(local), _) => scope.evaluate(local)?,
            (None, Some((resource, attribute))) => Some(attribute_of(scope, resource, attribute)?),
            (None, None) => reference(scope, &variable)?,
        };
        let value = value.unwrap_or_default();
        match &value {
            Value::Array(items) => {
                text.push_str(
                    &items
                        .iter()
                        .filter_map(scalar)
                        .collect::<Vec<_>>()
                        .join(","),
                );
            }
            value => text.push_str(&scalar(value).unwrap_or_default()),
        }
    }
    Ok(text)
}

fn select(scope: &Evaluator<'_>, argument: &Value) -> Outcome {
    let name = "Fn::Select";
    let [index, items] = list(scope, name, argument)?;
    let index: usize = scalar(&index)
        .and_then(|index| index.parse().ok())
        .ok_or_else(|| TemplateError::function(name, "the index is no number"))?;
    let items = items
        .as_array()
        .ok_or_else(|| TemplateError::function(name, "not a list"))?;
    items.get(index).cloned().map(Some).ok_or_else(|| {
        TemplateError::function(
            name,
            format!("cannot select nonexistent value at index {index}"),
        )
    })
}

fn split(scope: &Evaluator<'_>, argument: &Value) -> Result<Value, TemplateError> {
    let [delimiter, source] = texts(scope, "Fn::Split", argument)?;
    if delimiter.is_empty() {
        return Err(TemplateError::function(
            "Fn::Split",
            "the delimiter is empty",
        ));
    }
    Ok(source.split(delimiter.as_str()).map(Value::from).collect())
}

fn find_in_map(scope: &Evaluator<'_>, argument: &Value) -> Outcome {
    let name = "Fn::FindInMap";
    let parts = argument
        .as_array()
        .ok_or_else(|| TemplateError::function(name, "not a list"))?;
    let (path, rest) = parts
        .split_at_checked(3)
        .ok_or_else(|| TemplateError::function(name, "needs a map and two keys"))?;
    let mut keys = Vec::new();
    for key in path {
        keys.push(text(scope, name, key)?);
    }
    let mut found = scope.template.entry("Mappings", &keys[0]);
    for key in &keys[1..] {
        found = found.and_then(|map| map.get(key.as_str()));
    }
    if let Some(found) = found {
        return scope.evaluate(found);
    }
    match rest.first().and_then(|options| options.get("DefaultValue")) {
        Some(default) => scope.evaluate(default),
        None => Err(TemplateError::Unresolved {
            what: "mapping",
            name: keys.join("."),
        }),
    }
}

fn zones(scope: &Evaluator<'_>, argument: &Value) -> Result<Value, TemplateError> {
    let region = text(scope, "Fn::GetAZs", argument)?;
    let region = if region.is_empty() {
        scope.pseudo.region.clone()
    } else {
        region
    };
    Ok(["a", "b", "c"]
        .iter()
        .map(|zone| Value::from(format!("{region}{zone}")))
        .collect())
}

/// Cuts `count` blocks of 2^`bits` addresses out of an IPv4 block.
fn cidr(scope: &Evaluator<'_>, argument: &Value) -> Result<Value, TemplateError> {
    let name = "Fn::Cidr";
    let bad = |problem: &str| TemplateError::function(name, problem);
    let parts = argument.as_array().ok_or_else(|| bad("not a list"))?;
    let part = |at: usize| match parts.get(at) {
        Some(part) => text(scope, name, part),
        None => Err(bad("needs a block, a count and bits")),
    };
    let block = part(0)?;
    let count: u32 = part(1)?
        .parse()
        .map_err(|_| bad("the count is no number"))?;
    let bits: u32 = part(2)?
        .parse()
        .map_err(|_| bad("the bits are no number"))?;
    let (address, prefix) = block.split_once('/').ok_or_else(|| bad("not a block"))?;
    let base: Ipv4Addr = address.parse().map_err(|_| bad("not an IPv4 block"))?;
    let prefix: u32 = prefix.parse().map_err(|_| bad("not a block"))?;
    let free = 32_u32
        .checked_sub(prefix)
        .ok_or_else(|| bad("not a block"))?;
    if !(1..=256).contains(&count) || bits > free || u64::from(count) << bits > 1 << free {
        return Err(bad("the block is too small"));
    }
    let block = |n: u32| {
        let start = u64::from(u32::from(base)) + (u64::from(n) << bits);
        let start = u32::try_from(start).unwrap_or(u32::MAX);
        Value::from(format!("{}/{}", Ipv4Addr::from(start), 32 - bits))
    };
    Ok((0..count).map(block).collect())
}

/// Evaluates an argument list of `N`; a `NoValue` in it is null.
fn list<const N: usize>(
    scope: &Evaluator<'_>,
    name: &str,
    argument: &Value,
) -> Result<[Value; N], TemplateError> {
    let items = argument
        .as_array()
        .ok_or_else(|| TemplateError::function(name, "not a list"))?;
    let mut evaluated = Vec::new();
    for item in items {
        evaluated.push(scope.evaluate(item)?.unwrap_or_default());
    }
    evaluated
        .try_into()
        .map_err(|_| TemplateError::function(name, format!("needs a list of {N}")))
}

fn texts<const N: usize>(
    scope: &Evaluator<'_>,
    name: &str,
    argument: &Value,
) -> Result<[String; N], TemplateError> {
    let mut found: [String; N] = std::array::from_fn(|_| String::new());
    for (slot, value) in found.iter_mut().zip(list::<N>(scope, name, argument)?) {
        *slot = scalar(&value).ok_or_else(|| TemplateError::function(name, "not text"))?;
    }
    Ok(found)
}

fn text(scope: &Evaluator<'_>, name: &str, argument: &Value) -> Result<String, TemplateError> {
    let value = scope.evaluate(argument)?.unwrap_or_default();
    scalar(&value).ok_or_else(|| TemplateError::function(name, "not text"))
}
