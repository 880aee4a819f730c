//! From what was observed to a plan, or to the reasons why there is none. Pure.

use std::collections::BTreeMap;

use strsim::normalized_damerau_levenshtein;

use super::api::KeyKind;
use super::care::Care;
use super::gate::Gates;
use super::journal::JournalError;
use super::lint::lint;
use super::observe::{Observed, ObservedGroup};
use super::outcome::Outcome;
use super::plan::{Advice, GroupPlan, Plan, RollOptions, RollPolicy};
use super::reached::ObservedPolicy;
use super::refresh;
use super::services::ClusterPlan;
use super::steps::steps;
use super::strategy::{self, Strategy, Touches};
use crate::ids::RollId;
use crate::rack::{PortError, Rack, Stack, StackStatus, StatusClass};
use crate::template::TemplateError;

/// The code of the refusal of a roll that would change nothing.
const UNCHANGED: &str = "unchanged";

/// Why a roll does not begin, or cannot be found. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}", reasons.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; "))]
pub struct Refusal {
    /// `NothingChanged`, or `Busy` when it is only a matter of time.
    pub outcome: Outcome,
    /// The reasons, each with its way out.
    pub reasons: Vec<Advice>,
}

impl Refusal {
    pub(super) fn nothing_changed(reason: Advice) -> Self {
        Self {
            outcome: Outcome::NothingChanged,
            reasons: vec![reason],
        }
    }

    pub(super) fn for_reasons(reasons: Vec<Advice>) -> Self {
        Self {
            outcome: Outcome::NothingChanged,
            reasons,
        }
    }

    pub(super) fn busy(status: &StackStatus) -> Self {
        let reason = advice(
            "stack-busy",
            format!("the stack is {status}: another operation is under way"),
            "wait longer with `--wait-busy 30m`, or try again when it is over",
        );
        Self {
            outcome: Outcome::Busy,
            reasons: vec![reason],
        }
    }

    pub(super) fn template(error: &TemplateError) -> Self {
        Self::nothing_changed(advice(
            "template",
            format!("cannot read the stack's template: {error}"),
            "check the stack in the CloudFormation console",
        ))
    }

    /// Refuses to roll an API key to itself: there is nothing to change, or only the parameters
    /// that `others` sets.
    pub(super) fn unchanged(rack: &str, others: &BTreeMap<String, String>) -> Self {
        if others.is_empty() {
            let message = format!("{rack} has that password already");
            return Self::nothing_changed(advice(UNCHANGED, message, "there is nothing to do"));
        }
        Self::nothing_changed(advice(
            "same-password",
            format!("{rack} has that password already, and the rest needs no roll"),
            "leave Password= out to set the other parameters",
        ))
    }

    /// Refuses the roll of a rack that cannot be reached.
    #[must_use]
    pub fn unreachable(message: &str, hint: Option<String>) -> Self {
        let hint = hint.unwrap_or_else(|| "nothing was changed".to_owned());
        Self::nothing_changed(advice("unreachable", message.to_owned(), hint))
    }

    /// Refuses a roll that nobody but this machine could remember, and it does not.
    #[must_use]
    pub fn no_journal(roll: &RollId) -> Self {
        Self::nothing_changed(advice(
            "no-such-roll",
            format!("roll {roll} has no journal on this machine"),
            "over its API a rack remembers no roll: come back to it where it was begun, or with \
             `--via aws`",
        ))
    }

    /// Tells whether it is refused because everything is as it is asked to be.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.reasons.iter().any(|reason| reason.code == UNCHANGED)
    }

    /// Tells whether asking again may well succeed with nothing else changed.
    pub(super) fn is_transient(&self) -> bool {
        self.reasons.iter().any(|reason| reason.code == "no-answer")
    }

    /// Tells whether the roll is known nowhere, so that it has changed nothing.
    pub(super) fn is_unknown(&self) -> bool {
        self.reasons.iter().any(|it| it.code == "no-such-roll")
    }

    /// Tells whether another process is at work on the roll.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.reasons.iter().any(|reason| reason.code == "held")
    }
}

