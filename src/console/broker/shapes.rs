//! What racks and consoles answer, as the classic writes it: two spaces, keys in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Number;

use crate::rack::{SystemDescription, SystemInstance};
use crate::roll::Report;
use crate::store::{RackRecord, RollRow};

/// When nothing is known of a time, as Go writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// What this console does that the classic's does not: it rolls every key of a rack by itself, and
/// tells in `GET /system` how the last roll stands. The classic reads nothing but `id`.
const CAPABILITIES: [&str; 1] = ["rolls"];

/// `GET /auth` of a console.
#[derive(Serialize)]
pub(super) struct AuthShape<'a> {
    id: &'a str,
    name: &'a str,
    capabilities: [&'static str; 1],
}

impl<'a> AuthShape<'a> {
    /// Writes who somebody is.
    pub(super) fn of(id: &'a str, name: &'a str) -> Self {
        Self {
            id,
            name,
            capabilities: CAPABILITIES,
        }
    }
}

/// A rack as a console lists it.
#[derive(Serialize)]
pub(super) struct RackShape {
    name: String,
    organization: OrganizationShape,
    status: String,
    provider: &'static str,
    deletable: bool,
    parameters: BTreeMap<String, String>,
    state: &'static str,
    version: String,
}

#[derive(Serialize)]
struct OrganizationShape {
    name: String,
}

impl RackShape {
    /// Writes a rack, with how it describes itself if it could be asked.
    pub(super) fn of(rack: &RackRecord, described: Option<SystemDescription>) -> Self {
        let unknown = || SystemDescription {
            status: "unknown".to_owned(),
            ..SystemDescription::default()
        };
        let described = described.unwrap_or_else(unknown);
        Self {
            name: rack.name.clone(),
            organization: OrganizationShape {
                name: rack.organization.clone(),
            },
            status: described.status,
            // Whatever it is reached by, it is in AWS.
            provider: "aws",
            deletable: false,
            parameters: described.parameters,
            state: "",
            version: described.version,
        }
    }
}

/// `GET /system` of a rack.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SystemShape {
    count: u32,
    domain: String,
    name: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    outputs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    parameters: BTreeMap<String, String>,
    provider: String,
    rack_domain: String,
    region: String,
    status: String,
    #[serde(rename = "type")]
    kind: String,
    version: String,
    /// The last roll of one of the rack's keys. A rack has no such field, and the classic reads none.
    #[serde(skip_serializing_if = "Option::is_none")]
    roll: Option<RollShape>,
}

/// A roll, as `GET /system` tells of the last one.
#[derive(Serialize)]
pub(super) struct RollShape {
    id: String,
    /// `ssh` or `api`.
    key: String,
    /// Whether nothing is done about it any more.
    ended: bool,
    /// How it ended, or was left until it is tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    report: Option<Report>,
}

impl RollShape {
    /// Writes how a roll stands.
    pub(super) fn of(roll: &RollRow) -> Self {
        let report = roll.report.as_deref();
        let report: Option<Report> = report.and_then(|text| serde_json::from_str(text).ok());
        Self {
            id: roll.id.clone(),
            key: roll.key_kind.clone(),
            ended: roll.ended_at.is_some(),
            report: report.map(for_others),
        }
    }
}

/// Leaves out the hints for whoever sits at the engine: a roll of the console has its journal there.
pub(in crate::console) fn without_engine_hints(report: &mut Report) {
    report.hints.retain(|hint| !hint.contains("`convox rolls "));
}

/// Puts in the place of hints for whoever sits at the engine what others can do.
fn for_others(mut report: Report) -> Report {
    without_engine_hints(&mut report);
    if !report.is_over() {
        let hint = "the console tries again by itself; `convox console rolls list`, on its \
                    machine, tells how the roll stands";
        report.hints.push(hint.to_owned());
    }
    report
}

impl SystemShape {
    /// Writes how a rack describes itself, and how its last roll stands.
    pub(super) fn of(system: SystemDescription, roll: Option<&RollRow>) -> Self {
        Self {
            count: system.count,
            domain: system.domain,
            name: system.name,
            outputs: system.outputs,
            parameters: system.parameters,
            provider: system.provider,
            rack_domain: system.rack_domain,
            region: system.region,
            status: system.status,
            kind: system.instance_type,
            version: system.version,
            roll: roll.map(RollShape::of),
        }
    }
}

/// An instance in `GET /instances`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InstanceShape {
    agent: bool,
    cpu: Number,
    id: String,
    memory: Number,
    private_ip: String,
    processes: u32,
    public_ip: String,
    started: String,
    status: String,
}

impl From<SystemInstance> for InstanceShape {
    fn from(instance: SystemInstance) -> Self {
        let started = instance.started.map(in_seconds);
        Self {
            agent: instance.agent,
            cpu: as_in_go(instance.cpu),
            id: instance.id,
            memory: as_in_go(instance.memory),
            private_ip: instance.private_ip,
            processes: instance.processes,
            public_ip: instance.public_ip,
            started: started.unwrap_or_else(|| NEVER.to_owned()),
            status: instance.status,
        }
    }
}

/// Writes a number without a fraction as one, as the classic's language does.
fn as_in_go(number: f64) -> Number {
    let written = number.to_string().parse();
    written.unwrap_or_else(|_| Number::from(0))
}

fn in_seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}
