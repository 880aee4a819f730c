//! The plan of a roll of the rack API's key. Pure.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::observe::{Observed, ObservedService, Probe};
use super::value::{ApiKeyRequest, name_of};
use super::{API_KEY_PARAMETER, API_SERVICE};
use crate::ids::RollId;
use crate::rack::Rack;
use crate::roll::outcome::Outcome;
use crate::roll::plan::{Advice, Plan, PlannedStep, RollOptions, Step};
use crate::roll::preflight::{Refusal, advice, linted, stack_refusals};
use crate::roll::revoke::RevocationPlan;

/// How long a process of the API takes to be replaced, in seconds: it stops, another starts
/// in its place and passes two checks of the balancer (rack template: every 5 s).
pub(in crate::roll) const REPLACED_IN: u64 = 45;

/// The kind of key that a roll replaces.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyKind {
    /// The SSH key of the rack's instances: an EC2 key pair.
    #[default]
    Ssh,
    /// The key of the rack's HTTP API, called its password.
    Api(Box<ApiPlan>),
    /// The SSH key of the instances that there are, in whose place another is let in.
    Revocation(Box<RevocationPlan>),
}

impl KeyKind {
    /// Tells whether it is the SSH key.
    #[must_use]
    pub fn is_ssh(&self) -> bool {
        *self == Self::Ssh
    }
}

/// Which way a roll of the rack API's key goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiWay {
    /// Through the rack's account: its stack is updated and its service restarted from here.
    #[default]
    Account,
    /// Over the API itself: the rack updates its own stack, and nothing restarts the API.
    Api {
        /// How many processes the API has, as far as the rack's parameters tell.
        processes: u32,
    },
}

impl ApiWay {
    /// Tells whether it is the one through the account.
    #[must_use]
    pub fn is_account(&self) -> bool {
        *self == Self::Account
    }
}

/// What a plan says of the rack API besides what every plan says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiPlan {
    /// Which way the roll goes.
    #[serde(default, skip_serializing_if = "ApiWay::is_account")]
    pub way: ApiWay,
    /// The service whose processes are the API; none where the stack has no such service.
    pub service: Option<ApiService>,
    /// Names of other parameters that change in the same update.
    pub also: Vec<String>,
    /// Who keeps the key, besides the key store for as long as the roll lasts.
    pub holders: Vec<String>,
    /// The API as it is reached from here; none where it cannot be asked.
    pub probe: Option<String>,
    /// Whether the key that works now is known, so that it can be shown to have stopped working.
    pub old_known: bool,
    /// A file that gets the key once it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_out: Option<PathBuf>,
    /// For how long nobody is expected to answer for the API, in milliseconds.
    pub unavailable_ms: u64,
}

/// The service whose processes are the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiService {
    /// Its cluster.
    pub cluster: String,
    /// Its ARN.
    pub arn: String,
    /// How many processes it should have.
    pub desired: u32,
    /// The fewest that a deployment leaves running, in percent.
    pub min_percent: u32,
    /// The most that a deployment may have, in percent.
    pub max_percent: u32,
    /// Instances that they can run on.
    pub hosts: u32,
    /// The port that a process takes on its host, which has it only once.
    pub host_port: Option<u16>,
    /// The task definition before the roll.
    pub definition: String,
    /// Whether the task definition itself holds the key, and so changes with it.
    pub in_definition: bool,
}

impl ApiService {
    fn of(observed: &ObservedService, hosts: u32) -> Self {
        let state = &observed.state;
        Self {
            cluster: observed.cluster.clone(),
            arn: observed.arn.clone(),
            desired: state.desired,
            min_percent: state.minimum_healthy_percent.unwrap_or(100),
            max_percent: state.maximum_percent.unwrap_or(200),
            hosts,
            host_port: observed.host_port,
            definition: state
                .primary()
                .map(|primary| primary.definition.clone())
                .unwrap_or_default(),
            in_definition: observed.in_definition,
        }
    }

    /// The fewest processes that a deployment leaves running.
    fn least(&self) -> u32 {
        (self.desired.saturating_mul(self.min_percent)).div_ceil(100)
    }

    /// The processes that can be started before an old one has to stop.
    fn spare(&self) -> u32 {
        let most = self.desired.saturating_mul(self.max_percent) / 100;
        let room = most.saturating_sub(self.desired);
        match self.host_port {
            Some(_) => room.min(self.hosts.saturating_sub(self.desired)),
            None => room,
        }
    }

    /// For how long nobody answers, in seconds, by ECS's rules for a rolling update.
    fn unavailable_secs(&self) -> u64 {
        if self.desired == 0 || self.least() > 0 || self.spare() > 0 {
            return 0;
        }
        REPLACED_IN
    }

    /// How long the replacement of all processes takes, in seconds.
    fn replaced_secs(&self) -> u64 {
        let movable = self.desired.saturating_sub(self.least());
        let at_a_time = movable.max(self.spare()).max(1);
        u64::from(self.desired.div_ceil(at_a_time)) * REPLACED_IN
    }