impl From<PortError> for Refusal {
    fn from(error: PortError) -> Self {
        let (code, hint) = match &error {
            PortError::Credentials { .. } => (
                "credentials",
                "sign in again, for instance with `aws sso login`".to_owned(),
            ),
            PortError::Denied { action, .. } => {
                ("permission", format!("ask for the IAM permission {action}"))
            }
            PortError::Throttled { .. } | PortError::Unanswered { .. } => {
                ("no-answer", "try again in a minute".to_owned())
            }
            PortError::Remote { hint, .. } => {
                let hint = hint.clone();
                (
                    "rack-api",
                    hint.unwrap_or_else(|| "nothing was changed".to_owned()),
                )
            }
            PortError::KeyStore { .. } => (
                "key-store",
                "choose another with `key_store` in config.yaml".to_owned(),
            ),
            _ => (
                "aws",
                "nothing was changed; mend the cause and try again".to_owned(),
            ),
        };
        Self::nothing_changed(advice(code, error.to_string(), hint))
    }
}

impl From<JournalError> for Refusal {
    fn from(error: JournalError) -> Self {
        let (code, hint) = match &error {
            JournalError::Kept(_) => ("journal", "look at the database, and try again"),
            JournalError::Held(_) => ("held", "let it finish, or stop it with Ctrl-C first"),
            JournalError::Line { .. } => (
                "journal",
                "move the file away; the rack's key pairs are enough to resume",
            ),
            JournalError::Io { .. } => ("journal", "make room, or set XDG_STATE_HOME"),
        };
        Self::nothing_changed(advice(code, error.to_string(), hint))
    }
}

pub(super) fn advice(code: &str, message: impl Into<String>, hint: impl Into<String>) -> Advice {
    Advice {
        code: code.to_owned(),
        message: message.into(),
        hint: hint.into(),
    }
}

/// Refuses a stack that does not exist, with the names that are nearest to it.
pub(super) fn no_such_stack(name: &str, known: &[String]) -> Refusal {
    let mut near: Vec<_> = known
        .iter()
        .map(|other| (normalized_damerau_levenshtein(name, other), other))
        .filter(|(likeness, _)| *likeness > 0.4)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let near: Vec<&str> = near
        .into_iter()
        .take(3)
        .map(|(_, other)| other.as_str())
        .collect();
    let hint = if !near.is_empty() {
        format!("did you mean {}?", near.join(" or "))
    } else if known.is_empty() {
        "no rack is visible here: check the region, the profile and the account".to_owned()
    } else {
        format!("racks here: {}", known.join(", "))
    };
    Refusal::nothing_changed(advice(
        "no-such-stack",
        format!("there is no stack {name}"),
        hint,
    ))
}

/// Makes the plan of a roll.
///
/// # Errors
/// All reasons against it that were found, not only the first.
pub(super) fn plan(
    rack: &Rack,
    roll: RollId,
    options: RollOptions,
    care: &Care,
    observed: &Observed,
) -> Result<Plan, Refusal> {
    if observed.stack.status.is_busy() {
        return Err(Refusal::busy(&observed.stack.status));
    }
    let mut reasons = refusals(rack, options.strategy, observed);
    reasons.extend(strategy::left_over_hooks(observed));
    reasons.extend(strategy::refusals(options, observed));
    reasons.extend(care.conflicts(options.strategy, options.surge));
    if !reasons.is_empty() {
        return Err(Refusal::for_reasons(reasons));
    }
    let plan = draft(rack, roll, options, care, observed);
    let reasons = plan.gates.refusals(&plan);
    if !reasons.is_empty() {
        return Err(Refusal::for_reasons(reasons));
    }
    linted(plan)
}

/// Passes a plan that may be carried out.
pub(super) fn linted(plan: Plan) -> Result<Plan, Refusal> {
    let faults = lint(&plan);
    if !faults.is_empty() {
        let reasons = faults
            .into_iter()
            .map(|fault| {
                advice(
                    "unsafe-plan",
                    fault,
                    "this is a fault of convox: please report it",
                )
            })
            .collect();
        return Err(Refusal {
            outcome: Outcome::NothingChanged,
            reasons,
        });
    }
    Ok(plan)
}

