//! Operations: which resources are touched, in which order, until all are settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::template::EvaluatedResource;

use super::super::world::{self, World};
use super::resources::{self, Begun, Made, Site, Wait};
use super::rolling::{self, Roll};
use super::signals::SignalWait;
use super::stack::{OperationRecord, Resource, Stack, TokenUse, Undo, Veiled};
use super::{Due, OperationDue, cleanup, failure};

/// How often something that takes its time is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// What an operation is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// A new stack.
    Create,
    /// A new stack that failed is taken down again.
    CreateRollback,
    /// A stack changes.
    Update,
    /// A stack changes back.
    Rollback,
    /// A stack goes.
    Delete,
}

/// How far a resource is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    /// Others come first.
    Waiting,
    /// Being created, updated or deleted.
    Running(Verb),
    /// As it should be.
    Settled,
    /// It will not be what it should be.
    Failed(Verb),
    /// It was not begun, and will not be.
    Cancelled,
}

/// What is done to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verb {
    Create,
    Update,
    Delete,
}

impl Verb {
    /// Returns the status of a resource at some stage, such as `UPDATE_COMPLETE`.
    pub(super) fn status(self, stage: &str) -> String {
        let verb = match self {
            Self::Create => "CREATE",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        };
        format!("{verb}_{stage}")
    }
}

/// An operation under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Operation {
    pub id: String,
    pub kind: Kind,
    /// The client request token of the call behind it.
    pub token: Option<String>,
    /// Whether it ends as soon as everything is configured.
    pub express: bool,
    /// Whom each resource waits for.
    pub needs: BTreeMap<String, BTreeSet<String>>,
    /// How far each resource is.
    pub steps: BTreeMap<String, Step>,
    /// Resources that a rollback is told to leave alone.
    pub skip: BTreeSet<String>,
    /// Rolling updates under way, by group.
    pub rolls: BTreeMap<String, Roll>,
    /// What running resources wait for.
    pub waits: BTreeMap<String, Wait>,
    /// Signals that resources wait for.
    pub signals: BTreeMap<String, SignalWait>,
}

impl Operation {
    /// Returns the resources whose turn it is.
    fn ready(&self) -> Vec<String> {
        let settled = |name: &String| self.steps.get(name).is_none_or(|s| *s == Step::Settled);
        self.steps
            .iter()
            .filter(|(name, step)| {
                **step == Step::Waiting
                    && self
                        .needs
                        .get(*name)
                        .is_none_or(|needs| needs.iter().all(settled))
            })
            .map(|(name, _)| name.clone())
            .collect()
    }

    fn is_over(&self) -> bool {
        self.steps.values().all(|step| *step == Step::Settled)
    }
}

/// Begins an operation: it gets an id, and its resources are looked at a moment later.
pub(super) fn begin(
    world: &mut World,
    stack: &mut Stack,
    kind: Kind,
    name: &str,
    token: Option<String>,
) -> String {
    let id = world.chance.uuid();
    stack.operations.push(OperationRecord {
        id: id.clone(),
        kind: name.to_owned(),
    });
    stack.operation = Some(Operation {
        id: id.clone(),
        kind,
        token,
        express: stack.deployment_mode == "EXPRESS",
        needs: BTreeMap::new(),
        steps: BTreeMap::new(),
        skip: BTreeSet::new(),
        rolls: BTreeMap::new(),
        waits: BTreeMap::new(),
        signals: BTreeMap::new(),
    });
    let after = world.chance.span(world.pace.configure_ms);
    later(world, stack, after, OperationDue::Begin);
    id
}

/// Remembers that a token began the operation under way.
pub(super) fn remember_token(stack: &mut Stack, action: &str, token: Option<&str>) {
    if let (Some(token), Some(operation)) = (token, &stack.operation) {
        let used = TokenUse {
            action: action.to_owned(),
            operation: operation.id.clone(),
        };
        stack.tokens.insert(token.to_owned(), used);
    }
}

