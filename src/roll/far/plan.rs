//! The plan of a roll of the rack API's key over that API. Pure.

use super::observe::Observed;
use crate::ids::RollId;
use crate::rack::SystemDescription;
use crate::rack::{FarRack, check_change};
use crate::roll::api::{
    API_KEY_PARAMETER, ApiKeyRequest, ApiPlan, ApiWay, KeyKind, REPLACED_IN, name_of,
};
use crate::roll::gate::Gates;
use crate::roll::outcome::Outcome;
use crate::roll::plan::{Advice, Plan, PlannedStep, RollOptions, Step};
use crate::roll::preflight::{Refusal, advice, linted};
use crate::roll::strategy::Touches;

/// The longest key that a rack's template takes, in characters.
const LONGEST: usize = 50;
/// The first releases of which the API's processes read the key from outside their definition,
/// so that a new one does not replace them.
const NOT_RESTARTED_SINCE: &str = "20230301000000";

/// Makes the plan of a roll.
///
/// # Errors
/// All reasons against it that were found, not only the first.
pub(super) fn plan(
    rack: &FarRack,
    roll: RollId,
    request: &ApiKeyRequest,
    observed: &Observed,
) -> Result<Plan, Refusal> {
    if observed.is_same {
        return Err(Refusal::unchanged(&observed.system.name, &request.set));
    }
    let reasons = refusals(request, observed);
    if !reasons.is_empty() {
        return Err(Refusal {
            outcome: Outcome::NothingChanged,
            reasons,
        });
    }
    let system = &observed.system;
    let mut holders = observed.holders.clone();
    if let Some(path) = &request.password_out {
        holders.push(format!("file {}", path.display()));
    }
    let api = ApiPlan {
        way: ApiWay::Api {
            processes: processes(system),
        },
        also: request.set.keys().cloned().collect(),
        holders,
        probe: Some(observed.host.clone()),
        old_known: true,
        password_out: request.password_out.clone(),
        unavailable_ms: unavailable_secs(system) * 1000,
        service: None,
    };
    let name = name_of(&system.name, roll.as_str());
    let mut plan = Plan {
        steps: Vec::new(),
        warnings: vec![restart_warning(system)],
        new_key: name,
        roll,
        rack: system.name.clone(),
        // The API does not tell which stack it is.
        stack_id: String::new(),
        key_parameter: API_KEY_PARAMETER.to_owned(),
        old_key: None,
        options: RollOptions::DEFAULT,
        key_store: rack.keys.describe(),
        groups: Vec::new(),
        clusters: Vec::new(),
        spot_fleets: Vec::new(),
        gates: Gates::default(),
        refresh: None,
        changes: None,
        touches: Touches::default(),
        kind: KeyKind::Ssh,
    };
    plan.steps = steps(&plan, &api);
    plan.kind = KeyKind::Api(Box::new(api));
    linted(plan)
}

fn refusals(request: &ApiKeyRequest, observed: &Observed) -> Vec<Advice> {
    let system = &observed.system;
    let mut reasons = Vec::new();
    if !matches!(system.status.as_str(), "running" | "converging") {
        reasons.push(advice(
            "not-running",
            format!("{} is {}", system.name, system.status),
            "look at its stack in CloudFormation first",
        ));
    }
    if !system.parameters.contains_key(API_KEY_PARAMETER) {
        reasons.push(advice(
            "no-password-parameter",
            format!("{} has no parameter {API_KEY_PARAMETER}", system.name),
            "a rack of the third generation is given its password by Terraform",
        ));
    }
    let unfit = if observed.is_masked {
        Some("`****` only stands for a password that is not shown")
    } else if observed.characters == 0 || observed.characters > LONGEST {
        Some("the password must have 1 to 50 characters")
    } else {
        None
    };
    reasons.extend(unfit.map(|problem| {
        let hint = "give another one, or Password= to have one made; nothing is changed";
        advice("unfit-value", problem, hint)
    }));
    if let Err(problem) = check_change(&request.set, &system.parameters) {
        reasons.push(advice(
            "unfit-value",
            problem.to_string(),
            "see the names and values with `convox rack params`; nothing is changed",
        ));
    }
    if let Err(error) = &observed.key_store {
        reasons.extend(Refusal::from(error.clone()).reasons);
    }
    let is_told = request.password_out.is_some() || request.shown;
    if request.value.is_none() && observed.holders.is_empty() && !is_told {
        reasons.push(advice(
            "nobody-keeps-it",
            "a password would be made, and nobody would know it",
            format!(
                "name a file with --password-out FILE, or have it printed with --reveal, or \
                 store a login with `convox login {}`",
                observed.host
            ),
        ));
    }
    reasons
}