/// Makes a plan without asking whether it may be carried out.
pub(super) fn draft(
    rack: &Rack,
    roll: RollId,
    options: RollOptions,
    care: &Care,
    observed: &Observed,
) -> Plan {
    let mut plan = Plan::bare(rack, roll, options, &observed.stack.id);
    plan.old_key = observed
        .stack
        .parameter(&rack.key_parameter)
        .filter(|key| !key.is_empty())
        .map(str::to_owned);
    plan.groups = observed.groups.iter().filter_map(group_plan).collect();
    if options.strategy == Strategy::Refresh {
        let (groups, refresh) = refresh::drafted(observed, &care.refresh);
        plan.groups.extend(groups);
        plan.refresh = refresh;
    }
    plan.gates.clone_from(&care.gates);
    plan.spot_fleets.clone_from(&observed.spot_fleets);
    plan.changes.clone_from(&observed.changes);
    plan.clusters = cluster_plans(observed);
    for (planned, cluster) in plan.clusters.iter_mut().zip(&observed.clusters) {
        for (planned, service) in planned.services.iter_mut().zip(&cluster.services) {
            planned.stays_up = strategy::stays_up(options, observed, cluster, service);
        }
    }
    plan.touches = Touches::of(options, observed);
    plan.warnings = warnings(rack, observed, &plan.clusters);
    if options.strategy == Strategy::Surge {
        // Nothing is cut off: instances are held until their tasks have stopped.
        plan.warnings.retain(|it| it.code != "stop-timeout");
    }
    plan.warnings.extend(strategy::warnings(options, observed));
    let held = plan.gates.warnings(&plan);
    plan.warnings.extend(held);
    plan.steps = steps(&plan);
    plan
}

impl Plan {
    /// Makes a plan that knows only what it is for.
    pub(super) fn bare(rack: &Rack, roll: RollId, options: RollOptions, stack_id: &str) -> Self {
        Self {
            kind: KeyKind::Ssh,
            new_key: format!("{}-keypair-{roll}", rack.name),
            roll,
            rack: rack.name.clone(),
            stack_id: stack_id.to_owned(),
            key_parameter: rack.key_parameter.clone(),
            old_key: None,
            options,
            key_store: rack.keys.describe(),
            groups: Vec::new(),
            clusters: Vec::new(),
            spot_fleets: Vec::new(),
            gates: Gates::default(),
            refresh: None,
            steps: Vec::new(),
            changes: None,
            touches: Touches::default(),
            warnings: Vec::new(),
        }
    }
}

pub(super) fn cluster_plans(observed: &Observed) -> Vec<ClusterPlan> {
    let plan = |cluster| {
        let hooks = observed.hooks.iter();
        let own = hooks.filter(|(group, _)| observed.is_in(group, cluster));
        ClusterPlan::of(cluster, own.flat_map(|(_, hooks)| hooks))
    };
    observed.clusters.iter().map(plan).collect()
}

pub(super) fn group_plan(observed: &ObservedGroup) -> Option<GroupPlan> {
    let group = observed.group.as_ref()?;
    let policy = match &observed.policy {
        ObservedPolicy::Rolling {
            batch,
            min_in_service,
            pause_secs,
            wait_on_signals,
        } => RollPolicy::RollingUpdate {
            batch: *batch,
            min_in_service: *min_in_service,
            pause_secs: *pause_secs,
            wait_on_signals: *wait_on_signals,
        },
        ObservedPolicy::Refresh {
            min_healthy_percent,
            ..
        } => RollPolicy::InstanceRefresh {
            min_healthy_percent: *min_healthy_percent,
        },
        ObservedPolicy::Replacing => RollPolicy::Replacing,
        ObservedPolicy::Nested => RollPolicy::Nested,
        ObservedPolicy::None => return None,
    };
    Some(GroupPlan {
        logical_id: observed.logical_id.clone(),
        name: observed.name.clone(),
        policy,
        instances: u32::try_from(group.members.len()).unwrap_or(u32::MAX),
        min: group.min,
        max: group.max,
    })
}