    fn words(&self) -> String {
        let processes = if self.desired == 1 {
            "1 process".to_owned()
        } else {
            format!("{} processes", self.desired)
        };
        let port = self.host_port.map_or_else(String::new, |port| {
            format!(", one a host (port {port}) on {} hosts", self.hosts)
        });
        format!(
            "{processes}{port}, of which a deployment keeps {} running",
            self.least()
        )
    }
}

impl Plan {
    /// Makes a plan of an API key's roll that knows only what it is for.
    pub(in crate::roll) fn bare_api(rack: &Rack, roll: RollId, stack_id: &str) -> Self {
        let options = RollOptions::DEFAULT;
        let name = name_of(&rack.name, roll.as_str());
        let mut plan = Self::bare(rack, roll, options, stack_id);
        plan.new_key = name;
        plan.key_parameter = API_KEY_PARAMETER.to_owned();
        plan.kind = KeyKind::Api(Box::default());
        plan
    }

    /// Returns what the plan says of the rack API, if it is about its key.
    #[must_use]
    pub fn api(&self) -> Option<&ApiPlan> {
        match &self.kind {
            KeyKind::Ssh | KeyKind::Revocation(_) => None,
            KeyKind::Api(api) => Some(api),
        }
    }

    /// Tells whether the plan is about the rack API's key.
    #[must_use]
    pub fn is_api(&self) -> bool {
        self.api().is_some()
    }

    /// Tells whether the roll goes over the rack's API, and not through its account.
    #[must_use]
    pub fn is_far(&self) -> bool {
        self.api().is_some_and(|api| !api.way.is_account())
    }
}

/// Makes the plan of a roll.
///
/// # Errors
/// All reasons against it that were found, not only the first.
pub(in crate::roll) fn plan(
    rack: &Rack,
    roll: RollId,
    request: &ApiKeyRequest,
    observed: &Observed,
) -> Result<Plan, Refusal> {
    if observed.stack.status.is_busy() {
        return Err(Refusal::busy(&observed.stack.status));
    }
    let reasons = refusals(request, observed);
    if !reasons.is_empty() {
        return Err(Refusal {
            outcome: Outcome::NothingChanged,
            reasons,
        });
    }
    linted(draft(rack, roll, request, observed))
}

/// Makes a plan without asking whether it may be carried out.
pub(in crate::roll) fn draft(
    rack: &Rack,
    roll: RollId,
    request: &ApiKeyRequest,
    observed: &Observed,
) -> Plan {
    let mut plan = Plan::bare_api(rack, roll, &observed.stack.id);
    let service = observed
        .service
        .as_ref()
        .map(|service| ApiService::of(service, observed.hosts));
    let mut holders = observed.holders.clone();
    if let Some(path) = &request.password_out {
        holders.push(format!("file {}", path.display()));
    }
    let api = ApiPlan {
        way: ApiWay::Account,
        also: request.set.keys().cloned().collect(),
        holders,
        probe: match &observed.probe {
            Probe::Opens(name) | Probe::Refuses(name) | Probe::Answers(name) => Some(name.clone()),
            Probe::Unknown | Probe::Silent(_) => None,
        },
        old_known: matches!(observed.probe, Probe::Opens(_)),
        password_out: request.password_out.clone(),
        unavailable_ms: service
            .as_ref()
            .map_or(0, |service| service.unavailable_secs() * 1000),
        service,
    };
    plan.changes.clone_from(&observed.changes);
    plan.warnings = warnings(&api, observed);
    plan.steps = steps(&plan, &api);
    plan.kind = KeyKind::Api(Box::new(api));
    plan
}

fn refusals(request: &ApiKeyRequest, observed: &Observed) -> Vec<Advice> {
    let mut reasons = stack_refusals(&observed.stack);
    let name = &observed.stack.name;
    if !observed.declared.contains_key(API_KEY_PARAMETER) {
        reasons.push(advice(
            "no-password-parameter",
            format!("the template of {name} has no parameter {API_KEY_PARAMETER}"),
            "only a Convox rack has an API key: check the name of the stack",
        ));
    }
    for problem in &observed.unfit {
        reasons.push(advice(
            "unfit-value",
            problem.clone(),
            "see the names and limits with `convox rack params`; nothing is changed",
        ));
    }
    if let Err(error) = &observed.key_store {
        reasons.extend(Refusal::from(error.clone()).reasons);
    }
    let proofless = matches!(observed.probe, Probe::Unknown | Probe::Silent(_));
    if observed.service.is_none() && proofless {
        reasons.push(advice(
            "no-proof",
            format!(
                "{name} has no service {API_SERVICE} and its API does not answer from here: \
                 nothing could show that a new key works"
            ),
            "log in to the rack first with `convox login HOST`",
        ));
    }
    if let Some(service) = &observed.service {
        let service = ApiService::of(service, observed.hosts);
        if service.desired == 0 {
            reasons.push(advice(
                "api-scaled-to-nothing",
                format!("the rack API's service {API_SERVICE} is scaled to 0"),
                "scale it up first, so that it can show that the new key works",
            ));
        } else if service.least() >= service.desired && service.spare() == 0 {
            reasons.push(advice(
                "no-room-to-restart",
                format!(
                    "the rack API could not be restarted: {}, and no host is free for another",
                    service.words()
                ),
                "add an instance first: `convox rack params set InstanceCount=N`",
            ));
        }
    }
    if request.value.is_none() && observed.holders.is_empty() && request.password_out.is_none() {
        reasons.push(advice(
            "nobody-keeps-it",
            "a key would be made, and nobody would know it".to_owned(),
            "name a file with --password-out FILE, or log in to the rack first",
        ));
    }
    reasons
}