/// Puts the next moment of the operation under way on the agenda.
pub(super) fn later(world: &mut World, stack: &Stack, after: Duration, what: OperationDue) {
    if let Some(operation) = &stack.operation {
        let due = Due::Operation {
            stack: stack.id.clone(),
            operation: operation.id.clone(),
            what,
        };
        world.schedule(after, world::Due::CloudFormation(due));
    }
}

/// Carries out the next moment of the operation under way.
pub(super) fn on_due(world: &mut World, stack: &mut Stack, what: OperationDue) {
    match what {
        OperationDue::Begin => {
            plan(world, stack);
            proceed(world, stack);
        }
        OperationDue::Settled(logical_id) => settle(world, stack, &logical_id),
        OperationDue::Look(logical_id) => look(world, stack, &logical_id),
        OperationDue::SignalTimeout(logical_id) => {
            super::signals::time_out(world, stack, &logical_id);
        }
        OperationDue::Roll {
            logical_id,
            batch,
            act,
        } => {
            rolling::on_act(world, stack, &logical_id, batch, act);
        }
        OperationDue::Cleaned => cleanup::finish(world, stack),
    }
}

/// Works out which resources the operation is about, and who waits for whom.
fn plan(world: &mut World, stack: &mut Stack) {
    // A template was evaluated when it was accepted, so this does not fail.
    let mut needs = stack
        .evaluate(world, |evaluator| Ok(evaluator.dependencies()))
        .unwrap_or_default();
    let missing_key = stack.missing_key_pair(world);
    let Some(operation) = &mut stack.operation else {
        return;
    };
    match operation.kind {
        Kind::Create | Kind::Update => {
            operation.steps = needs
                .keys()
                .map(|name| (name.clone(), Step::Waiting))
                .collect();
        }
        Kind::Rollback => {
            let undo = stack.undo.as_ref();
            operation.steps = undo
                .into_iter()
                .flat_map(|undo| undo.before.iter().map(move |before| (undo, before)))
                .filter(|(undo, (name, before))| before.is_some() && !undo.restored.contains(*name))
                .map(|(_, (name, _))| (name.clone(), Step::Waiting))
                .collect();
        }
        Kind::CreateRollback | Kind::Delete => {
            operation.steps = stack
                .resources
                .keys()
                .map(|name| (name.clone(), Step::Waiting))
                .collect();
            needs = turned_round(&needs);
        }
    }
    operation.needs = needs;
    if matches!(operation.kind, Kind::Create | Kind::Update)
        && let Some((parameter, value)) = missing_key
    {
        failure::fail_stack(
            world,
            stack,
            format!(
                "Parameter validation failed: parameter value {value} for parameter name \
                 {parameter} does not exist"
            ),
        );
    }
}

/// Makes the last first: who was waited for waits.
fn turned_round(needs: &BTreeMap<String, BTreeSet<String>>) -> BTreeMap<String, BTreeSet<String>> {
    let mut turned: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, others) in needs {
        for other in others {
            turned
                .entry(other.clone())
                .or_default()
                .insert(name.clone());
        }
    }
    turned
}

/// Starts every resource whose turn it is, until nothing more can be started.
pub(super) fn proceed(world: &mut World, stack: &mut Stack) {
    while let Some(operation) = &stack.operation {
        let (id, kind) = (operation.id.clone(), operation.kind);
        let still = |stack: &Stack| stack.operation.as_ref().is_some_and(|now| now.id == id);
        if operation.is_over() {
            cleanup::conclude(world, stack);
            return;
        }
        let ready = operation.ready();
        if ready.is_empty() {
            return;
        }
        if matches!(kind, Kind::Create | Kind::Update) {
            let evaluated = stack.evaluate(world, |evaluator| {
                ready
                    .iter()
                    .map(|name| evaluator.resource(name))
                    .collect::<Result<Vec<_>, _>>()
            });
            match evaluated {
                Ok(wanted) => {
                    for (name, wanted) in ready.iter().zip(wanted) {
                        match wanted {
                            Some(wanted) if still(stack) => forward(world, stack, wanted),
                            Some(_) => break,
                            None => set_step(stack, name, Step::Settled),
                        }
                    }
                }
                Err(error) => {
                    failure::fail_stack(world, stack, format!("Template error: {error}"));
                }
            }
        } else {
            for name in ready {
                if !still(stack) {
                    break;
                }
                if kind == Kind::Rollback {
                    back(world, stack, &name);
                } else {
                    remove(world, stack, &name);
                }
            }
        }
        if !still(stack) {
            return;
        }
    }
}

