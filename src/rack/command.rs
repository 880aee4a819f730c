//! Commands on instances without a login: what SSM Run Command is to us.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::error::PortError;

/// How far a command is on one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandState {
    /// It is on its way, or runs.
    UnderWay,
    /// It ended with 0.
    Succeeded,
    /// It ended otherwise, was never delivered, or was stopped.
    Failed,
}

/// A command on one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoked {
    /// The instance's id.
    pub instance: String,
    /// How far it is.
    pub state: CommandState,
    /// AWS's words for that, such as `Delivery Timed Out`.
    pub status: String,
    /// What it wrote, stderr after stdout, cut off after some 2500 characters.
    pub output: String,
}

/// Runs commands on instances through their agents.
#[async_trait]
pub trait Commands: Send + Sync {
    /// Says of those of `instances` that have an agent how it is: `Online`, or else a word for
    /// why it is not. Those without one are left out.
    ///
    /// # Errors
    /// The call's.
    async fn agents(&self, instances: &[String]) -> Result<BTreeMap<String, String>, PortError>;
    /// Has at most 50 instances run a shell script as root, and returns the command's id.
    ///
    /// # Errors
    /// [`PortError::Rejected`] with the code `InvalidInstanceId` when any of them cannot be
    /// asked: then none has been.
    async fn run(&self, instances: &[String], script: &str) -> Result<String, PortError>;
    /// Says how far a command is on each of its instances.
    ///
    /// # Errors
    /// The call's.
    async fn invoked(&self, command: &str) -> Result<Vec<Invoked>, PortError>;
}
