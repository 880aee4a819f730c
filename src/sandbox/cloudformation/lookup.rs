//! What a template's functions find in a stack and in the account.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::template::{Evaluator, Lookup, Pseudo, TemplateError};

use super::super::world::World;
use super::resources;
use super::stack::{Output, Resource, Stack, Target};

/// The resources of a stack, and what other stacks export.
pub(super) struct Known<'a> {
    pub world: &'a World,
    pub resources: &'a BTreeMap<String, Resource>,
}

impl Lookup for Known<'_> {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        let resource = self.resources.get(logical_id)?;
        let named = resource.attributes.get("Ref");
        Some(
            named
                .cloned()
                .unwrap_or_else(|| resource.physical_id.as_str().into()),
        )
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let resource = self.resources.get(logical_id)?;
        let known = resource.attributes.get(attribute).cloned();
        Some(known.unwrap_or_else(|| resources::likely_attribute(self.world, resource, attribute)))
    }

    fn export(&self, name: &str) -> Option<Value> {
        let stacks = self
            .world
            .cloudformation
            .stacks()
            .filter(|stack| !stack.is_deleted());
        let mut outputs = stacks.flat_map(|stack| &stack.outputs);
        let output = outputs.find(|output| output.export.as_deref() == Some(name))?;
        Some(output.value.as_str().into())
    }
}

/// Makes the evaluator of a target, whoever's resources `known` has.
pub(super) fn evaluator<'a>(
    known: &'a Known<'a>,
    stack_id: &str,
    stack_name: &str,
    target: &'a Target,
) -> Result<Evaluator<'a>, TemplateError> {
    evaluator_with(known.world, stack_id, stack_name, target, known)
}

/// Makes the evaluator of a target, with any lookup.
pub(super) fn evaluator_with<'a>(
    world: &World,
    stack_id: &str,
    stack_name: &str,
    target: &'a Target,
    lookup: &'a dyn Lookup,
) -> Result<Evaluator<'a>, TemplateError> {
    let pseudo = Pseudo {
        account: world.account.clone(),
        region: world.region.clone(),
        stack_id: stack_id.to_owned(),
        stack_name: stack_name.to_owned(),
        notification_arns: target.notification_arns.clone(),
    };
    let ssm = |name: &str| target.ssm.get(name).cloned();
    Evaluator::new(&target.template, &target.parameters.0, pseudo, lookup, &ssm)
}

impl Stack {
    /// Lets `read` evaluate what the stack should be, with the resources as they are.
    pub(super) fn evaluate<T>(
        &self,
        world: &World,
        read: impl FnOnce(&Evaluator<'_>) -> Result<T, TemplateError>,
    ) -> Result<T, TemplateError> {
        let known = Known {
            world,
            resources: &self.resources,
        };
        read(&evaluator(&known, &self.id, &self.name, &self.target)?)
    }

    /// Works out the outputs; those that cannot be are left out.
    pub(super) fn refresh_outputs(&mut self, world: &World) {
        let evaluated = self
            .evaluate(world, |evaluator| evaluator.outputs())
            .unwrap_or_default();
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        self.outputs = evaluated
            .into_iter()
            .map(|(key, output)| Output {
                key,
                value: output.get("Value").map(text).unwrap_or_default(),
                description: output.get("Description").map(text),
                export: output
                    .get("Export")
                    .and_then(|export| export.get("Name"))
                    .map(text),
            })
            .collect();
    }
}
