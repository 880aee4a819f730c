//! Change sets: what creating or updating a stack would do, and then doing it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::template::{EvaluatedResource, Lookup, TemplateError};

use super::super::api::{Answer, AwsError, Input};
use super::super::world::{self, World};
use super::api::{
    Request, check_name, check_updatable, existing, is_unchanged, new_id, start_create,
    start_update, time,
};
use super::lookup::Known;
use super::stack::{Resource, Stack, Target};
use super::{CloudFormation, Due, resources, with_stack};

/// A change set: for a stack in review it creates the stack, for any other it updates it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ChangeSet {
    id: String,
    name: String,
    stack: String,
    description: Option<String>,
    target: Target,
    disable_rollback: bool,
    deployment_mode: String,
    status: String,
    execution_status: String,
    reason: Option<String>,
    created: Timestamp,
    changes: Vec<Value>,
}

/// What AWS says of a change set that would change nothing.
const NO_CHANGE: &str = "The submitted information didn't contain changes. Submit different \
                         information to create a change set.";

impl CloudFormation {
    /// A stack is about to change: what its change sets say is true no more.
    pub(super) fn outdate_change_sets(&mut self, stack: &str) {
        for set in self.change_sets.values_mut() {
            if set.stack == stack && set.execution_status == "AVAILABLE" {
                set.execution_status = "OBSOLETE".to_owned();
            }
        }
    }

    /// A stack is gone, and its change sets with it.
    pub(super) fn forget_change_sets(&mut self, stack: &str) {
        self.change_sets.retain(|_, set| set.stack != stack);
    }

    fn change_set(&self, input: &Input) -> Result<&ChangeSet, AwsError> {
        let name = input.required("ChangeSetName")?;
        let stack = input.text("StackName");
        let stack = stack.as_deref().and_then(|stack| self.stack(stack));
        let found = self.change_sets.get(&name).or_else(|| {
            let stack = stack?;
            self.change_sets
                .values()
                .find(|set| set.stack == stack.id && set.name == name)
        });
        found.ok_or_else(|| {
            let message = format!("ChangeSet [{name}] does not exist");
            AwsError::new(404, "ChangeSetNotFound", message)
        })
    }
}

/// `CreateChangeSet`.
pub(super) fn create(world: &mut World, input: &Input) -> Answer {
    let stack_name = input.required("StackName")?;
    let name = input.required("ChangeSetName")?;
    let kind = input.text("ChangeSetType");
    match kind.as_deref().unwrap_or("UPDATE") {
        "UPDATE" => create_for_update(world, input, &stack_name, name),
        "CREATE" => create_for_new(world, input, stack_name, name),
        "IMPORT" => Err(AwsError::validation(
            "Only change sets of type CREATE and UPDATE are simulated",
        )),
        other => Err(AwsError::validation(format!(
            "1 validation error detected: Value '{other}' at 'changeSetType' failed to satisfy \
             constraint: Member must satisfy enum value set: [IMPORT, UPDATE, CREATE]"
        ))),
    }
}

/// Makes a change set for a stack that exists.
fn create_for_update(world: &mut World, input: &Input, stack: &str, name: String) -> Answer {
    let stack = existing(world, stack)?;
    check_updatable(stack)?;
    check_new(world, &stack.id, &name)?;
    let previous = Some((&stack.target, &stack.resources));
    let request = Request::read(world, input, (&stack.id, &stack.name), previous)?;
    let stack = stack.id.clone();
    Ok(prepare(world, input, stack, name, request))
}