fn set_step(stack: &mut Stack, logical_id: &str, step: Step) {
    if let Some(operation) = &mut stack.operation {
        operation.steps.insert(logical_id.to_owned(), step);
    }
}

/// Creates or updates a resource, or finds that there is nothing to do.
fn forward(world: &mut World, stack: &mut Stack, wanted: EvaluatedResource) {
    let name = wanted.logical_id.clone();
    let now = stack.resources.get(&name).cloned();
    if let Some(now) = &now
        && now.properties.0 == wanted.properties
        && now.kind == wanted.kind
        && !now.dirty
    {
        if let Some(resource) = stack.resources.get_mut(&name) {
            resource.update_policy = wanted.update_policy;
            resource.deletion_policy = wanted.deletion_policy;
        }
        set_step(stack, &name, Step::Settled);
        return;
    }
    if let Some(undo) = &mut stack.undo {
        undo.before
            .entry(name.clone())
            .or_insert_with(|| now.clone());
        undo.restored.retain(|restored| *restored != name);
    }
    let site = stack.site(&name);
    match now {
        Some(now) if now.kind == wanted.kind => {
            set_step(stack, &name, Step::Running(Verb::Update));
            let replaces = resources::replaces(&now, &wanted);
            let reason = replaces.then(|| {
                "Requested update requires the creation of a new physical resource; hence \
                 creating one."
                    .to_owned()
            });
            stack.turn_resource(world, &name, "UPDATE_IN_PROGRESS", reason);
            let made = if replaces {
                resources::create(world, &site, &wanted)
            } else {
                resources::update(world, &site, &now, &wanted)
            };
            take_on(world, stack, wanted, made, replaces.then_some(now));
        }
        replaced => {
            set_step(stack, &name, Step::Running(Verb::Create));
            stack.resources.insert(name.clone(), blank(world, &wanted));
            stack.turn_resource(world, &name, "CREATE_IN_PROGRESS", None);
            let made = resources::create(world, &site, &wanted);
            take_on(world, stack, wanted, made, replaced);
        }
    }
}

/// Makes the record of a resource that does not exist yet.
fn blank(world: &World, wanted: &EvaluatedResource) -> Resource {
    Resource {
        logical_id: wanted.logical_id.clone(),
        physical_id: String::new(),
        kind: wanted.kind.clone(),
        status: String::new(),
        reason: None,
        updated: world.now,
        properties: Veiled::default(),
        attributes: BTreeMap::new(),
        update_policy: wanted.update_policy.clone(),
        deletion_policy: wanted.deletion_policy.clone(),
        dirty: true,
    }
}

