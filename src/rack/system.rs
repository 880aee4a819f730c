//! The face of a rack that an operator sees, however the rack is reached.

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

use super::error::PortError;

type Result<T> = std::result::Result<T, PortError>;

/// A rack as `GET /system` of its HTTP API describes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemDescription {
    /// The rack's name.
    pub name: String,
    /// Who runs it, such as `aws`.
    pub provider: String,
    /// The region.
    pub region: String,
    /// The domain that its applications are reached at; empty where there is none.
    pub domain: String,
    /// The domain of its API; empty where that is not known.
    pub rack_domain: String,
    /// `running`, `updating`, `rollback`, `converging`, `failed` and so on.
    pub status: String,
    /// The release of the rack.
    pub version: String,
    /// How many instances it should have.
    pub count: u32,
    /// The type of its instances, such as `t3.small`.
    pub instance_type: String,
    /// The parameters of its stack; secret ones read `****`.
    pub parameters: BTreeMap<String, String>,
    /// The outputs of its stack.
    pub outputs: BTreeMap<String, String>,
}

/// An instance as an operator sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SystemInstance {
    /// The EC2 instance id.
    pub id: String,
    /// What its `Name` tag says, where that is known.
    pub name: Option<String>,
    /// `active` or `draining`; empty for an instance that runs no ECS agent.
    pub status: String,
    /// Whether its ECS agent is connected.
    pub agent: bool,
    /// When it was started.
    pub started: Option<Timestamp>,
    /// How many processes run on it.
    pub processes: u32,
    /// The part of its CPU that is reserved, 0 to 1.
    pub cpu: f64,
    /// The part of its memory that is reserved, 0 to 1.
    pub memory: f64,
    /// Its public address; empty where it has none.
    pub public_ip: String,
    /// Its private address.
    pub private_ip: String,
    /// The key pair that opens it: the one it was started with, or the one in the place of a
    /// leaked one. `None` where that is not told (the HTTP API does not).
    pub key_name: Option<String>,
}

/// What an operator asks of a rack.
#[async_trait]
pub trait System: Send + Sync {
    /// Describes the rack.
    async fn describe(&self) -> Result<SystemDescription>;
    /// Lists its instances, ordered by id.
    async fn instances(&self) -> Result<Vec<SystemInstance>>;
    /// Sets parameters, all of them in one update, and leaves every other as it is.
    ///
    /// Returns once the update is accepted.
    async fn set_parameters(&self, changes: &BTreeMap<String, String>) -> Result<()>;
    /// Terminates an instance, which the rack then replaces.
    async fn terminate(&self, instance: &str) -> Result<()>;
}
