//! Actions about templates.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::template::Template;

use super::super::super::api::{Answer, AwsError, Input};
use super::super::super::world::World;
use super::super::change_set;
use super::existing;
use super::request::{body, needed_capability, template_error};

pub(super) fn get_template(world: &World, input: &Input) -> Answer {
    if input.has("ChangeSetName") {
        return change_set::template(world, input);
    }
    let name = input.required("StackName")?;
    let stack = existing(world, &name)?;
    if stack.is_in_review() {
        return Ok(json!({ "TemplateBody": "", "StagesAvailable": [] }));
    }
    // Without transforms the original and the processed template are the same.
    Ok(json!({
        "TemplateBody": stack.target.body.0.as_str(),
        "StagesAvailable": ["Original", "Processed"],
    }))
}

fn capabilities(template: &Template) -> (Vec<&'static str>, Option<String>) {
    match needed_capability(template) {
        None => (Vec::new(), None),
        Some((capability, kinds)) => {
            let kinds = kinds.into_iter().collect::<Vec<_>>().join(", ");
            let reason = format!("The following resource(s) require capabilities: [{kinds}]");
            (vec![capability], Some(reason))
        }
    }
}

pub(super) fn get_template_summary(world: &World, input: &Input) -> Answer {
    let template = match input.text("StackName") {
        Some(name) => {
            let stack = existing(world, &name)?;
            if stack.is_in_review() {
                return Err(AwsError::validation(
                    "GetTemplateSummary cannot be called on REVIEW_IN_PROGRESS stacks.",
                ));
            }
            stack.target.template.clone()
        }
        None => {
            let text = body(world, input, true)?;
            Template::parse(&text).map_err(|error| template_error(&error))?
        }
    };
    let parameters = template.parameters().into_values().map(|declared| {
        json!({
            "ParameterKey": declared.name,
            "DefaultValue": declared.default,
            "ParameterType": declared.kind,
            "NoEcho": declared.no_echo,
            "Description": declared.description,
            "ParameterConstraints": { "AllowedValues": declared.allowed_values },
        })
    });
    let kinds: BTreeSet<&str> = template
        .entries("Resources")
        .filter_map(|(_, resource)| resource.get("Type").and_then(Value::as_str))
        .collect();
    let (capabilities, reason) = capabilities(&template);
    Ok(json!({
        "Parameters": parameters.collect::<Vec<_>>(),
        "Description": template.description(),
        "Capabilities": capabilities,
        "CapabilitiesReason": reason,
        "ResourceTypes": kinds,
        "Version": template.tree().get("AWSTemplateFormatVersion"),
    }))
}

pub(super) fn validate_template(world: &World, input: &Input) -> Answer {
    let text = body(world, input, true)?;
    let template = Template::parse(&text).map_err(|error| template_error(&error))?;
    let parameters = template.parameters().into_values().map(|declared| {
        json!({
            "ParameterKey": declared.name,
            "DefaultValue": declared.default,
            "NoEcho": declared.no_echo,
            "Description": declared.description,
        })
    });
    let (capabilities, reason) = capabilities(&template);
    Ok(json!({
        "Parameters": parameters.collect::<Vec<_>>(),
        "Description": template.description(),
        "Capabilities": capabilities,
        "CapabilitiesReason": reason,
    }))
}
