//! Calls that another person or program makes.

use serde_json::{Value, json};

use super::{Due, Fault, Made};
use crate::sandbox::api::Input;
use crate::sandbox::wire::{self, Service};
use crate::sandbox::world::{self, World};

/// Makes the call of a rule, and puts the next one down if there are to be more.
pub(super) fn make_call(world: &mut World, number: usize) {
    let Some(rule) = world.faults.rules.get_mut(number) else {
        return;
    };
    rule.seen += 1;
    let seen = rule.seen;
    let Fault::Call(call) = rule.fault.clone() else {
        return;
    };
    let input = filled_in(world, &call.input);
    let (service, action) = call.api.split_once(':').unwrap_or(("", &call.api));
    let refused = match Service::named(service) {
        Some(service) => wire::dispatch(world, service, action, &Input(input)).err(),
        None => Some(wire::unknown_action(Service::CloudFormation, action)),
    };
    let made = Made {
        at: world.now,
        api: call.api,
        refused: refused.map(|error| error.code),
    };
    world.faults.made.push(made);
    if let Some(every) = call.every
        && call.times.is_none_or(|times| seen < times)
    {
        world.schedule(every.0, world::Due::Scenario(Due::Call(number)));
    }
}

/// Fills in `$rack`, `$old_key`, `$new_key` and `$keep`.
fn filled_in(world: &mut World, input: &Value) -> Value {
    match input {
        Value::String(text) => {
            let faults = &world.faults;
            let new_key = faults.new_key.as_deref().unwrap_or_default();
            let text = text
                .replace("$rack", &faults.rack)
                .replace("$old_key", &faults.old_key)
                .replace("$new_key", new_key);
            Value::String(text)
        }
        Value::Array(items) => {
            let keeps = items.iter().any(|item| item == "$keep");
            let rest = items.iter().filter(|item| *item != "$keep");
            let mut items: Vec<_> = rest.map(|item| filled_in(world, item)).collect();
            if keeps {
                let named: Vec<Value> = items
                    .iter()
                    .map(|item| item["ParameterKey"].clone())
                    .collect();
                items.extend(kept_parameters(world, &named));
            }
            Value::Array(items)
        }
        Value::Object(fields) => {
            let filled = fields
                .iter()
                .map(|(name, field)| (name.clone(), filled_in(world, field)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    }
}

/// Lists the rack's parameters that are not named, each to keep its value.
fn kept_parameters(world: &mut World, named: &[Value]) -> Vec<Value> {
    let asked = Input(json!({ "StackName": world.faults.rack }));
    let Ok(answer) = wire::dispatch(world, Service::CloudFormation, "DescribeStacks", &asked)
    else {
        return Vec::new();
    };
    let parameters = answer["Stacks"][0]["Parameters"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    parameters
        .iter()
        .map(|parameter| parameter["ParameterKey"].clone())
        .filter(|key| !named.contains(key))
        .map(|key| json!({ "ParameterKey": key, "UsePreviousValue": true }))
        .collect()
}