/// Counts the processes of the API, as far as the rack's parameters tell.
fn processes(system: &SystemDescription) -> u32 {
    let given = |name: &str| system.parameters.get(name).map(String::as_str);
    if given("HighAvailability") == Some("false") {
        return 1;
    }
    let count = given("ApiCount").and_then(|count| count.parse().ok());
    count.unwrap_or(2)
}

/// Tells whether a rack replaces its API's processes when their key changes, by its release;
/// none where that does not tell.
fn restarts_itself(system: &SystemDescription) -> Option<bool> {
    let version = system.version.as_str();
    let is_date = version.len() == NOT_RESTARTED_SINCE.len()
        && version.bytes().all(|letter| letter.is_ascii_digit());
    is_date.then(|| version < NOT_RESTARTED_SINCE)
}

/// For how long nobody answers while a rack replaces its API's processes, in seconds: with one
/// of them, that takes as long as it takes the next to come up.
fn unavailable_secs(system: &SystemDescription) -> u64 {
    match (restarts_itself(system), processes(system)) {
        (Some(false), _) | (_, 2..) => 0,
        _ => REPLACED_IN,
    }
}

fn restart_warning(system: &SystemDescription) -> Advice {
    let outage = match unavailable_secs(system) {
        0 => "the rack API goes on answering".to_owned(),
        down => format!("nobody answers for the rack API for about {down} s"),
    };
    match restarts_itself(system) {
        Some(true) => advice(
            "api-restart",
            format!(
                "the rack replaces the processes of its API by itself, and it cannot be made to \
                 from here; {outage}"
            ),
            "expect deploys and other commands to fail meanwhile: for a while some processes take \
             the old password and others the new one",
        ),
        Some(false) => advice(
            "api-not-restarted",
            format!(
                "the API of a rack of 2023 or later ({}) keeps the old password until its \
                 processes are restarted, which nobody can do from here: unless something else \
                 restarts them, the roll ends unproven (exit 4), with both passwords kept",
                system.version
            ),
            "`--via aws` restarts them as a part of the roll; or restart them afterwards with \
             `convox instances keyroll`, and come back with `convox rolls resume`",
        ),
        None => advice(
            "api-may-not-restart",
            format!(
                "it is not known whether this rack ({}) restarts its API when its password \
                 changes, and nobody can make it from here: if it does not, the roll ends \
                 unproven (exit 4), with both passwords kept; if it does, {outage}",
                system.version
            ),
            "`--via aws` restarts it as a part of the roll; or restart it afterwards with \
             `convox instances keyroll`, and come back with `convox rolls resume`",
        ),
    }
}

fn steps(plan: &Plan, api: &ApiPlan) -> Vec<PlannedStep> {
    let new = &plan.new_key;
    let step = |step, changes: String, waits_for: Option<&str>, undo: Option<String>| PlannedStep {
        step,
        changes,
        waits_for: waits_for.map(str::to_owned),
        undo,
    };
    let holders = api.holders.join(" and ");
    let nobody = "nothing: nobody here keeps the key".to_owned();
    let (beside, instead) = if holders.is_empty() {
        (nobody.clone(), nobody)
    } else {
        (
            format!("keep the new key beside the one that works in {holders}"),
            format!("make the new key the one of {holders}"),
        )
    };
    let also = if api.also.is_empty() {
        "nothing else".to_owned()
    } else {
        api.also.join(", ")
    };
    let forget = Some(format!("forget {new}"));
    vec![
        step(Step::Mint, beside, None, Some("forget it there".to_owned())),
        step(
            Step::Stage,
            format!("keep the new key as {new} in {}", plan.key_store),
            None,
            forget.clone(),
        ),
        step(
            Step::Install,
            format!(
                "have the rack set parameter {}, and {also}",
                plan.key_parameter
            ),
            Some("the rack to accept it"),
            forget,
        ),
        step(
            Step::Watch,
            "what the rack's stack makes of its parameters (the rack does it by itself)".to_owned(),
            Some("the rack to say that it is running"),
            Some("CloudFormation rolls back to the old key by itself".to_owned()),
        ),
        step(
            Step::Verify,
            "nothing".to_owned(),
            Some("the rack API to take the new key and refuse the old one"),
            None,
        ),
        step(Step::Promote, instead, None, None),
        step(
            Step::Retire,
            format!("forget {new} in {} and the old key", plan.key_store),
            None,
            None,
        ),
    ]
}