/// Makes a change set for a stack that does not exist: until the change set is executed, the
/// stack is in review, without a template and without resources.
fn create_for_new(world: &mut World, input: &Input, stack: String, name: String) -> Answer {
    let found = world.cloudformation.stack(&stack);
    if found.is_some_and(|found| !found.is_in_review()) {
        return Err(AwsError::validation(format!(
            "Stack [{stack}] already exists and cannot be created again with the changeSet [{name}]."
        )));
    }
    if input.truth("UsePreviousTemplate") == Some(true) {
        return Err(AwsError::validation(
            "Cannot specify usePreviousTemplate as true for a changeSetType CREATE",
        ));
    }
    if let Some(found) = found {
        check_new(world, &found.id, &name)?;
        let request = Request::read(world, input, (&found.id, &found.name), None)?;
        let id = found.id.clone();
        return Ok(prepare(world, input, id, name, request));
    }
    check_name(&stack)?;
    let id = new_id(world, &stack);
    let request = Request::read(world, input, (&id, &stack), None)?;
    let mut stack = Stack::new(id.clone(), stack, request.target.clone(), world.now);
    let reason = Some("User Initiated".to_owned());
    stack.turn(world, "REVIEW_IN_PROGRESS", reason);
    world.cloudformation.stacks.insert(id.clone(), stack);
    let answer = prepare(world, input, id.clone(), name, request);
    if let Some(stack) = world.cloudformation.stacks.get_mut(&id) {
        stack.change_set = answer["Id"].as_str().map(str::to_owned);
    }
    Ok(answer)
}

/// Refuses a second change set of the same name.
fn check_new(world: &World, stack: &str, name: &str) -> Result<(), AwsError> {
    let mut sets = world.cloudformation.change_sets.values();
    if sets.any(|set| set.stack == stack && set.name == name) {
        let message = format!("ChangeSet {name} already exists");
        return Err(AwsError::new(400, "AlreadyExistsException", message));
    }
    Ok(())
}

/// Puts a change set down, to be worked out in a while, and answers the call.
fn prepare(
    world: &mut World,
    input: &Input,
    stack: String,
    name: String,
    request: Request,
) -> Value {
    let id = world.chance.uuid();
    let id = world.arn("cloudformation", &format!("changeSet/{name}/{id}"));
    let set = ChangeSet {
        id: id.clone(),
        name,
        stack: stack.clone(),
        description: input.text("Description"),
        target: request.target,
        disable_rollback: request.disable_rollback,
        deployment_mode: request.deployment_mode,
        status: "CREATE_PENDING".to_owned(),
        execution_status: "UNAVAILABLE".to_owned(),
        reason: None,
        created: world.now,
        changes: Vec::new(),
    };
    world.cloudformation.change_sets.insert(id.clone(), set);
    let after = world.chance.span((1_000, 2_000));
    let due = Due::ChangeSet { id: id.clone() };
    world.schedule(after, world::Due::CloudFormation(due));
    json!({ "Id": id, "StackId": stack })
}

/// Works a change set out: first it is seen in progress, then it is complete.
pub(super) fn finish(world: &mut World, id: &str) {
    let Some(mut set) = world.cloudformation.change_sets.remove(id) else {
        return;
    };
    if set.status == "CREATE_PENDING" {
        set.status = "CREATE_IN_PROGRESS".to_owned();
        let due = Due::ChangeSet { id: id.to_owned() };
        world.schedule(Duration::from_millis(500), world::Due::CloudFormation(due));
    } else if let Some(stack) = world.cloudformation.stack(&set.stack) {
        let worked_out = is_unchanged(world, stack, &set.target)
            .map_err(|error| error.message)
            .and_then(|unchanged| {
                if unchanged {
                    return Err(NO_CHANGE.to_owned());
                }
                changes(world, stack, &set.target).map_err(|error| error.to_string())
            });
        match worked_out {
            Ok(changes) => {
                set.changes = changes;
                set.status = "CREATE_COMPLETE".to_owned();
                set.execution_status = "AVAILABLE".to_owned();
            }
            Err(reason) => {
                set.status = "FAILED".to_owned();
                set.reason = Some(reason);
            }
        }
    }
    world.cloudformation.change_sets.insert(id.to_owned(), set);
}

/// `DescribeChangeSet`.
pub(super) fn describe(world: &World, input: &Input) -> Answer {
    let set = world.cloudformation.change_set(input)?;
    let stack = existing(world, &set.stack)?;
    let shown = Stack {
        target: set.target.clone(),
        events: Vec::new(),
        ..stack.clone()
    };
    let tags = set.target.tags.iter();
    let executing = set.execution_status == "EXECUTE_IN_PROGRESS" && !stack.is_busy();
    Ok(json!({
        "ChangeSetName": set.name,
        "ChangeSetId": set.id,
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": set.description,
        "Parameters": super::api::shown_parameters(&shown),
        "CreationTime": time(set.created),
        "ExecutionStatus": if executing { "EXECUTE_COMPLETE" } else { &set.execution_status },
        "Status": set.status,
        "StatusReason": set.reason,
        "NotificationARNs": set.target.notification_arns,
        "RollbackConfiguration": {},
        "Capabilities": set.target.capabilities,
        "Tags": tags.map(|(key, value)| json!({ "Key": key, "Value": value })).collect::<Vec<_>>(),
        "Changes": set.changes,
        "IncludeNestedStacks": false,
    }))
}