/// Lists what speaks against any update of a stack.
pub(super) fn stack_refusals(stack: &Stack) -> Vec<Advice> {
    let mut reasons = Vec::new();
    match stack.status.class() {
        StatusClass::RollbackFailed => reasons.push(advice(
            "rollback-failed",
            format!("the stack is {}: its last rollback failed", stack.status),
            "get it out first: `convox rolls list` shows the roll, `convox rolls continue ID` goes on",
        )),
        StatusClass::Failed => reasons.push(advice(
            "update-failed",
            format!("the stack is {}: its last update failed and was left so", stack.status),
            "roll it back first: `convox rolls continue ID`, or `aws cloudformation rollback-stack`",
        )),
        StatusClass::Deleting | StatusClass::Deleted | StatusClass::Unusable => {
            reasons.push(advice(
                "stack-unusable",
                format!("the stack is {}: no update can start from there", stack.status),
                "check the stack in the CloudFormation console",
            ));
        }
        _ => {}
    }
    if stack.deployment_mode.as_deref() == Some("EXPRESS") {
        reasons.push(advice(
            "express-mode",
            "the stack is deployed in EXPRESS mode, where complete does not mean replaced",
            "set the stack's deployment mode to STANDARD",
        ));
    }
    reasons
}

fn refusals(rack: &Rack, strategy: Strategy, observed: &Observed) -> Vec<Advice> {
    let stack = &observed.stack;
    let mut reasons = stack_refusals(stack);
    let parameter = &rack.key_parameter;
    if !observed.declared.contains_key(parameter) {
        let names = observed.declared.keys().map(String::as_str);
        let near = names
            .filter(|name| normalized_damerau_levenshtein(name, parameter) > 0.5)
            .chain(observed.declared.iter().filter_map(|(name, declared)| {
                declared.kind.contains("KeyPair").then_some(name.as_str())
            }));
        let near: Vec<&str> = near.take(3).collect();
        reasons.push(advice(
            "no-key-parameter",
            format!(
                "the template of {} has no parameter {parameter}",
                stack.name
            ),
            if near.is_empty() {
                "name the right one with `key_parameter` in config.yaml".to_owned()
            } else {
                format!(
                    "did you mean {}? Set `key_parameter` in config.yaml",
                    near.join(" or ")
                )
            },
        ));
    }
    if observed.groups.is_empty() && observed.spot_fleets.is_empty() {
        reasons.push(nothing_to_roll(rack, stack));
    }
    for group in &observed.groups {
        reasons.extend(match strategy {
            Strategy::Refresh => refresh::refusals_of(group),
            _ => group_refusals(group),
        });
    }
    if let Err(error) = &observed.permissions {
        reasons.extend(Refusal::from(error.clone()).reasons);
    }
    if let Err(error) = &observed.key_store {
        reasons.extend(Refusal::from(error.clone()).reasons);
    }
    reasons
}

/// Refuses to roll what the key's parameter reaches nothing of.
pub(super) fn nothing_to_roll(rack: &Rack, stack: &Stack) -> Advice {
    advice(
        "no-groups",
        format!(
            "parameter {} of {} reaches no Auto Scaling group or spot fleet: there is nothing to \
             roll",
            rack.key_parameter, stack.name
        ),
        "check the name of the stack, and `key_parameter` in config.yaml",
    )
}