fn warnings(api: &ApiPlan, observed: &Observed) -> Vec<Advice> {
    let mut warnings = Vec::new();
    if let Some(service) = &api.service {
        let (down, all) = (service.unavailable_secs(), service.replaced_secs());
        let outage = if down > 0 {
            format!("nobody answers for the rack API for about {down} s")
        } else {
            "the rack API goes on answering".to_owned()
        };
        warnings.push(advice(
            "api-restart",
            format!(
                "the rack API is restarted, because its processes read the key only when they \
                 start: {}; {outage}",
                service.words()
            ),
            format!(
                "expect deploys and other commands to fail meanwhile; for about {all} s some \
                 processes take the old key and others the new one"
            ),
        ));
    } else {
        warnings.push(advice(
            "no-api-service",
            format!("the stack has no service {API_SERVICE} that could be restarted"),
            "the rack API may keep the old key until its processes restart",
        ));
    }
    match &observed.probe {
        Probe::Opens(_) => {}
        Probe::Unknown => warnings.push(advice(
            "no-probe",
            "the rack API's address and key are not known here: ECS's word will be the proof",
            "log in first with `convox login HOST` for a proof by the API itself",
        )),
        Probe::Silent(why) => warnings.push(advice(
            "api-silent",
            format!("the rack API does not answer from here ({why}): ECS's word will be the proof"),
            "roll from where the API answers for a proof by the API itself",
        )),
        Probe::Answers(name) => warnings.push(advice(
            "old-unknown",
            format!("the key that opens {name} now is not known: nobody will see it refused"),
            "log in first with `convox login HOST` for a full proof",
        )),
        Probe::Refuses(name) => warnings.push(advice(
            "login-refused",
            format!("{name} refuses the key of the stored login already"),
            "the new key takes its place; others who have the right one lose it",
        )),
    }
    for (name, declared) in &observed.declared {
        if declared.is_ssm() && declared.kind.contains("Image") {
            warnings.push(advice(
                "ssm-image",
                format!(
                    "parameter {name} is looked up anew at every update: a newer machine image \
                     may come along, and replace every instance"
                ),
                "see `--plan` for what the update would touch",
            ));
        }
    }
    warnings
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
    let forget = Some(format!("forget {new}"));
    let beside = if holders.is_empty() {
        "nothing: nobody here keeps the key".to_owned()
    } else {
        format!("keep the new key beside the one that works in {holders}")
    };
    let mut steps = vec![
        step(Step::Mint, beside, None, Some("forget it there".to_owned())),
        step(
            Step::Stage,
            format!("keep the new key as {new} in {}", plan.key_store),
            None,
            forget.clone(),
        ),
    ];
    let also = if api.also.is_empty() {
        "nothing else".to_owned()
    } else {
        api.also.join(", ")
    };
    steps.push(step(
        Step::Install,
        format!("set stack parameter {}, and {also}", plan.key_parameter),
        None,
        forget,
    ));
    steps.push(step(
        Step::Watch,
        "what the stack makes of its parameters (CloudFormation does)".to_owned(),
        Some("the stack to come to rest"),
        Some("CloudFormation rolls back to the old key by itself".to_owned()),
    ));
    if let Some(service) = &api.service {
        steps.push(step(
            Step::Restart,
            if service.in_definition {
                "nothing: CloudFormation has replaced the API's processes".to_owned()
            } else {
                format!("replace the {} processes of the rack API", service.desired)
            },
            Some("every process to have started since"),
            None,
        ));
    }
    steps.push(step(
        Step::Verify,
        "nothing".to_owned(),
        Some(match (&api.probe, api.old_known) {
            (Some(_), true) => "the rack API to take the new key and refuse the old one",
            (Some(_), false) => "the rack API to take the new key",
            (None, _) => "nothing more: the API cannot be asked from here",
        }),
        None,
    ));
    steps.push(step(
        Step::Promote,
        if holders.is_empty() {
            "nothing: nobody here keeps the key".to_owned()
        } else {
            format!("make the new key the one of {holders}")
        },
        None,
        None,
    ));
    steps.push(step(
        Step::Retire,
        format!("forget {new} in {} and the old key", plan.key_store),
        None,
        None,
    ));
    steps
}
