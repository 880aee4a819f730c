//! Instances and what keeps them: Auto Scaling groups, spot fleets, launch templates, services.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// An Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The name.
    pub name: String,
    /// The fewest instances it keeps.
    pub min: u32,
    /// The most instances it may have.
    pub max: u32,
    /// How many it wants now.
    pub desired: u32,
    /// Its members, those on the way in and out included.
    pub members: Vec<Member>,
    /// Processes that somebody has suspended, such as `Launch`.
    pub suspended: Vec<String>,
    /// Whether new members are protected from scale-in.
    #[serde(default)]
    pub protects_new: bool,
    /// Who goes first when it shrinks, such as `NewestInstance`.
    #[serde(default)]
    pub termination_policies: Vec<String>,
    /// The launch template that new members start from.
    pub launch_template: Option<LaunchTemplateRef>,
    /// The launch configuration, in groups too old to have a template.
    pub launch_configuration: Option<String>,
}

/// The tag of an instance that names the key pair whose private half opens it, where that is no
/// longer the one that it was started with.
pub const KEY_TAG: &str = "convox:key";

/// A member of an Auto Scaling group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The instance id.
    pub instance: String,
    /// The lifecycle state, such as `InService` or `Terminating:Wait`.
    pub lifecycle: String,
    /// Whether scale-in leaves it alone.
    pub protected: bool,
}

impl Member {
    /// Tells whether the group is getting rid of it.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.lifecycle.starts_with("Terminating") || self.lifecycle == "Terminated"
    }
}

/// Points at one version of a launch template.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LaunchTemplateRef {
    /// The template's id.
    pub id: String,
    /// A number, `$Latest` or `$Default`.
    pub version: String,
}

/// An EC2 instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// The id.
    pub id: String,
    /// What its `Name` tag says.
    #[serde(default)]
    pub name: Option<String>,
    /// `pending`, `running`, `shutting-down`, `terminated`, `stopping` or `stopped`.
    pub state: String,
    /// The key pair it was started with; it cannot change.
    pub key_name: Option<String>,
    /// The key pair that opens it in that one's place, as its tag [`KEY_TAG`] says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    /// The Auto Scaling group or spot fleet that it belongs to.
    pub owner: Option<String>,
    /// Its lifecycle state in its group, where it has one.
    pub lifecycle: Option<String>,
    /// The address inside the network.
    pub private_ip: Option<String>,
    /// The address outside.
    pub public_ip: Option<String>,
    /// When it was started.
    pub launched_at: Option<Timestamp>,
}

impl Instance {
    /// Returns the key pair whose private half opens it: the one that was put in the place of a
    /// leaked one, or else the one that it was started with.
    #[must_use]
    pub fn key(&self) -> Option<&str> {
        self.opened_by.as_deref().or(self.key_name.as_deref())
    }

    /// Tells whether somebody might still log in: anything but gone or going for good.
    #[must_use]
    pub fn is_live(&self) -> bool {
        !matches!(self.state.as_str(), "terminated" | "shutting-down")
    }

    /// Tells whether its group is getting rid of it.
    #[must_use]
    pub fn is_leaving(&self) -> bool {
        self.state == "shutting-down"
            || self
                .lifecycle
                .as_deref()
                .is_some_and(|state| state.starts_with("Terminat"))
    }
}

/// An ECS service with how far its deployments are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// The name.
    pub name: String,
    /// How many tasks it should have.
    pub desired: u32,
    /// How many run.
    pub running: u32,
    /// How many are on their way up.
    pub pending: u32,
    /// `minimumHealthyPercent` of its deployment configuration.
    pub minimum_healthy_percent: Option<u32>,
    /// `maximumPercent` of its deployment configuration.
    pub maximum_percent: Option<u32>,
    /// Its deployments, the primary one first.
    pub deployments: Vec<ServiceDeployment>,
}

impl ServiceState {
    /// Returns the deployment that new tasks belong to.
    #[must_use]
    pub fn primary(&self) -> Option<&ServiceDeployment> {
        let mut deployments = self.deployments.iter();
        deployments.find(|deployment| deployment.is_primary)
    }
}

/// One attempt of a service to bring its tasks to one task definition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// The id, which tasks name as what started them.
    pub id: String,
    /// Whether new tasks belong to it.
    pub is_primary: bool,
    /// The task definition's ARN.
    pub definition: String,
    /// When it was begun.
    pub created_at: Option<Timestamp>,
    /// Whether ECS has given it up (`rolloutState` `FAILED`).
    pub failed: bool,
    /// How many of its tasks did not come up, as far as ECS counts them.
    pub failed_tasks: u32,
    /// How many of its tasks run.
    pub running: u32,
}

/// A task of a service that is meant to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceTask {
    /// The ARN.
    pub id: String,
    /// The deployment that started it.
    pub deployment: Option<String>,
    /// `PENDING`, `RUNNING` and so on.
    pub status: String,
    /// When it was asked for.
    pub created_at: Option<Timestamp>,
    /// When it came up.
    pub started_at: Option<Timestamp>,
}
