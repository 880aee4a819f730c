//! Operations: which resources are touched, in which order, until all are settled.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::world::{self, World};
use super::provision::{back, forward, look, remove, set_step, settle};
use super::resources::Wait;
use super::rolling::{self, Roll};
use super::signals::SignalWait;
use super::stack::{OperationRecord, Stack, TokenUse};
use super::{Due, OperationDue, cleanup, failure};

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
    /// Whether it is done but for cleaning up, with which a nested stack waits for its parent.
    pub awaits_parent: bool,
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
        awaits_parent: false,
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