/// `GetTemplate` of a change set.
pub(super) fn template(world: &World, input: &Input) -> Answer {
    let set = world.cloudformation.change_set(input)?;
    Ok(json!({
        "TemplateBody": set.target.body.0.as_str(),
        "StagesAvailable": ["Original", "Processed"],
    }))
}

/// `ExecuteChangeSet`.
pub(super) fn execute(world: &mut World, input: &Input) -> Answer {
    let set = world.cloudformation.change_set(input)?.clone();
    let stack = existing(world, &set.stack)?;
    if !stack.is_in_review() {
        check_updatable(stack)?;
    }
    if set.execution_status != "AVAILABLE" {
        return Err(AwsError::new(
            400,
            "InvalidChangeSetStatus",
            format!(
                "ChangeSet [{}] cannot be executed in its current status of [{}]",
                set.id, set.status
            ),
        ));
    }
    let request = Request {
        target: set.target,
        disable_rollback: input
            .truth("DisableRollback")
            .unwrap_or(set.disable_rollback),
        deployment_mode: set.deployment_mode,
        token: super::api::token(input)?,
    };
    with_stack(world, &set.stack, |world, stack| {
        stack.change_set = Some(set.id.clone());
        if stack.is_in_review() {
            start_create(world, stack, request, "ExecuteChangeSet")
        } else {
            start_update(world, stack, request, "ExecuteChangeSet")
        }
    });
    if let Some(set) = world.cloudformation.change_sets.get_mut(&set.id) {
        set.execution_status = "EXECUTE_IN_PROGRESS".to_owned();
    }
    Ok(json!({}))
}

/// `DeleteChangeSet`; one that is not there counts as deleted.
pub(super) fn delete(world: &mut World, input: &Input) -> Answer {
    if let Ok(set) = world.cloudformation.change_set(input) {
        let id = set.id.clone();
        world.cloudformation.change_sets.remove(&id);
    }
    Ok(json!({}))
}

/// `ListChangeSets`.
pub(super) fn list(world: &World, input: &Input) -> Answer {
    let name = input.required("StackName")?;
    let stack = existing(world, &name)?;
    let sets = world
        .cloudformation
        .change_sets
        .values()
        .filter(|set| set.stack == stack.id);
    let summaries: Vec<Value> = sets
        .map(|set| {
            json!({
                "StackId": stack.id,
                "StackName": stack.name,
                "ChangeSetId": set.id,
                "ChangeSetName": set.name,
                "ExecutionStatus": set.execution_status,
                "Status": set.status,
                "StatusReason": set.reason,
                "CreationTime": time(set.created),
                "Description": set.description,
            })
        })
        .collect();
    Ok(json!({ "Summaries": summaries }))
}

/// Knows the resources as they are, except that what changes has attributes nobody knows yet.
struct Foreseen<'a> {
    known: Known<'a>,
    changed: BTreeSet<String>,
    replaced: BTreeSet<String>,
}

impl Lookup for Foreseen<'_> {
    fn reference(&self, logical_id: &str) -> Option<Value> {
        (!self.replaced.contains(logical_id)).then(|| self.known.reference(logical_id))?
    }

    fn attribute(&self, logical_id: &str, attribute: &str) -> Option<Value> {
        let moves = self.replaced.contains(logical_id)
            || (self.changed.contains(logical_id)
                && (attribute == "LatestVersionNumber" || attribute.starts_with("Outputs.")));
        (!moves).then(|| self.known.attribute(logical_id, attribute))?
    }

    fn export(&self, name: &str) -> Option<Value> {
        self.known.export(name)
    }
}

