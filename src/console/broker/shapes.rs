//! What racks and consoles answer, as the classic writes it: two spaces, keys in order.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::rack::{SystemDescription, SystemInstance};
use crate::store::RackRecord;

/// When nothing is known of a time, as Go writes it.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// `GET /auth` of a console.
#[derive(Serialize)]
pub(super) struct AuthShape<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
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
}

impl From<SystemDescription> for SystemShape {
    fn from(system: SystemDescription) -> Self {
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
        }
    }
}

/// An instance in `GET /instances`.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct InstanceShape {
    agent: bool,
    cpu: f64,
    id: String,
    memory: f64,
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
            cpu: instance.cpu,
            id: instance.id,
            memory: instance.memory,
            private_ip: instance.private_ip,
            processes: instance.processes,
            public_ip: instance.public_ip,
            started: started.unwrap_or_else(|| NEVER.to_owned()),
            status: instance.status,
        }
    }
}

fn in_seconds(time: Timestamp) -> String {
    format!("{time:.0}")
}