/// Writes down what was made of a resource, and waits for it to settle.
fn take_on(
    world: &mut World,
    stack: &mut Stack,
    wanted: EvaluatedResource,
    made: Result<Made, String>,
    replaced: Option<Resource>,
) {
    let name = wanted.logical_id;
    let made = match made {
        Ok(made) => made,
        Err(reason) => {
            if let Some(resource) = stack.resources.get_mut(&name) {
                resource.dirty = true;
            }
            failure::fail(world, stack, &name, reason);
            return;
        }
    };
    let is_new = stack
        .resources
        .get(&name)
        .is_some_and(|r| r.physical_id != made.physical_id);
    if let Some(resource) = stack.resources.get_mut(&name) {
        resource.physical_id = made.physical_id;
        resource.kind = wanted.kind;
        resource.properties = Veiled(wanted.properties);
        resource.attributes = made.attributes;
        resource.update_policy = wanted.update_policy;
        resource.deletion_policy = wanted.deletion_policy;
        resource.dirty = true;
    }
    stack.leftovers.extend(replaced);
    if is_new {
        let verb = if let Some(Step::Running(verb)) = stack
            .operation
            .as_ref()
            .and_then(|operation| operation.steps.get(&name))
        {
            *verb
        } else {
            Verb::Create
        };
        let reason = Some("Resource creation Initiated".to_owned());
        stack.turn_resource(world, &name, &verb.status("IN_PROGRESS"), reason);
    }
    wait_for(world, stack, &name, made.begun);
}

/// Waits for what was begun on a resource.
fn wait_for(world: &mut World, stack: &mut Stack, name: &str, begun: Begun) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    match begun {
        Begun::Soon(after) => {
            later(world, stack, after, OperationDue::Settled(name.to_owned()));
        }
        Begun::Wait(_) | Begun::Roll(_) | Begun::Signals(_) if operation.express => {
            let after = world.chance.span(world.pace.configure_ms);
            later(world, stack, after, OperationDue::Settled(name.to_owned()));
        }
        Begun::Wait(wait) => {
            operation.waits.insert(name.to_owned(), wait);
            let after = LOOK + world.chance.span(world.pace.configure_ms);
            later(world, stack, after, OperationDue::Look(name.to_owned()));
        }
        Begun::Roll(roll) => {
            operation.rolls.insert(name.to_owned(), *roll);
            let after = world.chance.span(world.pace.configure_ms);
            let act = rolling::Act::Start;
            let what = OperationDue::Roll {
                logical_id: name.to_owned(),
                batch: 0,
                act,
            };
            later(world, stack, after, what);
        }
        Begun::Signals(wait) => {
            let after = wait.timeout;
            operation.signals.insert(name.to_owned(), wait);
            later(
                world,
                stack,
                after,
                OperationDue::SignalTimeout(name.to_owned()),
            );
        }
    }
}

/// Makes a resource again what it was before the update.
fn back(world: &mut World, stack: &mut Stack, name: &str) {
    let before = stack
        .undo
        .as_ref()
        .and_then(|undo| undo.before.get(name).cloned())
        .flatten();
    let (Some(before), Some(now)) = (before, stack.resources.get(name).cloned()) else {
        set_step(stack, name, Step::Settled);
        return;
    };
    set_step(stack, name, Step::Running(Verb::Update));
    if stack
        .operation
        .as_ref()
        .is_some_and(|operation| operation.skip.contains(name))
    {
        stack.resources.insert(name.to_owned(), before);
        mark_settled(world, stack, name);
        return;
    }
    stack.turn_resource(world, name, "UPDATE_IN_PROGRESS", None);
    if before.physical_id != now.physical_id {
        // The one that was replaced still exists: it simply is the resource again.
        stack
            .leftovers
            .retain(|leftover| leftover.physical_id != before.physical_id);
        let given_up = Resource {
            status: String::new(),
            ..now
        };
        if !given_up.physical_id.is_empty() {
            stack.leftovers.push(given_up);
        }
        stack.resources.insert(
            name.to_owned(),
            Resource {
                dirty: true,
                ..before
            },
        );
        let after = world.chance.span(world.pace.configure_ms);
        wait_for(world, stack, name, Begun::Soon(after));
        return;
    }
    let site = stack.site(name);
    match resources::restore(world, &site, &now, &before) {
        Ok(made) => {
            let status = now.status;
            let restored = Resource {
                dirty: true,
                status,
                attributes: made.attributes,
                reason: None,
                ..before
            };
            stack.resources.insert(name.to_owned(), restored);
            wait_for(world, stack, name, made.begun);
        }
        Err(reason) => failure::fail(world, stack, name, reason),
    }
}