/// Works out what an update would do, to the last resource that another one's change reaches.
fn changes(world: &World, stack: &Stack, target: &Target) -> Result<Vec<Value>, TemplateError> {
    let resources = &stack.resources;
    let mut foreseen = Foreseen {
        known: Known { world, resources },
        changed: BTreeSet::new(),
        replaced: BTreeSet::new(),
    };
    let mut direct: Option<BTreeSet<String>> = None;
    let (wanted, needs) = loop {
        let evaluator =
            super::lookup::evaluator_with(world, &stack.id, &stack.name, target, &foreseen)?;
        let (wanted, needs) = (evaluator.resources()?, evaluator.dependencies());
        let mut changed = BTreeSet::new();
        let mut replaced = BTreeSet::new();
        for wanted in &wanted {
            match resources.get(&wanted.logical_id) {
                Some(now) if same(now, wanted) => {}
                Some(now) => {
                    changed.insert(wanted.logical_id.clone());
                    if now.kind != wanted.kind || resources::replaces(now, wanted) {
                        replaced.insert(wanted.logical_id.clone());
                    }
                }
                None => {
                    changed.insert(wanted.logical_id.clone());
                }
            }
        }
        direct.get_or_insert_with(|| changed.clone());
        if changed == foreseen.changed && replaced == foreseen.replaced {
            break (wanted, needs);
        }
        (foreseen.changed, foreseen.replaced) = (changed, replaced);
    };
    let direct = direct.unwrap_or_default();
    let mut found = Vec::new();
    for wanted in &wanted {
        let name = &wanted.logical_id;
        if !foreseen.changed.contains(name) {
            continue;
        }
        let Some(now) = resources.get(name) else {
            found.push(change("Add", name, None, &wanted.kind, None, Vec::new()));
            continue;
        };
        let is_replaced = foreseen.replaced.contains(name);
        let reached = needs
            .get(name)
            .into_iter()
            .flatten()
            .find(|n| foreseen.changed.contains(*n));
        let details = details(now, wanted, direct.contains(name), reached, is_replaced);
        let replacement = if is_replaced { "True" } else { "False" };
        let id = Some(now.physical_id.as_str());
        found.push(change(
            "Modify",
            name,
            id,
            &wanted.kind,
            Some(replacement),
            details,
        ));
    }
    let kept: BTreeMap<_, _> = wanted.iter().map(|w| (&w.logical_id, ())).collect();
    for (name, now) in resources
        .iter()
        .filter(|(name, _)| !kept.contains_key(name))
    {
        let id = Some(now.physical_id.as_str());
        found.push(change("Remove", name, id, &now.kind, None, Vec::new()));
    }
    Ok(found)
}

fn same(now: &Resource, wanted: &EvaluatedResource) -> bool {
    !now.dirty && now.kind == wanted.kind && now.properties.0 == wanted.properties
}

fn change(
    action: &str,
    name: &str,
    physical_id: Option<&str>,
    kind: &str,
    replacement: Option<&str>,
    details: Vec<Value>,
) -> Value {
    json!({
        "Type": "Resource",
        "ResourceChange": {
            "Action": action,
            "LogicalResourceId": name,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Replacement": replacement,
            "Scope": if details.is_empty() { json!([]) } else { json!(["Properties"]) },
            "Details": details,
        },
    })
}

/// Says which properties change, and on whose account.
fn details(
    now: &Resource,
    wanted: &EvaluatedResource,
    is_direct: bool,
    reached: Option<&String>,
    is_replaced: bool,
) -> Vec<Value> {
    let empty = serde_json::Map::new();
    let old = now.properties.0.as_object().unwrap_or(&empty);
    let new = wanted.properties.as_object().unwrap_or(&empty);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let recreation = if is_replaced { "Always" } else { "Never" };
    names
        .into_iter()
        .filter(|name| old.get(*name) != new.get(*name))
        .map(|name| {
            json!({
                "Target": {
                    "Attribute": "Properties",
                    "Name": name,
                    "RequiresRecreation": recreation,
                },
                "Evaluation": if is_direct { "Static" } else { "Dynamic" },
                "ChangeSource": if is_direct { "DirectModification" } else { "ResourceAttribute" },
                "CausingEntity": if is_direct { None } else { reached },
            })
        })
        .collect()
}