pub(super) fn group_refusals(observed: &ObservedGroup) -> Vec<Advice> {
    let mut reasons = Vec::new();
    let id = &observed.logical_id;
    match &observed.policy {
        ObservedPolicy::None => reasons.push(advice(
            "no-update-policy",
            format!("group {id} has no rolling UpdatePolicy: its instances would keep the old key"),
            "give the group an AutoScalingRollingUpdate policy in the template",
        )),
        ObservedPolicy::Refresh { strategy, .. } if strategy == "ReplaceRootVolume" => {
            reasons.push(advice(
                "replace-root-volume",
                format!("group {id} refreshes by ReplaceRootVolume, which keeps the old key"),
                "set the refresh strategy to Rolling",
            ));
        }
        ObservedPolicy::Rolling { min_in_service, .. } => {
            if let Some(group) = &observed.group
                && *min_in_service >= group.max
            {
                reasons.push(advice(
                    "min-not-below-max",
                    format!(
                        "group {id} keeps {min_in_service} instances in service and may have only \
                         {}: CloudFormation refuses that",
                        group.max
                    ),
                    "raise the group's MaxSize or lower MinInstancesInService",
                ));
            }
        }
        ObservedPolicy::Refresh { .. } | ObservedPolicy::Replacing | ObservedPolicy::Nested => {}
    }
    let suspended = observed.group.iter().flat_map(|group| &group.suspended);
    for process in suspended.filter(|process| ["Launch", "Terminate"].contains(&process.as_str())) {
        reasons.push(advice(
            "suspended-process",
            format!("group {id} has its {process} process suspended: nothing would be replaced"),
            format!("resume it: `aws autoscaling resume-processes --auto-scaling-group-name {} --scaling-processes {process}`", observed.name),
        ));
    }
    reasons
}

fn warnings(rack: &Rack, observed: &Observed, clusters: &[ClusterPlan]) -> Vec<Advice> {
    let mut warnings = Vec::new();
    for (name, declared) in &observed.declared {
        if declared.from_ssm && declared.kind.contains("Image") {
            warnings.push(advice(
                "ssm-image",
                format!(
                    "parameter {name} is looked up anew at every update: a newer machine image \
                     may come along"
                ),
                "roll at a time when a new image would be welcome too",
            ));
        }
    }
    for fleet in &observed.spot_fleets {
        warnings.push(advice(
            "spot-fleet",
            format!(
                "spot fleet {fleet} has no rolling policy: CloudFormation replaces it as a whole"
            ),
            "expect all its instances to go at once",
        ));
    }
    for group in observed
        .groups
        .iter()
        .filter(|group| group.policy == ObservedPolicy::Nested)
    {
        warnings.push(advice(
            "nested-group",
            format!(
                "group {} is in a nested stack whose template cannot be read",
                group.logical_id
            ),
            "make sure that it has a rolling UpdatePolicy, or allow cloudformation:GetTemplate",
        ));
    }
    if observed
        .groups
        .iter()
        .any(|group| matches!(group.policy, ObservedPolicy::Refresh { .. }))
    {
        warnings.push(advice(
            "instance-refresh",
            "a group rolls by instance refresh: CloudFormation tells less of its progress",
            "the instances themselves are asked at the end, as always",
        ));
    }
    warnings.extend(observed.unread.iter().map(|what| {
        advice(
            "services-unread",
            format!("what the roll does to services is not known of {what}"),
            "allow the describe and list calls of ECS and Auto Scaling, or look at the services \
             during the roll",
        )
    }));
    warnings.extend(clusters.iter().flat_map(ClusterPlan::warnings));
    let current = observed
        .stack
        .parameter(&rack.key_parameter)
        .unwrap_or_default();
    if !current.is_empty() && observed.current_pair.is_none() {
        warnings.push(advice(
            "old-key-missing",
            format!(
                "the stack names key pair {current}, which EC2 does not have: if the update \
                 fails, it cannot roll back"
            ),
            "import a key pair of that name first, so that there is a way back",
        ));
    }
    let strays = observed
        .instances
        .iter()
        .filter(|instance| instance.is_live())
        .filter(|instance| instance.key_name.as_deref().unwrap_or_default() != current)
        .count();
    if strays > 0 {
        warnings.push(advice(
            "other-keys",
            format!("{strays} live instances carry another key than the stack names"),
            "the roll replaces them too; an earlier roll may be unfinished: `convox rolls list`",
        ));
    }
    warnings
}