/// Deletes a resource, or leaves it alone where the template says so.
fn remove(world: &mut World, stack: &mut Stack, name: &str) {
    let Some(resource) = stack.resources.get(name).cloned() else {
        set_step(stack, name, Step::Settled);
        return;
    };
    if resource.deletion_policy == "Retain" {
        set_step(stack, name, Step::Settled);
        stack.turn_resource(world, name, "DELETE_SKIPPED", None);
        stack.resources.remove(name);
        return;
    }
    set_step(stack, name, Step::Running(Verb::Delete));
    stack.turn_resource(world, name, "DELETE_IN_PROGRESS", None);
    let after = match resources::delete(world, &resource) {
        Ok(after) => after,
        Err(reason) => {
            failure::fail(world, stack, name, reason);
            return;
        }
    };
    later(world, stack, after, OperationDue::Settled(name.to_owned()));
}

/// Looks whether what a resource waits for has come.
fn look(world: &mut World, stack: &mut Stack, name: &str) {
    let Some(operation) = &mut stack.operation else {
        return;
    };
    let Some(wait) = operation.waits.get_mut(name) else {
        return;
    };
    match resources::look(world, wait) {
        None => later(world, stack, LOOK, OperationDue::Look(name.to_owned())),
        Some(Ok(())) => {
            operation.waits.remove(name);
            settle(world, stack, name);
        }
        Some(Err(reason)) => failure::fail(world, stack, name, reason),
    }
}

/// A resource is what it should be; those that waited for it may begin.
pub(super) fn settle(world: &mut World, stack: &mut Stack, name: &str) {
    if mark_settled(world, stack, name) {
        proceed(world, stack);
    }
}

/// Writes down that a resource is what it should be, if it was on the way there.
fn mark_settled(world: &mut World, stack: &mut Stack, name: &str) -> bool {
    let Some(operation) = &mut stack.operation else {
        return false;
    };
    let Some(Step::Running(verb)) = operation.steps.get(name).copied() else {
        return false;
    };
    operation.steps.insert(name.to_owned(), Step::Settled);
    let is_rollback = operation.kind == Kind::Rollback;
    if let Some(resource) = stack.resources.get_mut(name) {
        resource.dirty = false;
    }
    stack.turn_resource(world, name, &verb.status("COMPLETE"), None);
    if verb == Verb::Delete {
        stack.resources.remove(name);
    }
    if is_rollback && let Some(undo) = &mut stack.undo {
        undo.restored.push(name.to_owned());
    }
    true
}

impl Stack {
    /// Says where a resource is, for whoever makes it.
    pub(super) fn site(&self, logical_id: &str) -> Site {
        Site {
            stack_name: self.name.clone(),
            stack_id: self.id.clone(),
            logical_id: logical_id.to_owned(),
        }
    }

    /// Keeps what the stack is, so that an update can be undone.
    pub(super) fn keep_for_undo(&mut self) {
        if self.undo.is_none() {
            let target = self.target.clone();
            self.undo = Some(Undo {
                target,
                before: BTreeMap::new(),
                restored: Vec::new(),
            });
        }
    }

    /// Finds a parameter of type `AWS::EC2::KeyPair::KeyName` whose key pair does not exist.
    fn missing_key_pair(&self, world: &World) -> Option<(String, String)> {
        let declared = self.target.template.parameters();
        let mut keys = declared
            .into_values()
            .filter(|d| d.kind == "AWS::EC2::KeyPair::KeyName");
        keys.find_map(|declaration| {
            let value = self.target.parameters.0.get(&declaration.name)?;
            let missing = world.ec2.key_pair(value).is_none();
            missing.then(|| (declaration.name.clone(), value.clone()))
        })
    }
}
