//! What a rack and a console send, read leniently: whatever is missing is empty.

use std::collections::BTreeMap;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Deserializer};

use crate::rack::{PrivateKey, SystemDescription, SystemInstance};

/// What `GET /auth` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// Who the console says this is; a rack says nothing.
    pub id: Option<String>,
    /// Whether it is a console that rolls the keys of racks by itself, all of them, and tells of it.
    pub has_rolls: bool,
}

/// What a console tells of the last roll of a rack's key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ConsoleRoll {
    /// Its id.
    pub id: String,
    /// Whether nothing is done about it any more.
    #[serde(default)]
    pub ended: bool,
    /// How it ended, or was left until it is tried again: the report of an engine, as JSON.
    #[serde(default)]
    pub report: Option<serde_json::Value>,
}

/// A rack as a console lists it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct RackListing {
    /// Its name, without the organization.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
    /// Whose it is.
    #[serde(deserialize_with = "or_default")]
    pub organization: Organization,
    /// Who runs it, such as `aws`.
    #[serde(deserialize_with = "or_default")]
    pub provider: String,
    /// `running`, `updating` and so on.
    #[serde(deserialize_with = "or_default")]
    pub status: String,
    /// The release of the rack, where the console tells it.
    #[serde(deserialize_with = "or_default")]
    pub version: String,
}

/// An organization of a console.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct Organization {
    /// Its name.
    #[serde(deserialize_with = "or_default")]
    pub name: String,
}

impl RackListing {
    /// Returns `ORGANIZATION/NAME`, the name that the console knows the rack by.
    #[must_use]
    pub fn full_name(&self) -> String {
        if self.organization.name.is_empty() {
            return self.name.clone();
        }
        format!("{}/{}", self.organization.name, self.name)
    }
}

/// What a rack did when it was asked for a new SSH key.
#[derive(Debug)]
pub enum Keyroll {
    /// It rolls the key itself, and keeps it.
    Started,
    /// It has made a key pair and hands it over: a rack of the third generation keeps none, and
    /// replaces no instance before its `key_pair_name` is set.
    Minted {
        /// The name of the key pair.
        name: String,
        /// Its private half, which exists nowhere else.
        private_key: PrivateKey,
    },
}

/// An account key that a console has just made in the place of another.
#[derive(Debug)]
pub struct AccountKeyroll {
    /// The new key, which the console shows this once.
    pub key: SecretString,
    /// From when on the old key opens nothing.
    pub old_expires: Option<Timestamp>,
}

/// `POST /account/keyroll` of a console.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AccountKeyrollAnswer {
    pub(super) key: String,
    #[serde(default)]
    pub(super) old_expires: Option<i64>,
}

/// `GET /auth` of a console.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct AuthAnswer {
    #[serde(deserialize_with = "or_default")]
    pub(super) id: String,
    /// Consoles of our own have a list of words here.
    pub(super) capabilities: serde_json::Value,
}

/// A field of `GET /system` that consoles of our own add.
#[derive(Deserialize)]
pub(super) struct WithRoll {
    pub(super) roll: Option<ConsoleRoll>,
}

/// The answer to `POST /instances/keyroll` of a rack of the third generation.
#[derive(Deserialize)]
pub(super) struct KeyrollAnswer {
    pub(super) name: String,
    #[serde(rename = "private-key")]
    pub(super) private_key: String,
}

/// `GET /system`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct SystemAnswer {
    #[serde(deserialize_with = "or_default")]
    count: u32,
    #[serde(deserialize_with = "or_default")]
    domain: String,
    #[serde(deserialize_with = "or_default")]
    name: String,
    #[serde(deserialize_with = "or_default")]
    outputs: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    parameters: BTreeMap<String, String>,
    #[serde(deserialize_with = "or_default")]
    provider: String,
    #[serde(deserialize_with = "or_default")]
    rack_domain: String,
    #[serde(deserialize_with = "or_default")]
    region: String,
    #[serde(deserialize_with = "or_default")]
    status: String,
    #[serde(deserialize_with = "or_default", rename = "type")]
    instance_type: String,
    #[serde(deserialize_with = "or_default")]
    version: String,
}

impl From<SystemAnswer> for SystemDescription {
    fn from(answer: SystemAnswer) -> Self {
        Self {
            name: answer.name,
            provider: answer.provider,
            region: answer.region,
            domain: answer.domain,
            rack_domain: answer.rack_domain,
            status: answer.status,
            version: answer.version,
            count: answer.count,
            instance_type: answer.instance_type,
            parameters: answer.parameters,
            outputs: answer.outputs,
        }
    }
}

/// An element of `GET /instances`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct InstanceAnswer {
    #[serde(deserialize_with = "or_default")]
    agent: bool,
    #[serde(deserialize_with = "or_default")]
    cpu: f64,
    #[serde(deserialize_with = "or_default")]
    id: String,
    #[serde(deserialize_with = "or_default")]
    memory: f64,
    #[serde(deserialize_with = "or_default")]
    private_ip: String,
    #[serde(deserialize_with = "or_default")]
    processes: u32,
    #[serde(deserialize_with = "or_default")]
    public_ip: String,
    #[serde(deserialize_with = "or_default")]
    status: String,
    #[serde(deserialize_with = "or_default")]
    started: String,
}

impl From<InstanceAnswer> for SystemInstance {
    fn from(answer: InstanceAnswer) -> Self {
        Self {
            id: answer.id,
            name: None,
            status: answer.status,
            agent: answer.agent,
            // Go writes the year 1 where there is no time.
            started: answer
                .started
                .parse()
                .ok()
                .filter(|started| *started > Timestamp::UNIX_EPOCH),
            processes: answer.processes,
            cpu: answer.cpu,
            memory: answer.memory,
            public_ip: answer.public_ip,
            private_ip: answer.private_ip,
            key_name: None,
        }
    }
}

/// Reads `null` as nothing.
fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
